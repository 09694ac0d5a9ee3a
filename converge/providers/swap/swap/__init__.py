"""What the machine swaps to: a file, or a partition that has been made for it.

Owns the file and that the machine swaps to it now (the machine's domain), and what has it do so at each boot, with its
priority: a `.swap` unit in /etc/systemd/system or a line in /etc/fstab (the deployment's). Of a partition it owns the
latter, and that it is in use, but never what is on it.

In use, a swap file can be neither written nor removed. So it is left first (swapoff(8)), which waits where memory would
not hold what is in it. A file of another size is made anew: it then lies in one piece, and needs no more room.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect, EffectKind, Value
from converge.providers.protocol import ABSENT, PRESENT, Params, differing, domain_of_path, values
from converge.providers.swap import swaps
from converge.providers.swap.swap import boot, finding
from converge.providers.swap.swap.base import AUTO, MODE, NEVER, SMALLEST, Spec, State, checked
from converge.providers.swap.swap.refusing import is_left, refuse
from converge.system import ReadOnlySystem, System

TYPE = "swap"
OF_FILE = ("ensure", "size", "mode")
AT_BOOT = ("at_boot", "priority", "discard")
GROUPS = (OF_FILE, AT_BOOT)
MADE_ANEW = ("size",)


def parse(params: Params) -> Spec:
    return checked(params)


def claims(spec: Spec) -> tuple[Claim, ...]:
    kind, thing = ("path", spec.path) if spec.path else ("swap", spec.source)
    wanted = {**_wanted(spec), **({} if spec.percent is None else {"size": None})}
    if spec.ensure == PRESENT or spec.device:
        wanted["active"] = spec.ensure == PRESENT
    return tuple(Claim(kind, str(thing), name, value) for name, value in wanted.items())


def _wanted(spec: Spec) -> dict[str, Value]:
    """The fields that are asked for, but for what depends on the machine."""
    ensure: dict[str, Value] = {} if spec.device else {"ensure": spec.ensure}
    if spec.ensure == ABSENT:
        return {**ensure, "at_boot": NEVER}
    size: dict[str, Value] = {} if spec.size is None else {"size": spec.size}
    mode: dict[str, Value] = {"mode": MODE} if spec.path else {}
    settings = {"priority": spec.priority, "discard": spec.discard} if spec.at_boot != NEVER else {}
    given = {name: value for name, value in settings.items() if value is not None}
    return {**ensure, **size, **mode, "at_boot": spec.at_boot, **given}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    of_file = domain_of_path(system, spec.path) if spec.path else Domain.DEPLOYMENT
    return {**dict.fromkeys((*OF_FILE, "active"), of_file), **dict.fromkeys(AT_BOOT, Domain.DEPLOYMENT)}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    return finding.state(system, spec, boot.found(system, spec))


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    wanted = _wanted(spec)
    if spec.percent is not None:
        wanted["size"] = _share(spec, state.total)
    if state.active is not None:
        wanted["active"] = spec.ensure == PRESENT
    changes = differing(wanted, state)
    refuse(spec, state, values(changes))
    return changes


def _share(spec: Spec, total: int) -> int:
    """`percent` of the file system within its bounds, in whole MiB, so that it is the same at each run."""
    share = total * (spec.percent or 0) // 100 // SMALLEST * SMALLEST
    return max(spec.minimum or SMALLEST, min(share, spec.maximum or share))


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: dict[str, Any] = values(changes)
    used = system.live and finding.in_use(system, spec) is not None
    if used and is_left(after):
        swaps.turn_off(system, finding.place(system, spec))
    try:
        _change(system, spec, changes)
    except ProviderError:
        if used:
            with suppress(ProviderError):
                _turn_on(system, spec)
        raise
    if system.live and after.get("active", used and after.get("ensure") != ABSENT):
        _turn_on(system, spec)
    return (Effect(EffectKind.DAEMON_RELOAD),) if _is_of_boot(after) else ()


def _change(system: System, spec: Spec, changes: tuple[Change, ...]) -> None:
    """Where a new file cannot be made, there is one of the old size again: a machine is not to be left without."""
    after, before = values(changes), {change.field: change.before for change in changes}
    try:
        _change_file(system, spec, after)
    except ProviderError:
        with suppress(ProviderError):
            if spec.path and system.stat(spec.path) is None:
                _change_file(system, spec, before)
        raise
    if _is_of_boot(after):
        boot.change(system, spec, dict(after))


def _change_file(system: System, spec: Spec, wanted: Mapping[str, Any]) -> None:
    if spec.path and (wanted.get("ensure") == ABSENT or "size" in wanted):
        if finding.is_swap_file(system, spec.path):  # anything else there is somebody's
            system.delete(system.resolve(spec.path))
        system.delete(system.unfinished(spec.path))
    if spec.path and wanted.get("size"):
        system.make_swap_file(spec.path, wanted["size"], no_copy_on_write=finding.filesystem(system, spec) == "btrfs")
    if spec.path and wanted.get("mode"):
        system.set_mode(system.resolve(spec.path), int(wanted["mode"], 8))


def _is_of_boot(after: Mapping[str, Any]) -> bool:
    return not after.keys().isdisjoint(AT_BOOT)


def _turn_on(system: System, spec: Spec) -> None:
    """With the settings of the boot, or, where that is to leave it alone, those that are asked for."""
    if finding.in_use(system, spec) is None:
        found = State(None, **boot.found(system, spec))
        given = spec if found.at_boot in (NEVER, AUTO) else found
        swaps.turn_on(system, finding.place(system, spec), priority=given.priority, discard=given.discard)
