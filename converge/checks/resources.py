"""Resources that are known without a machine are evaluated, and checked by their providers and for conflicts."""

import os
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from attrs import evolve, frozen

from converge.checks.variants import variants
from converge.diagnostics import Related, Report
from converge.errors import ConvergeError
from converge.language.expressions import ExpressionError, evaluate_within, parameter_value, unknown_within
from converge.model import (
    Asset,
    Claim,
    Depends,
    OnUserChange,
    Parameter,
    Policy,
    Product,
    Resource,
    Secret,
    Unknown,
    Value,
    Version,
)
from converge.providers import registry
from converge.providers.protocol import ABSENT, Provider, parts_of

_ON_THE_MACHINE = Unknown("it depends on the machine")
_STAND_IN = Secret("stand-in")


@frozen
class _Known:
    """An environment with parameters and `item`, in which every fact of a machine is unknown."""

    values: Mapping[str, "Value | Secret | Version"]

    def name(self, path: tuple[str, ...]) -> Any:  # noqa: ANN401  (a Value or Unknown)
        value: Any = self.values.get(path[0], _ON_THE_MACHINE)
        for part in path[1:]:
            value = value.get(part, _ON_THE_MACHINE) if isinstance(value, Mapping) else _ON_THE_MACHINE
        return value

    def call(self, name: str, arguments: Sequence[Any]) -> Unknown:  # noqa: ARG002  (the protocol's)
        return _ON_THE_MACHINE

    def with_item(self, item: Value) -> "_Known":
        return _Known({**self.values, "item": item})


@frozen
class _Literal:
    """A resource, or an element of one, with parameters that are all known, and its provider's view of them."""

    id: str
    resource: Resource
    provider: Provider
    spec: Any
    claims: tuple[Claim, ...]


def check(product: Product, report: Report) -> None:
    given = {name: _value(parameter) for name, parameter in product.parameters.items()}
    known = _Known({name: value for name, value in given.items() if value is not None})
    for resource in variants(product):
        _check_absence(resource, report)
    found = [_literal(*instance, report) for instance in _instances(product, known, report)]
    _check_claims([literal for literal in found if literal is not None], report)


def _value(parameter: Parameter) -> "Value | Secret | Version":
    """The value of a parameter; a stand-in for a secret without one, because only its presence matters here."""
    return _STAND_IN if parameter.type == "secret" and parameter.value is None else parameter_value(parameter)


def _instances(product: Product, known: _Known, report: Report) -> Iterator[tuple[str, Resource, _Known]]:
    """The resources and elements without a fault so far: a provider would report a known fault again."""
    faults = {(error.mark.filename, error.mark.line) for error in report.errors if error.mark is not None}
    for resource in product.resources.values():
        for key, item in _elements(resource, known, report) if _is_sound(resource, faults) else ():
            id_ = resource.id if key is None else f"{resource.id}[{key}]"
            variant = product.overridden.get(resource.id, {}).get(key or "", resource)
            if id_ not in product.dropped and _is_sound(variant, faults):
                yield id_, variant, known if key is None else known.with_item(item)


def _is_sound(resource: Resource, faults: AbstractSet[tuple[str, int]]) -> bool:
    return faults.isdisjoint((mark.filename, mark.line) for mark in (resource.mark, *resource.marks.values()))


def _literal(id_: str, resource: Resource, known: _Known, report: Report) -> _Literal | None:
    """The resource with its provider's view of it; None if a value depends on the machine or is wrong."""
    try:
        provider = registry.load(resource.type)
        values = {name: evaluate_within(value, known) for name, value in resource.with_.items()}
        missing = _check_files(resource, values, provider, report)
        if missing or unknown_within(values) is not None:
            return None
        spec = provider.parse(values)
        return _Literal(id_, resource, provider, spec, provider.claims(spec))
    except ConvergeError as error:
        report.error("bad-parameters", error.message, resource.mark_of("with"), hint=error.hint)
        return None


