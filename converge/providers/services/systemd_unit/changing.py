"""Change a unit's files and links, and compute the effects for the end of the run."""

from collections.abc import Iterator, Mapping
from typing import Any

from converge.model import Change, Effect, EffectKind
from converge.providers.protocol import ABSENT, values
from converge.providers.services.systemd_unit.spec import Spec
from converge.system import System, systemd, unitfiles
from converge.system.contents import content_of

AFTER = {"restart": EffectKind.RESTART, "reload": EffectKind.RELOAD}
"""The effect of a change if the unit runs."""


def change(system: System, spec: Spec, changes: tuple[Change, ...]) -> None:
    """Make the changes in an order in which systemctl finds the files, and no mask: it ignores masked units."""
    after: Mapping[str, Any] = values(changes)
    gone = after.get("ensure") == ABSENT
    if after.get("masked") is False:
        _systemctl(system, "unmask", spec)
    if gone or after.get("enabled") is False:
        _systemctl(system, "disable", spec)
    if gone or "content" in after:
        _write(system, spec.path, spec.unit_file(system), None if gone else after["content"])
    for name, address in after.get("drop_ins", {}).items():
        declared = spec.drop_ins.get(name)
        _write(system, spec.drop_in_path(name), None if declared is None else declared.encode(), address)
    _link(system, spec, changes)
    if after.get("masked"):
        _systemctl(system, "mask", spec)


def _write(system: System, path: str, declared: bytes | None, address: str | None) -> None:
    if address is None:
        system.remove(path)
    else:
        system.write(path, content_of(system, declared, address))


def _link(system: System, spec: Spec, changes: tuple[Change, ...]) -> None:
    """Make the links in the [Install] section, and remove those of the former section.

    An enabled unit always keeps at least one link, so that a killed run does not leave it disabled.
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
    """Run systemctl on the files, and sync them, because it does not."""
    systemd.require(system.run(["systemctl", "--root={root}", verb, "--", spec.name], view="beside"))
    for folder in (unitfiles.CONFIG, *unitfiles.link_folders(system)):
        system.sync_folder(folder)


def effects(spec: Spec, after: Mapping[str, Any]) -> Iterator[Effect]:
    if after.keys() - {"running"}:  # it may follow a `file` that writes a drop-in
        yield Effect(EffectKind.DAEMON_RELOAD)
    if after.get("ensure") == ABSENT:
        yield Effect(EffectKind.STOP, spec.name)
    elif "running" in after:
        yield Effect(EffectKind.START if after["running"] else EffectKind.STOP, spec.name)
    elif "ensure" not in after and after.keys() & {"content", "drop_ins", "restarted"} and spec.on_change in AFTER:
        yield Effect(AFTER[spec.on_change], spec.name)
    if after.get("enabled") and spec.running is None:
        yield Effect(EffectKind.BOOT_START, spec.name)
