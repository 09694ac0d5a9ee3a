"""What has the machine swap there at each boot: a unit (systemd.swap(5)), or a line in /etc/fstab."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from converge.providers.swap.base import FSTAB, NEVER, UNIT, Spec, node
from converge.system import ReadOnlySystem, System, unitfiles
from converge.system.text.fstab import Fstab
from converge.system.text.inifile import Inifile

FILE = "/etc/fstab"
TARGET = "swap.target"
DISCARD_BOTH = "both"
BY_HAND = "noauto"
"""The option of a line that the boot passes over."""

_PRIORITY = re.compile(r"(?:pri|priority)=(-?[0-9]+)")
_DISCARD = re.compile(r"discard(?:=(once|pages))?")
_RULED = re.compile(f"{_PRIORITY.pattern}|{_DISCARD.pattern}")
_NEW_UNIT = """\
[Unit]
Description=Swap at {what}

[Swap]
What={what}

[Install]
WantedBy={target}
"""


def found(system: ReadOnlySystem, spec: Spec) -> dict[str, Any]:
    """The state fields `at_boot`, `priority` and `discard`.

    A unit file rules over what systemd makes of a line in fstab. One that is masked, or is about another place, starts
    nothing.
    """
    sight = unitfiles.look(system, _name(system, spec))
    if sight.mask:
        return {"at_boot": NEVER, **_settings(())}
    data = _bytes(sight.unit.text if sight.unit else None)
    if _value(data, "What") == _what(system, spec) and _links(system, spec):
        return {"at_boot": UNIT, **_settings(_options_of_unit(data))}
    line = _fstab(system).find(_names(system, spec))
    if line is not None and BY_HAND not in line.options:
        return {"at_boot": FSTAB, **_settings(line.options)}
    return {"at_boot": NEVER, **_settings(())}


def _names(system: ReadOnlySystem, spec: Spec) -> tuple[str, ...]:
    """What a line of fstab may call it; the first is the one that we use."""
    return tuple(dict.fromkeys((*([node(system, spec)] if spec.path else []), spec.source, spec.node)))


def _what(system: ReadOnlySystem, spec: Spec) -> str:
    """What a unit calls it, in which a percent sign begins a specifier (systemd.unit(5)). Its own name says the same."""
    return node(system, spec).replace("%", "%%")


def _name(system: ReadOnlySystem, spec: Spec) -> str:
    return f"{unitfiles.escaped(node(system, spec))}.swap"


def _links(system: ReadOnlySystem, spec: Spec) -> list[str]:
    """The links that have the unit started, by whatever it is wanted."""
    paths = (f"{folder}/{_name(system, spec)}" for folder in unitfiles.link_folders(system))
    return [path for path in paths if system.read_link(path) is not None]


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
    """Those in Options= rule over Priority= (systemd.swap(5))."""
    options = (_value(data, "Options") or "").split(",")
    priority = _value(data, "Priority")
    return (*([f"pri={priority}"] if priority else []), *options)


def _bytes(text: str | None) -> bytes:
    return (text or "").encode("utf-8", "surrogateescape")


def _value(data: bytes, key: str) -> str | None:
    file = Inifile.parse(data)
    lines = file.find("Swap", key)
    return file.value(lines[-1]) if lines else None


def change(system: System, spec: Spec, after: dict[str, Any]) -> None:
    """Make the changes to `at_boot`, `priority` and `discard`. What comes is there before what it replaces goes."""
    wanted = {name: after.get(name, value) for name, value in found(system, spec).items()}
    unit = f"{unitfiles.CONFIG}/{_name(system, spec)}"
    if wanted["at_boot"] == UNIT:
        _put_unit(system, unit, spec, wanted)
        system.make_link(f"{unitfiles.CONFIG}/{TARGET}.wants/{_name(system, spec)}", unit)
    else:
        _put_line(system, spec, wanted)
        for path in (*_links(system, spec), unit):
            system.remove(path)
    if wanted["at_boot"] != FSTAB:
        _drop_line(system, spec)


def _put_unit(system: System, path: str, spec: Spec, wanted: dict[str, Any]) -> None:
    data = _unit(system, _bytes(unitfiles.text_of(system, path)), spec, wanted)
    if system.read_link(path) is not None:  # nothing is written to where it leads, and that may be /dev/null
        system.remove(path)
    system.write(path, data)


def _fstab(system: ReadOnlySystem) -> Fstab:
    return Fstab.parse(system.read(FILE) or b"")


def _put_line(system: System, spec: Spec, wanted: dict[str, Any]) -> None:
    """The line as it is wanted. A foreign one that is not stays, and is passed over by the boot."""
    file, names = _fstab(system), _names(system, spec)
    line = file.find(names)
    if wanted["at_boot"] == FSTAB:
        file.put(names, _with_settings(line.options if line else (), wanted))
    elif line and not line.ours and BY_HAND not in line.options:
        file.put(names, (*line.options, BY_HAND))
    else:
        return
    system.write(FILE, file.dump())


def _drop_line(system: System, spec: Spec) -> None:
    """Remove the line if it is ours."""
    file = _fstab(system)
    file.drop(_names(system, spec))
    if system.stat(FILE):
        system.write(FILE, file.dump())


def _with_settings(options: Iterable[str], wanted: dict[str, Any]) -> Iterator[str]:
    """The options, those about priority and discarding as they are wanted, and all others as they were."""
    yield from (each for each in options if each not in ("", BY_HAND) and not _RULED.fullmatch(each))
    if wanted["priority"] is not None:
        yield f"pri={wanted['priority']}"
    if wanted["discard"] is not None:
        yield "discard" if wanted["discard"] == DISCARD_BOTH else f"discard={wanted['discard']}"


def _unit(system: ReadOnlySystem, data: bytes, spec: Spec, wanted: dict[str, Any]) -> bytes:
    """The unit file: a new one, or the one that is there with other settings."""
    what = _what(system, spec)
    file = Inifile.parse(data or _NEW_UNIT.format(what=what, target=TARGET).encode())
    options = (_value(file.dump(), "Options") or "").split(",")
    _set(file, "What", what)
    _set(file, "Options", ",".join(_with_settings(options, {**wanted, "priority": None})))
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
