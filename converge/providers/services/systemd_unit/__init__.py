"""A systemd unit: its own file, its drop-ins, and whether it is enabled, masked and running.

Owns the file or mask at /etc/systemd/system/NAME, the drop-ins it names in /etc/systemd/system/NAME.d, and the links
that start the unit. The links are made and removed by systemctl(1); what is found is read from files, but for whether
the unit runs, which is known, and matters, only where the machine runs. Starting, stopping and restarting come after
the daemon-reload at the end of a run; until then `running` is what it will be.
"""

from collections.abc import Mapping

from attrs import evolve, field, frozen

from converge.model import Change, Claim, Domain, Effect
from converge.providers.protocol import ABSENT, DERIVED, PRESENT, Params, compare, domain_of_path, every_field, values
from converge.providers.services.systemd_unit import changing, presets, refusals
from converge.providers.services.systemd_unit.base import Spec, texts, wanted
from converge.system import ReadOnlySystem, System, systemd, unitfiles
from converge.system.store import address_of

__all__ = ["TYPE", "Spec", "State", "apply", "claims", "diff", "domains", "inspect", "parse"]

TYPE = "systemd-unit"
FILES = ("source",)
GROUPS = (("ensure", "content"), ("enabled", "masked"))
OURS = ("restarted",)
DEFERRED = ("running",)


@frozen
class State:
    ensure: str
    content: str | None = None
    drop_ins: Mapping[str, str | None] = field(factory=dict)
    enabled: bool = False
    masked: bool = False
    running: bool | None = None
    restarted: str | None = None
    wanted: str | None = field(default=None, metadata=DERIVED)
    """The address of what the unit file is to hold."""
    preset: bool | None = field(default=None, metadata=DERIVED)
    """Whether it is to be enabled, where the presets decide."""
    live: bool = field(default=False, metadata=DERIVED)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    refusals.refuse_contradictions(spec)
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    asked = spec.asked(None if spec.content is None else address_of(spec.content.encode()))
    if spec.preset:
        asked["enabled"] = None
    if spec.after_change:
        asked["restarted"] = None
    return tuple(Claim("path", spec.path, name, value) for name, value in asked.items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return every_field(State, domain_of_path(system, unitfiles.CONFIG))


def absent(spec: Spec, state: State) -> bool:
    """The unit file is the thing only where the manifest says what is to become of it; a mask needs none."""
    return state.ensure == ABSENT and (spec.brings_file or spec.ensure == ABSENT)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    sight, ours = unitfiles.look(system, spec.name), wanted(system, spec)
    asked = unitfiles.links_asked(spec.name, texts(system, spec, sight.unit, ours))
    refusals.refuse(system, spec, sight, can_be_enabled=bool(asked), known=lambda: unitfiles.names(system))
    return State(
        ABSENT if sight.unit is None else PRESENT,
        _content(system, spec),
        {name: _address(system, spec.drop_in_path(name)) for name in spec.drop_in_names},
        unitfiles.is_linked(system, spec.name, asked),
        sight.mask is not None,
        _running(system, spec),
        wanted=None if ours is None else address_of(ours),
        preset=presets.verdict(system, spec.name) if spec.preset and asked and not sight.mask else None,
        live=systemd.manages(system),
    )


def _content(system: ReadOnlySystem, spec: Spec) -> str | None:
    """The address of the machine's own unit file; a mask, be it a link or an empty file, is none."""
    is_file = system.read_link(spec.path) is None and system.read(spec.path)
    return _address(system, spec.path) if is_file else None


def _address(system: ReadOnlySystem, path: str) -> str | None:
    data = system.read(path)
    return None if data is None else address_of(data)


def _running(system: ReadOnlySystem, spec: Spec) -> bool | None:
    if spec.running is None or not systemd.manages(system):
        return None
    unit = systemd.unit(system, spec.name)
    if spec.running and unit.ends:
        refusals.refuse_to_keep_running(spec)
    return unit.runs


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    desired = spec.asked(state.wanted)
    if state.preset is not None:
        desired["enabled"] = state.preset
    if state.masked and desired.get("enabled") is False and spec.masked is not False:
        del desired["enabled"]  # nothing starts what is masked
    if state.running is None:
        desired.pop("running", None)
    if spec.changed and state.live and state.ensure == PRESENT:
        desired["restarted"] = f"after {', '.join(spec.changed)}"
    return compare(desired, state)


def notified(spec: Spec, ids: tuple[str, ...]) -> Spec:
    return evolve(spec, changed=ids)


def idle(spec: Spec, state: State) -> str:
    """Why there is nothing to do for what only follows others, or only starts and stops."""
    if spec.manages_files:
        return ""
    if not state.live:
        return "nothing starts or stops where the machine does not run"
    if state.ensure == ABSENT:
        return f"there is no unit {spec.name}"
    return "nothing that it follows has changed" if spec.running is None else ""


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    changing.change(system, spec, changes)
    return tuple(changing.effects(spec, values(changes)))
