"""What the static checks share."""

from collections.abc import Iterator

from converge.model import Product, Resource


def variants(product: Product) -> Iterator[Resource]:
    """Every resource of a product, and those that an override makes of one of its elements."""
    for resource in product.resources.values():
        yield resource
        yield from product.overridden.get(resource.id, {}).values()
