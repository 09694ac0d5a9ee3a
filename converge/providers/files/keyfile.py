"""A key in an INI-like file. Owns the value of `key` in `group` of the file at `path`; without `group`, before any.

Values are taken literally: escapes and quotes of the file's own dialect are written as they are to stand there. Where a
key is set several times, the last line counts and is changed, and `ensure: absent` removes them all. Comments, order,
and groups and keys that nobody named stay to the letter, and so does the style of a line whose value changes.
"""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from converge.errors import ProviderError
from converge.formats.ini import Inifile
from converge.model import Change, Claim, Domain, Effect, Value
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

TYPE = "keyfile"
GROUPS = (("ensure", "value", "record", "missing"),)

MISSING_GROUP = "group"


@frozen
class Spec:
    path: str = field(converter=checked_path)
    key: str
    group: str | None = None
    value: str | None = None
    ensure: Literal["present", "absent"] = "present"
    create: bool = False


@frozen
class State:
    """`record` says which lines `ensure: absent` is to remove, and the address of what they can be put back from."""

    ensure: str
    value: str | None = None
    record: str | None = None
    missing: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.value is None and spec.ensure == PRESENT:
        raise ProviderError(f"there is no value for '{spec.key}'", hint="write the `value`, or `ensure: absent`")
    written = Inifile.parse(f"[{spec.group or ''}]\n{spec.key}={spec.value or ''}".encode())
    found = written.find(spec.group, spec.key)
    if not found or written.value(found[-1]) != (spec.value or ""):
        hint = "none has a line break or space around it, a key no '=', and a value no backslash at its end"
        raise ProviderError(f"'{spec.key}' cannot be written with this group, key and value", hint=hint)
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    wanted: dict[str, Value] = {"ensure": spec.ensure}
    if spec.ensure == PRESENT:
        wanted["value"] = told(spec.value or "")
    key = spec.key if spec.group is None else f"[{spec.group}] {spec.key}"
    return tuple(Claim("path", f"{spec.path} ({key})", name, value) for name, value in wanted.items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return every_field(State, domain_of_path(system, spec.path))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    data = system.read(spec.path)
    if data is None:
        return State(ABSENT, missing=MISSING_FILE)
    ini = Inifile.parse(data)
    found = ini.find(spec.group, spec.key)
    if not found:
        return State(ABSENT, missing=None if spec.group is None or ini.has_group(spec.group) else MISSING_GROUP)
    value = [_value(spec, ini, number) for number in found][-1]
    return State(PRESENT, told(value), told_lines(ini.lines, found) if spec.ensure == ABSENT else None)


def _value(spec: Spec, ini: Inifile, number: int) -> str:
    value = ini.value(number)
    if value is None:
        message = f"{spec.path}:{number + 1}: the value of '{spec.key}' goes on in the next line"
        raise ProviderError(message, hint="put it on one line first, or manage the whole `file`")
    return value


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if spec.ensure == ABSENT:
        return (*compare({"ensure": ABSENT}, state), *compare({"value": None, "record": None}, state))
    require_file(spec.path, state.missing, create=spec.create)
    return compare({"ensure": PRESENT, "value": told(spec.value or ""), "missing": None}, state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: Mapping[str, Any] = values(changes)
    data = text_to_change(system, spec.path, after)
    if data is None:
        return ()
    ini = Inifile.parse(data)
    if after.get("ensure") == ABSENT:
        _remove(system, spec, ini, after)
    elif not (after.get("record") and _put_back(system, spec, ini, after)) and "value" in after:
        _set(system, spec, ini, meant(system, after["value"], spec.value))
    write_changed(system, spec.path, ini.dump(), after)
    return ()


def _remove(system: System, spec: Spec, ini: Inifile, after: Mapping[str, Any]) -> None:
    found = ini.find(spec.group, spec.key)
    if found:
        keep_told(system, _value(spec, ini, found[-1]))
        system.keep(ini.lines.record(found))
        ini.lines.remove(found)
    if spec.group is not None and after.get("missing"):
        ini.remove_group_if_empty(spec.group)


def _put_back(system: System, spec: Spec, ini: Inifile, after: Mapping[str, Any]) -> bool:
    """Put the removed lines back where they were; False where that is no longer a place in their group."""
    now = Inifile.parse(ini.dump())
    if is_back := put_back(system, now.lines, lambda: now.find(spec.group, spec.key), after["record"]):
        ini.lines = now.lines
    return is_back


def _set(system: System, spec: Spec, ini: Inifile, value: str) -> None:
    found = ini.find(spec.group, spec.key)
    if found:
        keep_told(system, _value(spec, ini, found[-1]))
        ini.set_value(found[-1], value)
        return
    ini.add(spec.group, spec.key, value)
    if not ini.find(spec.group, spec.key):
        raise ProviderError(f"the last line of {spec.path} goes on, and there is no next one", hint="mend it by hand")
