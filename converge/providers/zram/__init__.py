"""Swap in compressed memory.

Owns what has one zram device made at each boot: a file in /etc/systemd/zram-generator.conf.d or, where zram-generator
is not installed, a unit of our own.

What runs follows the configuration. A device that is not there yet is made at once; one that is in use is left as it
is, since what is in it would have to go somewhere: the rest is owed until the next boot.
"""

from collections.abc import Mapping
from typing import Any

from converge.errors import Later, ProviderError
from converge.model import Change, Claim, Domain, Effect, EffectKind, Value
from converge.providers.base import ABSENT, PRESENT, Params, compare, every_field, values
from converge.providers.zram import generator, masks, service
from converge.providers.zram.base import CONFIGURED, GENERATOR, UNIT, Running, Spec, State
from converge.system import ReadOnlySystem, System, swaps, systemd

TYPE = "zram"
GROUPS = (("ensure", *CONFIGURED, "through"),)
DEFERRED = ("running",)

_SYSFS = "/sys/block"


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.ensure == PRESENT and not spec.size:
        hint = 'say `size`, such as "{{ memory.total // 2 }}"'
        raise ProviderError(f"{spec.device} has a size of 1 MiB at least", hint=hint)
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    wanted: dict[str, Value] = {"ensure": spec.ensure}
    if spec.ensure == PRESENT:
        wanted |= {**_wanted(spec), "through": None, "running": None}
        wanted |= {"algorithm": None} if spec.algorithms else {}
    return tuple(Claim("zram", spec.device, name, value) for name, value in wanted.items())


def _wanted(spec: Spec) -> dict[str, Value]:
    """The fields that are the same on all machines."""
    limit: dict[str, Value] = {} if spec.host_memory_limit is None else {"host_memory_limit": spec.host_memory_limit}
    return {"ensure": PRESENT, "size": spec.size, **limit, "priority": spec.priority}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol's)
    return every_field(State, Domain.DEPLOYMENT)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    installed = GENERATOR if generator.is_installed(system) else UNIT
    ours = service.configured(system, spec.device)
    is_masked = masks.hide(system, generator.units_of(spec.device))
    theirs = None if is_masked else generator.configured(system, spec.device)
    running = _running(system, spec)
    return State.of(
        theirs if ours is None else ours,
        GENERATOR if ours is None else UNIT,
        running=running.told() if running else None,
        found=running,
        installed=installed,
        algorithms=_algorithms(system, spec) if system.live else (),
        memory=swaps.memory(system) if systemd.manages(system) and (running or not _is_booting(system)) else None,
        later=generator.overruling(system, spec.device) if installed == GENERATOR else None,
    )


def _running(system: ReadOnlySystem, spec: Spec) -> Running | None:
    """The device as it is in use; what a foreign root will have is not made yet."""
    swap = swaps.active_at(system, spec.node) if system.live else None
    if swap is None:
        return None
    size = int(system.read(f"{_SYSFS}/{spec.device}/disksize") or 0)
    return Running(size, _chosen(system, spec), swap.priority)


def _is_booting(system: ReadOnlySystem) -> bool:
    """Whether the device that is configured may be still to come."""
    return systemd.is_booting(systemd.state(system))


def _algorithms(system: ReadOnlySystem, spec: Spec) -> tuple[str, ...]:
    """What the kernel offers (its documentation, admin-guide/blockdev/zram): the one in use stands in brackets."""
    said = (system.read(f"{_SYSFS}/{spec.device}/comp_algorithm") or b"").decode()
    return tuple(word.strip("[]") for word in said.split())


def _chosen(system: ReadOnlySystem, spec: Spec) -> str | None:
    said = (system.read(f"{_SYSFS}/{spec.device}/comp_algorithm") or b"").decode()
    return next((word.strip("[]") for word in said.split() if word.startswith("[")), None)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if spec.ensure == ABSENT:
        changes = compare({"ensure": ABSENT}, state)
        target = None
    else:
        known = _algorithms_known(spec, state)
        wanted = {**_wanted(spec), "through": state.installed, **_algorithm(spec, state.installed, known)}
        changes = compare(wanted, state)
        target = _target(spec, state, known[0] if known else None)
    if changes and state.later:
        message = f"{state.later} says something of {spec.device}, and comes after {generator.own_file(spec.device)}"
        raise ProviderError(message, hint="remove it there, or leave the device to that file")
    if state.memory is None or state.running == target:
        return changes
    if state.running is None:
        return (*changes, Change("running", None, target))
    if changes:
        return changes
    then = f"with {target} from the next boot on" if target else "gone after the next boot"
    raise Later(f"{spec.device} is in use with {state.running} and stays so: it is {then}", "reboot")


def _algorithms_known(spec: Spec, state: State) -> tuple[str, ...]:
    """Those asked for that the kernel has; where it cannot be asked, all of them."""
    known = tuple(name for name in spec.algorithms if name in state.algorithms or not state.algorithms)
    if spec.algorithms and not known:
        has = f"it has {', '.join(state.algorithms)}"
        raise ProviderError(f"the kernel has none of {', '.join(spec.algorithms)}", hint=f"{has}: add one of these")
    return known


def _algorithm(spec: Spec, installed: str, known: tuple[str, ...]) -> dict[str, Value]:
    """What a configuration says: our unit chooses at each boot, and zram-generator knows but one."""
    chosen = " ".join(spec.algorithms) if installed == UNIT else known[0] if known else None
    return {"algorithm": chosen} if chosen else {}


def _target(spec: Spec, state: State, algorithm: str | None) -> str | None:
    """What is to run, in the words of what runs; nothing where the machine has more memory than the limit."""
    limit = spec.host_memory_limit if spec.host_memory_limit is not None else state.host_memory_limit
    if isinstance(limit, int) and state.memory is not None and state.memory > limit:
        return None
    default = state.found.algorithm if state.found else None
    return Running(spec.size or 0, algorithm or default, spec.priority).told()


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: dict[str, Any] = values(changes)
    if after.keys() - {"running"}:
        _configure(system, spec, after)
    through = after.get("through") or (UNIT if service.configured(system, spec.device) else GENERATOR)
    unit = (service if through == UNIT else generator).unit_of(spec.device)
    if after.get("ensure") == ABSENT:
        return (Effect(EffectKind.DAEMON_RELOAD),)
    start = EffectKind.START if after.get("running") else EffectKind.BOOT_START
    return (Effect(EffectKind.DAEMON_RELOAD), Effect(start, unit))


def _configure(system: System, spec: Spec, after: dict[str, Any]) -> None:
    """Write the configuration. What comes is there before what it replaces goes."""
    if after.get("ensure") == ABSENT:
        service.remove(system, spec.device)
        generator.remove(system, spec.device)
        return
    present = inspect(system, spec)
    fields = {name: after[name] for name in CONFIGURED if name in after}
    if after.get("through", present.through) == UNIT:
        former = {name: getattr(present, name) for name in CONFIGURED}
        masks.remove(system, [service.unit_of(spec.device)])
        service.write(system, spec.device, {**former, **fields})
        generator.drop(system, spec.device)
    else:
        former = service.configured(system, spec.device) or {}
        generator.write(system, spec.device, {**former, **fields})
        masks.remove(system, generator.units_of(spec.device))
        service.remove(system, spec.device)
