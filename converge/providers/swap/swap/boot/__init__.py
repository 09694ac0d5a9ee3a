"""The configuration that turns a swap on at each boot: a unit (systemd.swap(5)), or a line in /etc/fstab."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from converge.formats.fstab import Fstab
from converge.providers.swap.swap.boot.unit import SwapUnit
from converge.providers.swap.swap.spec import AUTO, FSTAB, NEVER, UNIT, Spec, node
from converge.system import ReadOnlySystem, System, disks, unitfiles

FILE = "/etc/fstab"
GENERATED = "/run/systemd/generator.late"
LINKS = f"{unitfiles.CONFIG}/swap.target.wants"
DISCARD_BOTH = "both"
BY_HAND = "noauto"
"""The option of a line that the boot ignores."""
UNAWAITED = "nofail"
"""The option of a line that the boot does not wait for; it would wait 90 seconds for a missing partition."""

_PRIORITY = re.compile(r"(?:pri|priority)=(-?[0-9]+)")
_DISCARD = re.compile(r"discard(?:=(once|pages))?")


def found(system: ReadOnlySystem, spec: Spec) -> dict[str, Any]:
    """The state fields `at_boot`, `priority` and `discard`.

    A unit file overrides the unit that systemd generates from fstab. A masked unit, or one for another place, starts
    nothing.
    """
    sight = unitfiles.look(system, _name(system, spec))
    if sight.mask:
        return {"at_boot": NEVER, **_settings(())}
    unit = SwapUnit.parse(sight.unit.text if sight.unit else "")
    if unit.is_about(node(system, spec)) and _links(system, spec):
        return {"at_boot": UNIT, **_settings(unit.options)}
    line = _fstab(system).find(_names(system, spec))
    if line is not None and BY_HAND not in line.options:
        return {"at_boot": FSTAB, **_settings(line.options)}
    return {"at_boot": AUTO if _is_automatic(system, spec) else NEVER, **_settings(())}


def _is_automatic(system: ReadOnlySystem, spec: Spec) -> bool:
    """Whether systemd swaps to the partition because of its type, in this boot and in the next."""
    if spec.path or not system.live or _fstab(system).has_any:
        return False
    unit = f"{unitfiles.escaped(system.resolve(spec.node))}.swap"
    return system.stat(f"{GENERATED}/{unit}") is not None


def _names(system: ReadOnlySystem, spec: Spec) -> tuple[str, ...]:
    """The names that fstab may have for it; we use the first one."""
    own = node(system, spec) if spec.path else spec.source
    others = () if spec.path else disks.names_of(system.hardware, spec.node) if system.live else ()
    return tuple(dict.fromkeys((own, spec.source, spec.node, *others)))


def _name(system: ReadOnlySystem, spec: Spec) -> str:
    return f"{unitfiles.escaped(node(system, spec))}.swap"


def _links(system: ReadOnlySystem, spec: Spec) -> list[str]:
    """The links that start the unit, in the folder of any other unit."""
    paths = (f"{folder}/{_name(system, spec)}" for folder in unitfiles.link_folders(system))
    return [path for path in paths if system.read_link(path) is not None]


def _settings(options: tuple[str, ...]) -> dict[str, Any]:
    """The last one of several settings counts."""
    settings: dict[str, Any] = {"priority": None, "discard": None}
    for option in options:
        if matched := _PRIORITY.fullmatch(option):
            settings["priority"] = int(matched[1])
        elif matched := _DISCARD.fullmatch(option):
            settings["discard"] = matched[1] or DISCARD_BOTH
    return settings


def change(system: System, spec: Spec, after: dict[str, Any]) -> None:
    """Make the changes to `at_boot`, `priority` and `discard`. The new configuration is written before the old goes."""
    wanted = {name: after.get(name, value) for name, value in found(system, spec).items()}
    unit = f"{unitfiles.CONFIG}/{_name(system, spec)}"
    if wanted["at_boot"] == UNIT:
        _put_unit(system, unit, spec, wanted)
        system.make_link(f"{LINKS}/{_name(system, spec)}", unit)
    else:
        _put_line(system, spec, wanted)
        for path in (*_links(system, spec), unit):
            system.remove(path)
    if wanted["at_boot"] != FSTAB:
        _drop_line(system, spec, by_hand=wanted["at_boot"] != NEVER)


def _put_unit(system: System, path: str, spec: Spec, wanted: dict[str, Any]) -> None:
    text, what = unitfiles.text_of(system, path), node(system, spec)
    unit = SwapUnit.parse(text) if text else SwapUnit.new(what)
    unit.put(what, tuple(_with_settings(unit.options, {**wanted, "priority": None})), wanted["priority"])
    if system.read_link(path) is not None:  # a link is not written through: it may lead to /dev/null
        system.remove(path)
    system.write(path, unit.dump())


def _fstab(system: ReadOnlySystem) -> Fstab:
    return Fstab.parse(system.read(FILE) or b"")


def _put_line(system: System, spec: Spec, wanted: dict[str, Any]) -> None:
    """Write the line as requested. An unwanted line of the user stays, with an option to make the boot ignore it."""
    file, names = _fstab(system), _names(system, spec)
    line = file.find(names)
    if wanted["at_boot"] == FSTAB:
        new = (UNAWAITED,) if spec.device else ()
        file.put(names, _with_settings(line.options if line else new, wanted))
    elif line and not line.ours and BY_HAND not in line.options:
        file.put(names, (*line.options, BY_HAND))
    elif wanted["at_boot"] == NEVER and _is_automatic(system, spec):
        file.put(names, (BY_HAND,))
    else:
        return
    system.write(FILE, file.dump())


def _drop_line(system: System, spec: Spec, *, by_hand: bool) -> None:
    """Remove the line if it is ours; `by_hand`: also one that the boot ignores."""
    file, names = _fstab(system), _names(system, spec)
    line = file.find(names)
    if by_hand or line is None or BY_HAND not in line.options:
        file.drop(names)
    if system.stat(FILE):
        system.write(FILE, file.dump())


def _with_settings(options: Iterable[str], wanted: dict[str, Any]) -> Iterator[str]:
    """The options, with priority and discard as requested, and all others unchanged."""
    owned = (_PRIORITY, _DISCARD)
    yield from (each for each in options if each != BY_HAND and not any(rule.fullmatch(each) for rule in owned))
    if wanted["priority"] is not None:
        yield f"pri={wanted['priority']}"
    if wanted["discard"] is not None:
        yield "discard" if wanted["discard"] == DISCARD_BOTH else f"discard={wanted['discard']}"
