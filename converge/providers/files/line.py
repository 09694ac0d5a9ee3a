"""A line of a text file. Owns the lines of the file at `path` that equal `line`, or in which `pattern` is found.

Of those the last one is the line that is managed; without any, it is put where `before` or `after` say, or at the end.
The rest of the file stays to the letter: line ends, bytes that are no UTF-8, a last line without an end.
"""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from converge.errors import ProviderError
from converge.formats.lines import Lines
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.files.patterns import checked_pattern, matching
from converge.providers.protocol import (
    ABSENT,
    MISSING_FILE,
    PRESENT,
    Params,
    checked_path,
    compare,
    domain_of_path,
    every_field,
    keep_told,
    meant,
    put_back,
    require_file,
    text_to_change,
    told,
    told_lines,
    values,
    write_changed,
)
from converge.system import ReadOnlySystem, System

TYPE = "line"
GROUPS = (("ensure", "line", "record", "missing"),)

START, END = "BOF", "EOF"


@frozen
class Spec:
    path: str = field(converter=checked_path)
    line: str | None = None
    pattern: str | None = None
    ensure: Literal["present", "absent"] = "present"
    before: str | None = None
    after: str | None = None
    create: bool = False


@frozen
class State:
    """`record` says which lines `ensure: absent` is to remove, and the address of what they can be put back from."""

    ensure: str
    line: str | None = None
    record: str | None = None
    missing: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.line is None and (spec.ensure == PRESENT or spec.pattern is None):
        raise ProviderError(
            "there is no `line` to be there", hint="write the line; only `absent` can do with a pattern"
        )
    if spec.line is not None and ("\n" in spec.line or "\r" in spec.line):
        raise ProviderError("`line` has a line break in it", hint="write one line, without a line break at its end")
    if None not in (spec.before, spec.after):
        raise ProviderError("before and after exclude each other", hint="keep one of them")
    for pattern in (spec.pattern, spec.before, spec.after):
        checked_pattern(pattern or "")
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    wanted: dict[str, Value] = {"ensure": spec.ensure}
    if spec.ensure == PRESENT:
        wanted["line"] = told(spec.line or "")
    thing = f"{spec.path} ({told(spec.pattern or spec.line or '')})"
    return tuple(Claim("path", thing, name, value) for name, value in wanted.items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return every_field(State, domain_of_path(system, spec.path))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    data = system.read(spec.path)
    if data is None:
        return State(ABSENT, missing=MISSING_FILE)
    lines = Lines.parse(data)
    found = _managed(spec, lines)
    if not found:
        return State(ABSENT)
    return State(PRESENT, told(lines.texts[found[-1]]), told_lines(lines, found) if spec.ensure == ABSENT else None)


def _managed(spec: Spec, lines: Lines) -> list[int]:
    """The numbers of the lines that equal the line or match the pattern."""
    found = set(matching(spec.pattern, lines.texts)) if spec.pattern is not None else set()
    return sorted(found | {number for number, text in enumerate(lines.texts) if text == spec.line})


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if spec.ensure == ABSENT:
        return (*compare({"ensure": ABSENT}, state), *compare({"line": None, "record": None}, state))
    require_file(spec.path, state.missing, create=spec.create)
    return compare({"ensure": PRESENT, "line": told(spec.line or ""), "missing": None}, state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: Mapping[str, Any] = values(changes)
    data = text_to_change(system, spec.path, after)
    if data is None:
        return ()
    lines = Lines.parse(data)
    _change(system, spec, lines, after)
    write_changed(system, spec.path, lines.dump(), after)
    return ()


def _change(system: System, spec: Spec, lines: Lines, after: Mapping[str, Any]) -> None:
    found = _managed(spec, lines)
    if after.get("ensure") == ABSENT:
        system.keep(lines.record(found))
        lines.remove(found)
    elif after.get("record"):
        put_back(system, lines, lambda: _managed(spec, lines), after["record"])
    elif "line" in after:
        _put(system, spec, lines, found, meant(system, after["line"], spec.line))


def _put(system: System, spec: Spec, lines: Lines, found: list[int], text: str) -> None:
    if not found:
        lines.insert(_place(spec, lines), text)
    elif (former := lines.texts[found[-1]]) != text:
        keep_told(system, former)
        lines.replace(found[-1], text)


def _place(spec: Spec, lines: Lines) -> int:
    """Before or after the last line in which the pattern for that is found; at the end without any."""
    if spec.before == START:
        return 0
    pattern = spec.before if spec.before is not None else spec.after
    found = matching(pattern, lines.texts) if pattern not in (None, END) else []
    return found[-1] + (spec.before is None) if found else len(lines.texts)
