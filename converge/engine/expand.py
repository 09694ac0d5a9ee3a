"""Product and facts become instances: `for_each` unrolled, `when` asked, `with` evaluated and parsed."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from converge.errors import ConvergeError
from converge.facts import Facts
from converge.language.expressions import (
    calls_probe,
    evaluate,
    evaluate_within,
    names_in,
    parse_expression,
    parse_template,
    unknown_within,
)
from converge.model import Asset, Claim, Product, Resource, Unknown, Value
from converge.providers import registry as providers
from converge.providers.protocol import AnyProvider, optional
from converge.system import ReadOnlySystem


@frozen
class Instance:
    """One resource, or one element of a `for_each`, with everything evaluated that could be."""

    id: str
    resource: Resource
    provider: AnyProvider | None
    condition: bool | Unknown
    spec: Any = None
    """What the provider made of `with`; None where `when` is false, a parameter is unknown, or there is an error."""
    claims: tuple[Claim, ...] = ()
    error: ConvergeError | None = None

    @property
    def is_element(self) -> bool:
        return self.id != self.resource.id


def expand(product: Product, facts: Facts) -> tuple[Instance, ...]:
    """All instances of a product, in its order. Errors stay with their instance; the others go on."""
    return tuple(
        instance for resource in product.resources.values() for instance in _instances(product, resource, facts)
    )


def over_probe(resource: Resource) -> bool:
    """`for_each` runs over what a probe finds, so that elements can appear later."""
    return isinstance(resource.for_each, str) and calls_probe(parse_template(resource.for_each))


def _instances(product: Product, resource: Resource, facts: Facts) -> Iterator[Instance]:
    try:
        provider = providers.load(resource.type)
        elements = _elements(resource, facts)
    except ConvergeError as error:
        yield Instance(resource.id, resource, None, condition=True, error=error)
        return
    if isinstance(elements, Unknown):
        yield Instance(resource.id, resource, provider, condition=elements)
        return
    for key, item in elements:
        id_ = resource.id if key is None else f"{resource.id}[{key}]"
        if id_ in product.dropped:
            continue
        chosen = product.overridden.get(resource.id, {}).get(key or "", resource)
        yield _instance(id_, chosen, provider, facts.with_item(item) if key is not None else facts)


def _elements(resource: Resource, facts: Facts) -> "list[tuple[str | None, Value]] | Unknown":
    """The keys and items of `for_each`; a single pair without a key where there is none."""
    if resource.for_each is None:
        return [(None, None)]
    found = evaluate_within(resource.for_each, facts)
    if isinstance(found, Unknown):
        return found
    if isinstance(found, Mapping):
        return [(key, {"key": key, "value": value}) for key, value in found.items()]
    if isinstance(found, str) or not all(isinstance(item, str) for item in found):
        raise ConvergeError(f"`for_each` of '{resource.id}' is neither a list of text nor a map")
    return [(item, item) for item in dict.fromkeys(found)]


def _instance(id_: str, resource: Resource, provider: AnyProvider, facts: Facts) -> Instance:
    try:
        condition = _condition(resource, facts)
        if condition is False:
            return Instance(id_, resource, provider, condition)
        params = {name: _param(resource, provider, name, value, facts) for name, value in resource.with_.items()}
        unknown = unknown_within(params)
        if unknown is not None:
            return Instance(id_, resource, provider, condition=unknown)
        # Where only `when` is unknown, the spec still tells in which ledger the debt belongs.
        spec = provider.parse(params)
        return Instance(id_, resource, provider, condition, spec, provider.claims(spec))
    except ConvergeError as error:
        return Instance(id_, resource, provider, condition=True, error=error)


def loop_condition(resource: Resource, facts: Facts) -> "bool | Unknown":
    """What `when` says of a loop as a whole; one that asks about its elements says nothing against it."""
    names = names_in(parse_expression(resource.when)) if resource.when is not None else ()
    return any(name.partition(".")[0] == "item" for name in names) or _condition(resource, facts)


def _condition(resource: Resource, facts: Facts) -> "bool | Unknown":
    if resource.when is None:
        return True
    found = evaluate(parse_expression(resource.when), facts)
    if isinstance(found, bool | Unknown):
        return found
    raise ConvergeError(f"`when` of '{resource.id}' is neither true nor false")


def _param(resource: Resource, provider: AnyProvider, name: str, value: Value, facts: Facts) -> Any:  # noqa: ANN401  (a Value, an Asset or Unknown)
    found = evaluate_within(value, facts)
    named = (*optional(provider, "FILES", ()), *optional(provider, "FOLDERS", ()))
    if name in named and isinstance(found, str) and not found.startswith("/"):
        return _asset(_beside(resource.mark_of("with", name).filename, found), facts.system)
    return found


def _asset(path: str, system: ReadOnlySystem) -> Asset:
    """A file beside the manifest; what root is to act on must be root's, as the manifest must."""
    real = system.real(path)
    if system.live:
        system.require_trusted(os.path.abspath(real))
    return Asset(real)


def _beside(manifest: str, path: str) -> str:
    return f"{manifest.rpartition('/')[0] or '.'}/{path}"
