"""What the machine swaps to: a file, or a partition that has been made for it.

Owns the file and that the machine swaps to it now (the machine's domain), and what has it do so at each boot, with its
priority: a `.swap` unit in /etc/systemd/system or a line in /etc/fstab (the deployment's). Of a partition it owns the
latter, and that it is in use, but never what is on it.

In use, a swap file can be neither written nor removed. So it is left first (swapoff(8)), which waits where memory would
not hold what is in it. A file of another size is made anew: it then lies in one piece, and needs no more room.
"""

from collections.abc import Mapping
from typing import Any

from converge.errors import Later, ProviderError
from converge.model import Change, Claim, Domain, Effect, EffectKind, Value
from converge.providers.base import ABSENT, PRESENT, Params, domain_of_path, values
from converge.providers.swap import boot, finding
from converge.providers.swap.base import NEVER, SMALLEST, Spec, State, checked
from converge.system import ReadOnlySystem, System, swaps
from converge.values import UNITS, size_words

TYPE = "swap"
GROUPS = (("ensure", "size"), ("at_boot", "priority", "discard"))
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
    settings = {"priority": spec.priority, "discard": spec.discard} if spec.at_boot != NEVER else {}
    given = {name: value for name, value in settings.items() if value is not None}
    return {**ensure, **size, "at_boot": spec.at_boot, **given}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    of_file = domain_of_path(system, spec.path) if spec.path else Domain.DEPLOYMENT
    of_boot = dict.fromkeys(("at_boot", "priority", "discard"), Domain.DEPLOYMENT)
    return {"ensure": of_file, "size": of_file, "active": of_file, **of_boot}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    return finding.state(system, spec, boot.found(system, spec))


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    wanted = _wanted(spec)
    if spec.percent is not None:
        wanted["size"] = _share(spec, state.total)
    if state.active is not None:
        wanted["active"] = spec.ensure == PRESENT
    changes = tuple(
        Change(name, live, wanted[name])
        for name in ("ensure", "size", "active", "at_boot", "priority", "discard")
        if name in wanted and (live := getattr(state, name)) != wanted[name]
    )
    _refuse(spec, state, values(changes))
    return changes


def _share(spec: Spec, total: int) -> int:
    """`percent` of the file system within its bounds, in whole MiB, so that it is the same at each run."""
    share = total * (spec.percent or 0) // 100 // SMALLEST * SMALLEST
    return max(spec.minimum or SMALLEST, min(share, spec.maximum or share))


def _refuse(spec: Spec, state: State, after: Mapping[str, Any]) -> None:
    """Errors, and Later, for changes that cannot be made; before any is made."""
    if after and spec.ensure == PRESENT and state.what:
        raise ProviderError(state.what, hint=finding.REMEDY)
    if state.resumes and _is_lost(after):
        hint = "first have `resume` dropped from the kernel arguments, or from the initramfs, and the machine restarted"
        raise ProviderError(f"the machine wakes from hibernation by {spec.source}", hint=hint)
    if state.full and state.active and _is_left(after):
        raise Later(f"{spec.source} cannot be left now: memory would not hold what is swapped out to it", "idle")
    size = after.get("size") or 0
    if size > (state.size or 0) and size + (spec.keep_free or 0) > state.free:
        kept = f" and leave {size_words(spec.keep_free)} free" if spec.keep_free else ""
        room = size_words(_about(state.free))
        raise Later(f"{spec.path} would take {size_words(size)}{kept}, and there is room for {room}", "room")


def _about(room: int) -> int:
    """As exact as it is of use."""
    unit = UNITS["GiB"] if room >= 10 * UNITS["GiB"] else SMALLEST
    return room // unit * unit


def _is_lost(after: Mapping[str, Any]) -> bool:
    """Whether the changes take away what is there now."""
    return "size" in after or after.get("ensure") == ABSENT or after.get("active") is False


def _is_left(after: Mapping[str, Any]) -> bool:
    """Whether it has to be left for the changes: what it was put to use with stays so."""
    return _is_lost(after) or not after.keys().isdisjoint(("priority", "discard"))


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: dict[str, Any] = values(changes)
    used = system.live and finding.in_use(system, spec) is not None
    if used and _is_left(after):
        swaps.turn_off(system, finding.place(system, spec))
    if spec.path and (after.get("ensure") == ABSENT or "size" in after):
        system.delete(system.resolve(spec.path))
        system.delete(system.unfinished(spec.path))
    if spec.path and after.get("size"):
        system.make_swap_file(spec.path, after["size"], no_copy_on_write=finding.filesystem(system, spec) == "btrfs")
    configured = not after.keys().isdisjoint(("at_boot", "priority", "discard"))
    if configured:
        boot.change(system, spec, after)
    if system.live and after.get("active", used and after.get("ensure") != ABSENT):
        _turn_on(system, spec)
    return (Effect(EffectKind.DAEMON_RELOAD),) if configured else ()


def _turn_on(system: System, spec: Spec) -> None:
    """With the settings of the boot, or, where that is to leave it alone, those that are asked for."""
    if finding.in_use(system, spec) is None:
        found = State(None, **boot.found(system, spec))
        given = spec if found.at_boot == NEVER else found
        swaps.turn_on(system, finding.place(system, spec), priority=given.priority, discard=given.discard)
