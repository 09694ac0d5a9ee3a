"""What has the machine swap there at each boot: a unit (systemd.swap(5)), or a line in /etc/fstab."""

import re
from collections.abc import Iterator
from typing import Any

from converge.providers.swap.base import FSTAB, NEVER, UNIT, Spec
from converge.system import ReadOnlySystem, System, unitfiles
from converge.system.text.fstab import Fstab
from converge.system.text.inifile import Inifile

FILE = "/etc/fstab"
TARGET = "swap.target"
DISCARD_BOTH = "both"

_PRIORITY = re.compile(r"(?:pri|priority)=(-?[0-9]+)")
_DISCARD = re.compile(r"discard(?:=(once|pages))?")
_NEW_UNIT = """\
[Unit]
Description=Swap at {node}

[Swap]
What={what}

[Install]
WantedBy={target}
"""


def found(system: ReadOnlySystem, spec: Spec) -> dict[str, Any]:
    """The state fields `at_boot`, `priority` and `discard`, and whether fstab has a line that is not ours."""
    line = _fstab(system).find(spec.source)
    foreign = {"foreign_line": line is not None and not line.ours}
    unit, link = _paths(spec)
    data = system.read(unit)
    if data is not None and system.read_link(link) is not None:
        return {"at_boot": UNIT, **_settings(_options_of_unit(data)), **foreign}
    if line is not None:
        return {"at_boot": FSTAB, **_settings(line.options), **foreign}
    return {"at_boot": NEVER, **_settings(()), **foreign}


def _settings(options: tuple[str, ...]) -> dict[str, Any]:
    """Of several settings the last one counts."""
    settings: dict[str, Any] = {"priority": None, "discard": None}
    for option in options:
        if matched := _PRIORITY.fullmatch(option):
            settings["priority"] = int(matched[1])
        elif matched := _DISCARD.fullmatch(option):
            settings["discard"] = matched[1] or DISCARD_BOTH
    return settings


def _options_of_unit(data: bytes) -> tuple[str, ...]:
    options = (_value(data, "Options") or "").split(",")
    priority = _value(data, "Priority")
    return (*options, *([f"pri={priority}"] if priority else []))


def _value(data: bytes, key: str) -> str | None:
    file = Inifile.parse(data)
    lines = file.find("Swap", key)
    return file.value(lines[-1]) if lines else None


def change(system: System, spec: Spec, after: dict[str, Any]) -> None:
    """Make the changes to `at_boot`, `priority` and `discard`. What comes is there before what it replaces goes."""
    wanted = {name: after.get(name, value) for name, value in found(system, spec).items()}
    unit, link = _paths(spec)
    if wanted["at_boot"] == UNIT:
        system.write(unit, _unit(system.read(unit), spec, wanted))
        system.make_link(link, unit)
    if wanted["at_boot"] == FSTAB:
        _put_line(system, spec.source, wanted)
    if wanted["at_boot"] != UNIT:
        system.remove(link)
        system.remove(unit)
    if wanted["at_boot"] != FSTAB and not wanted["foreign_line"]:
        _drop_line(system, spec.source)


def _fstab(system: ReadOnlySystem) -> Fstab:
    return Fstab.parse(system.read(FILE) or b"")


def _put_line(system: System, source: str, wanted: dict[str, Any]) -> None:
    file = _fstab(system)
    line = file.find(source)
    file.put(source, _with_settings(line.options if line else (), wanted))
    system.write(FILE, file.dump())


def _drop_line(system: System, source: str) -> None:
    file = _fstab(system)
    if file.find(source):
        file.drop(source)
        system.write(FILE, file.dump())


def _with_settings(options: tuple[str, ...], wanted: dict[str, Any]) -> Iterator[str]:
    """The options, those about priority and discarding as they are wanted, and all others as they were."""
    yield from (each for each in options if not _PRIORITY.fullmatch(each) and not _DISCARD.fullmatch(each) and each)
    if wanted["priority"] is not None:
        yield f"pri={wanted['priority']}"
    if wanted["discard"] is not None:
        yield "discard" if wanted["discard"] == DISCARD_BOTH else f"discard={wanted['discard']}"


def _unit(data: bytes | None, spec: Spec, wanted: dict[str, Any]) -> bytes:
    """The unit file: a new one, or the one that is there with other options."""
    new = _NEW_UNIT.format(node=spec.node.replace("%", "%%"), what=spec.node.replace("%", "%%"), target=TARGET)
    file = Inifile.parse(new.encode() if data is None else data)
    options = tuple((_value(file.dump(), "Options") or "").split(","))
    rest = {**wanted, "priority": None}
    _set(file, "Options", ",".join(_with_settings(options, rest)))
    _set(file, "Priority", "" if wanted["priority"] is None else str(wanted["priority"]))
    return file.dump()


def _set(file: Inifile, key: str, value: str) -> None:
    lines = file.find("Swap", key)
    if value and lines:
        file.set_value(lines[-1], value)
    elif value:
        file.add("Swap", key, value)
    else:
        file.lines.remove(lines)


def _paths(spec: Spec) -> tuple[str, str]:
    """The unit file, and the link that has it started."""
    name = f"{unitfiles.escaped(spec.node)}.swap"
    return f"{unitfiles.CONFIG}/{name}", f"{unitfiles.CONFIG}/{TARGET}.wants/{name}"
