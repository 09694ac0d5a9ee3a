"""What can be evaluated without a machine is, and the providers are asked what they make of it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from attrs import evolve, frozen

from converge.checks.base import variants
from converge.diagnostics import Related, Report
from converge.errors import ConvergeError
from converge.language.expressions import ExpressionError, evaluate_within, parameter_value, unknown_within
from converge.model import (
    Asset,
    Claim,
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
from converge.providers import registry as providers
from converge.providers.protocol import ABSENT, AnyProvider, optional, parts_of

_ON_THE_MACHINE = Unknown("it depends on the machine")
_STAND_IN = Secret("stand-in")


@frozen
class _Known:
    """The environment of an evaluation that knows parameters and `item`, and nothing of a machine."""

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
    """A resource, or an element of one, whose parameters are all known, as its provider understands them."""

    id: str
    resource: Resource
    provider: AnyProvider
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
    """Of a secret that awaits its value a stand-in: that there is one may count, what it is may not."""
    return _STAND_IN if parameter.type == "secret" and parameter.value is None else parameter_value(parameter)


def _instances(product: Product, known: _Known, report: Report) -> Iterator[tuple[str, Resource, _Known]]:
    """The resources, and elements of resources, in which no fault was found: providers would only say it again."""
    faults = {(error.mark.filename, error.mark.line) for error in report.errors if error.mark is not None}
    for resource in product.resources.values():
        for key, item in _elements(resource, known, report) if _is_sound(resource, faults) else ():
            id_ = resource.id if key is None else f"{resource.id}[{key}]"
            chosen = product.overridden.get(resource.id, {}).get(key or "", resource)
            if id_ not in product.dropped and _is_sound(chosen, faults):
                yield id_, chosen, known if key is None else known.with_item(item)


def _is_sound(resource: Resource, faults: AbstractSet[tuple[str, int]]) -> bool:
    return faults.isdisjoint((mark.filename, mark.line) for mark in (resource.mark, *resource.marks.values()))


def _literal(id_: str, resource: Resource, known: _Known, report: Report) -> _Literal | None:
    """The resource as its provider understands it; None where a machine must say what it wants, or it is at fault."""
    try:
        provider = providers.load(resource.type)
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
    """The keys and items of `for_each`, none where a machine must say; a pair without a key where there is none."""
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


def _check_files(resource: Resource, values: dict[str, Any], provider: AnyProvider, report: Report) -> bool:
    """Turn paths beside the manifest into assets; returns whether a file or a folder is missing."""
    missing = False
    files, folders = (optional(provider, name, ()) for name in ("FILES", "FOLDERS"))
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
            hint = f"files are looked for beside {os.path.basename(mark.filename)}; a machine's path begins with '/'"
            report.error("missing-file", message, mark, hint=hint)
    return missing


def _check_absence(resource: Resource, report: Report) -> None:
    """What a user has installed counts as the user's, so that `keep`, the default of some types, never removes it."""
    if resource.with_.get("ensure") != ABSENT or resource.on_user_change is not OnUserChange.KEEP:
        return
    if ("on_user_change",) not in resource.marks:
        message = f"'{resource.id}' removes only what converge itself put there: {resource.type} keeps what users have"
        mark = resource.mark_of("with", "ensure")
        hint = "say `on_user_change: overwrite` to remove it everywhere, or `keep` if this is meant"
        report.warning("kept-absence", message, mark, hint=hint)


def _check_claims(literals: Sequence[_Literal], report: Report) -> None:
    """Report pairs of resources that always apply, whatever the machine, and want different values for one field."""
    owners: dict[tuple[str, str, str], tuple[_Literal, Claim]] = {}
    for literal in filter(_is_unconditional, literals):
        for claim in _parts(literal.claims):
            owner, owned = owners.setdefault((claim.kind, claim.thing, claim.field), (literal, claim))
            meet = not owner.resource.events.isdisjoint(literal.resource.events)
            if meet and claim.value != owned.value:
                _report_conflict(literal, claim, owner, report)


def _parts(claims: Sequence[Claim]) -> Iterator[Claim]:
    """The claims whose values are known, of maps each part; a part that is None is to be unset."""
    for claim in claims:
        if claim.value is None:
            continue
        yield from (evolve(claim, field=part, value=value) for part, value in parts_of(claim.field, claim.value))


def _is_unconditional(literal: _Literal) -> bool:
    resource = literal.resource
    if resource.apply is not Policy.ALWAYS or resource.only_if or resource.when not in (None, "true"):
        return False
    implied = optional(literal.provider, "implied_only_if", None)
    return not (implied and implied(literal.spec))


def _report_conflict(literal: _Literal, claim: Claim, owner: _Literal, report: Report) -> None:
    field = claim.field.partition("[")[0]
    report.error(
        "claim-conflict",
        f"'{literal.id}' and '{owner.id}' want different values for {claim.field} of {claim.kind} {claim.thing}",
        literal.resource.mark_of("with", field),
        hint="both always apply: leave the field to one of them, or give them conditions that exclude each other",
        related=(Related(f"'{owner.id}' is here", owner.resource.mark_of("with", field)),),
    )
