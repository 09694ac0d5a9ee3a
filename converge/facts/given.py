"""Facts that are given in a file (`--facts FILE`): any fact or probe, also under a foreign root.

Names are dotted or nested (`disk: {size: 64GiB}`); a probe is written as a call (`exists("/x"): true`, or
`flatpak("org.gimp.GIMP").origin: flathub`).
"""

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from converge.diagnostics import did_you_mean
from converge.errors import UsageError
from converge.facts.fact import Fact, Probe
from converge.language.expressions import ExpressionError, Found, Type, parse_call
from converge.model import Value, Version
from converge.values import parse_size

Call = tuple[str, tuple[Found, ...]]
"""A probe and its arguments."""


@frozen
class Given:
    """Values by fact, and by probe with arguments; a record may be given in part."""

    facts: Mapping[str, Found] = field(factory=dict)
    probes: Mapping[Call, Found] = field(factory=dict)


def read_given(values: Mapping[str, Value], facts: Mapping[str, Fact], probes: Mapping[str, Probe]) -> Given:
    """Raises UsageError for an unknown name, and for a value of the wrong type."""
    known: dict[str, Found] = {}
    calls: dict[Call, Found] = {}
    for name, value in _flat(values, ""):
        if "(" in name:
            _read_probe(name, value, probes, calls)
        elif name in facts:
            known[name] = _typed(name, value, facts[name].type)
        else:
            hint = did_you_mean(name, list(facts)) or "run `converge facts` for a list"
            raise UsageError(f"there is no fact '{name}'", hint=hint)
    return Given(known, calls)


def _flat(values: Mapping[str, Value], prefix: str) -> Iterator[tuple[str, Value]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and "(" not in name:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _read_probe(name: str, value: Value, probes: Mapping[str, Probe], calls: dict[Call, Found]) -> None:
    try:
        probe, arguments, part = parse_call(name)
    except ExpressionError as error:
        raise UsageError(f"'{name}' is not a probe: {error.message}", hint=error.hint) from error
    if probe not in probes:
        hint = did_you_mean(probe, list(probes)) or "run `converge explain expressions` for a list"
        raise UsageError(f"there is no probe '{probe}'", hint=hint)
    type_, key = probes[probe].type, (probe, arguments)
    if type_.kind != "record":
        calls[key] = _typed(name, value, type_)
        return
    parts = value if isinstance(value, Mapping) and part is None else {part or "": value}
    before = calls.get(key)
    typed = {each: _field(name, each, found, type_) for each, found in parts.items()}
    calls[key] = {**before, **typed} if isinstance(before, Mapping) else typed


def _field(name: str, part: str, value: Value, type_: Type) -> Found:
    if part not in type_.fields:
        raise UsageError(f"'{name}' has no field '{part}'", hint=f"name one of its fields: {', '.join(type_.fields)}")
    return _typed(f"{name}.{part}", value, type_.fields[part])


def _typed(name: str, value: Value, type_: Type) -> Found:
    try:
        return _converted(value, type_)
    except ValueError as error:
        message = f"the fact '{name}' must be {type_.described}, not {value!r}"
        raise UsageError(message, hint=str(error) or None) from None


def _converted(value: Value, type_: Type) -> Found:
    if value is None and type_.optional:
        return None
    if type_.kind == "version" and isinstance(value, str | None):
        return Version(value)
    if type_.kind == "size" and isinstance(value, str):
        return parse_size(value)
    if type_.kind == "list" and isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(value, bool) is (type_.kind == "boolean") and isinstance(value, _PLAIN.get(type_.kind, ())):
        return value
    raise ValueError


_PLAIN: Mapping[str, type] = {"boolean": bool, "integer": int, "size": int, "text": str}
