"""Make steps of a product and facts: `for_each` unrolled, `when` evaluated, `with` evaluated and parsed."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve

from converge.engine.step import Step
from converge.errors import ConvergeError, ProviderError, bug
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
from converge.model import Asset, Product, Resource, Unknown, Value
from converge.providers import registry
from converge.providers.protocol import Provider
from converge.system import ReadOnlySystem


def expand(product: Product, facts: Facts) -> tuple[Step, ...]:
    """All steps of a product, undecided, in its order. An error stays with its step; the others go on."""
    return tuple(step for resource in product.resources.values() for step in _steps(product, resource, facts))


def over_probe(resource: Resource) -> bool:
    """Whether `for_each` uses a probe, so that elements can appear later."""
    return isinstance(resource.for_each, str) and calls_probe(parse_template(resource.for_each))


def _steps(product: Product, resource: Resource, facts: Facts) -> Iterator[Step]:
    try:
        provider = registry.load(resource.type)
        elements = _elements(resource, facts)
    except ConvergeError as error:
        yield Step(resource.id, resource, error=error)
        return
    if isinstance(elements, Unknown):
        yield Step(resource.id, resource, provider, condition=elements)
        return
    for key, item in elements:
        id_ = resource.id if key is None else f"{resource.id}[{key}]"
        if id_ in product.dropped:
            continue
        chosen = product.overridden.get(resource.id, {}).get(key or "", resource)
        step = Step(id_, chosen, provider)
        try:
            yield _evaluated(step, provider, facts.with_item(item) if key is not None else facts)
        except ConvergeError as error:
            yield evolve(step, error=error)
        except Exception as error:  # noqa: BLE001  (whatever a third party's values lead to fails its resource alone)
            yield evolve(step, error=ProviderError(bug(error)))


def _elements(resource: Resource, facts: Facts) -> "list[tuple[str | None, Value]] | Unknown":
    """The keys and items of `for_each`; a single pair without a key if there is none."""
    if resource.for_each is None:
        return [(None, None)]
    found = evaluate_within(resource.for_each, facts)
    if isinstance(found, Unknown):
        return found
    if isinstance(found, Mapping):
        return [(key, {"key": key, "value": value}) for key, value in found.items()]
    if isinstance(found, str) or not all(isinstance(item, str) for item in found):
        raise ConvergeError(f"`for_each` of '{resource.id}' is not a list of texts or a map")
    return [(item, item) for item in dict.fromkeys(found)]


def _evaluated(step: Step, provider: Provider, facts: Facts) -> Step:
    condition = _condition(step.resource, facts)
    if condition is False:
        return evolve(step, condition=condition)
    written = step.resource.with_
    params = {name: _param(step.resource, provider, name, value, facts) for name, value in written.items()}
    unknown = unknown_within(params)
    if unknown is not None:
        return evolve(step, condition=unknown)
    # If only `when` is unknown, the spec still decides which ledger gets the debt.
    spec = provider.parse(params)
    claims = provider.claims(spec)
    things = tuple(dict.fromkeys((provider.thing(spec), *(claim.thing for claim in claims))))
    recorded = tuple(sorted({claim.thing.recorded for claim in claims}))
    return evolve(step, condition=condition, spec=spec, claims=claims, things=things, recorded=recorded)


def loop_condition(resource: Resource, facts: Facts) -> "bool | Unknown":
    """The value of `when` for a loop as a whole; True if it reads the elements: it does not decide for the loop."""
    names = names_in(parse_expression(resource.when)) if resource.when is not None else ()
    return any(name.partition(".")[0] == "item" for name in names) or _condition(resource, facts)


def _condition(resource: Resource, facts: Facts) -> "bool | Unknown":
    if resource.when is None:
        return True
    found = evaluate(parse_expression(resource.when), facts)
    if isinstance(found, bool | Unknown):
        return found
    raise ConvergeError(f"`when` of '{resource.id}' is neither true nor false")


def _param(resource: Resource, provider: Provider, name: str, value: Value, facts: Facts) -> Any:  # noqa: ANN401  (a Value, an Asset or Unknown)
    found = evaluate_within(value, facts)
    named = (*provider.traits.files, *provider.traits.folders)
    if name in named and isinstance(found, str) and not found.startswith("/"):
        folder = resource.mark_of("with", name).filename.rpartition("/")[0] or "."
        return _asset(f"{folder}/{found}", facts.system)
    return found


def _asset(path: str, system: ReadOnlySystem) -> Asset:
    """A file next to the manifest. On a live system root must own it, like the manifest."""
    real = system.real(path)
    if system.live:
        system.require_trusted(os.path.abspath(real))
    return Asset(real)
