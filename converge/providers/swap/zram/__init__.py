"""Swap in compressed memory.

Owns the configuration that makes one zram device at each boot: a file in /etc/systemd/zram-generator.conf.d or, if
zram-generator is not installed, a unit of our own.

The running device follows the configuration. A missing device is made at once; a device in use stays as it is, because
its contents would need another place: the rest is owed until the next boot.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen
from attrs.converters import optional

from converge.errors import Later, ProviderError
from converge.model import Change, Depends, Domain, Effect, EffectKind, Thing
from converge.providers.protocol import (
    ABSENT,
    NO_PARAMETER,
    PRESENT,
    Declared,
    Desired,
    Params,
    Traits,
    compare,
    values,
)
from converge.providers.swap import swaps
from converge.providers.swap.sizes import MIB, size_in_bytes
from converge.providers.swap.zram import generator, masks, running, service
from converge.providers.swap.zram.running import Running
from converge.system import ReadOnlySystem, System

GENERATOR, UNIT = "zram-generator", "unit"
PRIORITY = 100
"""The default of zram-generator.conf(5), far above the default of a disk."""

CONFIGURED = ("size", "host_memory_limit", "algorithm", "priority")
"""The state fields in a configuration."""

traits = Traits(
    domain=Domain.DEPLOYMENT,
    groups=(("ensure", *CONFIGURED, "through"),),
    deferred=("running",),
)


def _mib(value: int | str) -> int:
    """Whole MiB, the unit of zram-generator.conf(5)."""
    return size_in_bytes(value) // MIB * MIB


def _texts(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(values)


@frozen
class Spec:
    device: str = "zram0"
    ensure: str = PRESENT
    size: int | None = field(default=None, converter=optional(_mib))
    host_memory_limit: int | None = field(default=None, converter=optional(_mib))
    algorithms: tuple[str, ...] = field(default=(), converter=_texts)
    priority: int = PRIORITY


@frozen
class State:
    ensure: str
    size: int | str | None = None
    """May be an expression of zram-generator that somebody else has written."""
    host_memory_limit: int | str | None = None
    algorithm: str | None = None
    priority: int | None = None
    through: str | None = None
    running: str | None = None
    found: Running | None = field(default=None, metadata=NO_PARAMETER)
    taken: str | None = field(default=None, metadata=NO_PARAMETER)
    """A file of zram-generator that configures the device for a file system."""
    later: Mapping[str, str] = field(factory=dict, metadata=NO_PARAMETER)
    """Per field a file of zram-generator that overrides converge's file."""


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.ensure == PRESENT and not spec.size:
        hint = 'set `size`, such as "{{ memory.total // 2 }}"'
        raise ProviderError(f"`size` of {spec.device} must be at least 1 MiB", hint=hint)
    return spec


def thing(spec: Spec) -> Thing:
    return Thing("zram device", spec.device, "zram", spec.device)


def declared(spec: Spec) -> Declared:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    limit = {} if spec.host_memory_limit is None else {"host_memory_limit": spec.host_memory_limit}
    on_machine = ("through", "running", *(("algorithm",) if spec.algorithms else ()))
    return {
        "ensure": PRESENT,
        "size": spec.size,
        **limit,
        "priority": spec.priority,
        **dict.fromkeys(on_machine, Depends.ON_MACHINE),
    }


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    ours = service.configured(system, spec.device)
    is_masked = masks.hide(system, generator.units_of(spec.device))
    theirs = None if is_masked else generator.configured(system, spec.device)
    configured = theirs if ours is None else ours
    is_installed = generator.is_installed(system)
    found = running.swap(system, spec.device)
    return State(
        ensure=ABSENT if configured is None else PRESENT,
        through=None if configured is None else GENERATOR if ours is None else UNIT,
        running=found.words if found else running.other_use(system, spec.device),
        found=found,
        taken=generator.with_file_system(system, spec.device) if is_installed else None,
        later=generator.overriding(system, spec.device) if is_installed else {},
        **(configured or {}),
    )


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:
    """The configuration, and the running device. If the device is in use, `running` follows after all other fields."""
    through = GENERATOR if generator.is_installed(system) else UNIT
    wanted = {name: value for name, value in declared(spec).items() if not isinstance(value, Depends)}
    known: tuple[str, ...] = ()
    if spec.ensure == PRESENT:
        # Our unit chooses an algorithm at each boot; zram-generator takes only one.
        known = _algorithms(system, spec, state, through)
        chosen = spec.algorithms if through == UNIT else known[:1]
        wanted |= {"through": through, **({"algorithm": " ".join(chosen)} if chosen else {})}
    is_next = state.running is None or not compare(wanted, state)
    is_forbidden = through == GENERATOR and generator.is_switched_off(system)
    if is_next and not is_forbidden and running.is_expected(system, state.found):
        wanted["running"] = _target(system, spec, state, known[0] if known else None)
    return wanted


def _algorithms(system: ReadOnlySystem, spec: Spec, state: State, through: str) -> tuple[str, ...]:
    """The declared algorithms that the kernel has; all if its list is unknown. ProviderError if it does not have any.

    If none is declared and zram-generator replaces our unit: the unit's.
    """
    is_replaced = through == GENERATOR and state.through == UNIT
    names = spec.algorithms or ((state.algorithm or "").split() if is_replaced else ())
    offered = running.algorithms(system, spec.device)
    known = tuple(name for name in names if name in offered or not offered)
    if spec.algorithms and not known:
        message = f"the kernel does not have any of the `algorithms` {', '.join(spec.algorithms)}"
        raise ProviderError(message, hint=f"add one that it has: {', '.join(offered)}")
    return known


def _target(system: ReadOnlySystem, spec: Spec, state: State, algorithm: str | None) -> str | None:
    """The device that should run, in the words of `running`; None if the machine has more memory than the limit."""
    limit = spec.host_memory_limit if spec.host_memory_limit is not None else state.host_memory_limit
    if spec.ensure == ABSENT or (isinstance(limit, int) and swaps.memory(system) > limit):
        return None
    default = state.found.algorithm if state.found else None
    return Running(spec.size or 0, algorithm or default, spec.priority).words


def check(spec: Spec, state: State, changes: tuple[Change, ...]) -> None:
    """A device in use stays as it is: once the configuration is in place, the rest is owed until the next boot."""
    after = values(changes)
    configured = [name for name in after if name != "running"]
    if configured and state.taken:
        hint = "set `device` to another one, such as zram1"
        raise ProviderError(f"{state.taken} configures {spec.device} for a file system", hint=hint)
    if later := next((state.later[name] for name in configured if name in state.later), None):
        message = f"{later} overrides {generator.own_file(spec.device)}: it configures {spec.device} as well"
        raise ProviderError(message, hint=f"remove {spec.device} from {later}, or remove this resource")
    if "running" in after and state.running is not None:
        target = after["running"]
        then = f"{target} takes effect at the next boot" if target else "it is removed at the next boot"
        raise Later(f"{spec.device} is in use ({state.running}); {then}", "reboot")


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
    """Write the configuration. The new one is written before the old one is removed."""
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
