"""Changing a unit's files and links, and what has to follow at the end of the run."""

from collections.abc import Iterator, Mapping
from typing import Any

from converge.model import Change, Effect, EffectKind
from converge.providers.protocol import ABSENT, content, values
from converge.providers.services.systemd_unit.base import Spec, wanted
from converge.system import System, systemd, unitfiles

AFTER = {"restart": EffectKind.RESTART, "reload": EffectKind.RELOAD}
"""What follows a change, where the unit runs."""


def change(system: System, spec: Spec, changes: tuple[Change, ...]) -> None:
    """Make the changes in an order in which systemctl finds what it needs, and nothing masked, which it passes over."""
    after: Mapping[str, Any] = values(changes)
    gone = after.get("ensure") == ABSENT
    if after.get("masked") is False:
        _systemctl(system, "unmask", spec)
    if gone or after.get("enabled") is False:
        _systemctl(system, "disable", spec)
    if gone or "content" in after:
        _write(system, spec.path, wanted(system, spec), None if gone else after["content"])
    for name, address in after.get("drop_ins", {}).items():
        asked = spec.drop_ins.get(name)
        _write(system, spec.drop_in_path(name), None if asked is None else asked.encode(), address)
    _link(system, spec, changes)
    if after.get("masked"):
        _systemctl(system, "mask", spec)


def _write(system: System, path: str, asked: bytes | None, address: str | None) -> None:
    if address is None:
        system.remove(path)
    else:
        system.write(path, content(system, asked, address))


def _link(system: System, spec: Spec, changes: tuple[Change, ...]) -> None:
    """Have the links made that [Install] asks for, and those removed that it asked for before.

    What is enabled never loses all of its links on the way, so a killed run does not leave it disabled.
    """
    after = values(changes)
    former = _links_of_former_content(system, spec, changes)
    if after.get("enabled") or ("enabled" not in after and former and unitfiles.is_linked(system, spec.name, former)):
        _systemctl(system, "enable", spec)
        sight = unitfiles.look(system, spec.name)
        texts = unitfiles.texts(system, spec.name, sight.unit.text if sight.unit else "")
        for path in former.keys() - unitfiles.links_asked(spec.name, texts):
            if unitfiles.leads_to(system, path, spec.name):
                system.remove(path)


def _links_of_former_content(system: System, spec: Spec, changes: tuple[Change, ...]) -> dict[str, None]:
    before = next((change.before for change in changes if change.field == "content"), None)
    kept = system.kept(before) if isinstance(before, str) else None
    return unitfiles.links_asked(spec.name, [(kept or b"").decode("utf-8", "surrogateescape")])


def _systemctl(system: System, verb: str, spec: Spec) -> None:
    """Run systemctl on the files; it leaves it to others that they reach the disk."""
    systemd.require(system.run(["systemctl", "--root={root}", verb, "--", spec.name], view="beside"))
    for folder in (unitfiles.CONFIG, *unitfiles.link_folders(system)):
        system.sync_folder(folder)


def effects(spec: Spec, after: Mapping[str, Any]) -> Iterator[Effect]:
    if after.keys() - {"running"}:  # what it follows may be a drop-in that `file` has written
        yield Effect(EffectKind.DAEMON_RELOAD)
    if after.get("ensure") == ABSENT:
        yield Effect(EffectKind.STOP, spec.name)
    elif "running" in after:
        yield Effect(EffectKind.START if after["running"] else EffectKind.STOP, spec.name)
    elif "ensure" not in after and after.keys() & {"content", "drop_ins", "restarted"} and spec.on_change in AFTER:
        yield Effect(AFTER[spec.on_change], spec.name)
    if after.get("enabled") and spec.running is None:
        yield Effect(EffectKind.BOOT_START, spec.name)
