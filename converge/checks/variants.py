"""The resources of a product that the static checks go through."""

from collections.abc import Iterator

from converge.model import Product, Resource


def variants(product: Product) -> Iterator[Resource]:
    """Every resource of a product, and every variant of one that an override of an element makes."""
    for resource in product.resources.values():
        yield resource
        yield from product.overridden.get(resource.id, {}).values()
