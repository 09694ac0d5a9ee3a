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
from converge.providers.protocol import ABSENT, PRESENT, Params, compare, every_field, values
from converge.providers.swap import swaps
from converge.providers.swap.zram import generator, masks, running, service
from converge.providers.swap.zram.base import (
    CONFIGURED,
    GENERATOR,
    UNIT,
    Running,
    Spec,
    State,
    algorithm_configured,
    algorithms_known,
)
from converge.system import ReadOnlySystem, System

TYPE = "zram"
GROUPS = (("ensure", *CONFIGURED, "through"),)
DEFERRED = ("running",)


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
    found = running.swap(system, spec)
    return State.of(
        theirs if ours is None else ours,
        GENERATOR if ours is None else UNIT,
        running=found.told() if found else running.other_use(system, spec),
        found=found,
        installed=installed,
        algorithms=running.algorithms(system, spec) if system.live else (),
        memory=_memory(system, installed, found),
        taken=generator.with_file_system(system, spec.device) if installed == GENERATOR else None,
        later=generator.overruling(system, spec.device) if installed == GENERATOR else {},
    )


def _memory(system: ReadOnlySystem, installed: str, found: Running | None) -> int | None:
    """None where no device is to be expected here and now; the kernel's arguments may forbid it."""
    forbidden = installed == GENERATOR and generator.is_switched_off(system)
    return swaps.memory(system) if running.is_expected(system, found) and not forbidden else None


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if spec.ensure == ABSENT:
        changes = compare({"ensure": ABSENT}, state)
        target = None
    else:
        known = algorithms_known(spec, state)
        wanted = {**_wanted(spec), "through": state.installed, **algorithm_configured(spec, state, known)}
        changes = compare(wanted, state)
        target = _target(spec, state, known[0] if known else None)
    if changes and state.taken:
        raise ProviderError(f"{state.taken} has {spec.device} made for a file system", hint="name another `device`")
    if later := next((state.later[change.field] for change in changes if change.field in state.later), None):
        message = f"{later} says something of {spec.device}, and comes after {generator.own_file(spec.device)}"
        raise ProviderError(message, hint="remove it there, or leave the device to that file")
    if state.memory is None or state.running == target:
        return changes
    if state.running is None:
        return (*changes, Change("running", None, target))
    if changes:
        return changes
    then = f"with {target} from the next boot on" if target else "gone after the next boot"
    raise Later(f"{spec.device} is in use with {state.running} and stays so: it is {then}", "reboot")


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