def _elements(resource: Resource, known: _Known, report: Report) -> list[tuple[str | None, Value]]:
    """The keys and items of `for_each`: empty if they depend on the machine; one pair of None without `for_each`."""
    if resource.for_each is None:
        return [(None, None)]
    try:
        found = evaluate_within(resource.for_each, known)
    except ExpressionError as error:
        report.error("bad-parameters", error.message, resource.mark_of("for_each"), hint=error.hint)
        return []
    if isinstance(found, Mapping):
        return [(key, {"key": key, "value": value}) for key, value in found.items()]
    return [(item, item) for item in found] if isinstance(found, tuple) else []


def _check_files(resource: Resource, values: dict[str, Any], provider: Provider, report: Report) -> bool:
    """Replace paths beside the manifest by assets; returns whether a file or folder is missing."""
    missing = False
    files, folders = provider.traits.files, provider.traits.folders
    for name in (*files, *folders):
        path = values.get(name)
        if not isinstance(path, str) or os.path.isabs(path):
            continue
        mark = resource.mark_of("with", name)
        asset = Asset(os.path.join(os.path.dirname(mark.filename), path))
        values[name] = asset
        if not (os.path.isdir if name in folders else os.path.isfile)(asset.path):
            missing = True
            kind, other = ("folder", "file") if name in folders else ("file", "folder")
            message = f"'{path}' is a {other}" if os.path.exists(asset.path) else f"there is no {kind} '{path}'"
            beside = os.path.basename(mark.filename)
            hint = f"put the {kind} beside {beside}, or begin a path on the machine with '/'"
            report.error("missing-file", message, mark, hint=hint)
    return missing


def _check_absence(resource: Resource, report: Report) -> None:
    """Warn that `keep`, the default of some types, never removes a thing that a user installed."""
    if resource.with_.get("ensure") != ABSENT or resource.on_user_change is not OnUserChange.KEEP:
        return
    if ("on_user_change",) not in resource.marks:
        message = f"'{resource.id}' removes only what converge installed: {resource.type} keeps users' changes"
        mark = resource.mark_of("with", "ensure")
        hint = "set `on_user_change: overwrite` to remove it everywhere, or `on_user_change: keep` to confirm"
        report.warning("kept-absence", message, mark, hint=hint)


def _check_claims(literals: Sequence[_Literal], report: Report) -> None:
    """Report pairs of resources that apply on every machine and set different values for one field."""
    owners: dict[tuple[str, str], tuple[_Literal, Claim]] = {}
    for literal in filter(_is_unconditional, literals):
        for claim in _parts(literal.claims):
            owner, owned = owners.setdefault((claim.thing.recorded, claim.field), (literal, claim))
            meet = not owner.resource.events.isdisjoint(literal.resource.events)
            if meet and claim.value != owned.value:
                _report_conflict(literal, claim, owner, report)


def _parts(claims: Sequence[Claim]) -> Iterator[Claim]:
    """The claims with a known value, split into the parts of a map; None as the value of a part means unset."""
    for claim in claims:
        if claim.value is None or isinstance(claim.value, Depends):
            continue
        yield from (evolve(claim, field=part, value=value) for part, value in parts_of(claim.field, claim.value))


def _is_unconditional(literal: _Literal) -> bool:
    resource = literal.resource
    if resource.apply is not Policy.ALWAYS or resource.only_if or resource.when not in (None, "true"):
        return False
    return not literal.provider.implied_only_if(literal.spec)


def _report_conflict(literal: _Literal, claim: Claim, owner: _Literal, report: Report) -> None:
    field, what = claim.field.partition("[")[0], f"{claim.field} of {claim.thing.words}"
    report.error(
        "claim-conflict",
        f"'{literal.id}' and '{owner.id}' always apply, and set different values for {what}",
        literal.resource.mark_of("with", field),
        hint="set it in one of them only, or give them `when` conditions that exclude each other",
        related=(Related(f"'{owner.id}' sets it here", owner.resource.mark_of("with", field)),),
    )
