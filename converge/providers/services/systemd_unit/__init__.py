"""A systemd unit: its own file, its drop-ins, and whether it is enabled, masked and running.

Owns the file or mask at /etc/systemd/system/NAME, the drop-ins it names in /etc/systemd/system/NAME.d, and the links
that start the unit. systemctl(1) makes and removes the links; the state is read from files, except `running`, which is
known, and matters, only if the machine runs. Units are started, stopped and restarted after the daemon-reload at the
end of a run; until then `running` is what it will be.
"""

from collections.abc import Mapping, Sequence

from attrs import evolve, field, frozen

from converge.model import Change, Depends, Effect, Thing, Value
from converge.providers.protocol import ABSENT, NO_PARAMETER, PRESENT, Declared, Desired, Params, Traits, values
from converge.providers.services.systemd_unit import changing, presets, refusals
from converge.providers.services.systemd_unit.spec import Spec
from converge.system import ReadOnlySystem, System, systemd, unitfiles
from converge.system.store import address_of

__all__ = [
    "Spec",
    "State",
    "absent",
    "apply",
    "contents",
    "declared",
    "desired",
    "idle",
    "inspect",
    "notified",
    "parse",
    "thing",
    "traits",
]

traits = Traits(
    files=("source",),
    groups=(("ensure", "content"), ("enabled", "masked")),
    unprotected=("restarted",),
    deferred=("running",),
    added="created",
)


@frozen
class State:
    ensure: str
    content: str | None = None
    drop_ins: Mapping[str, str | None] = field(factory=dict)
    enabled: bool = False
    masked: bool = False
    running: bool | None = None
    restarted: str | None = None
    can_be_enabled: bool = field(default=False, metadata=NO_PARAMETER)
    """Whether its future [Install] section names something that starts it."""
    live: bool = field(default=False, metadata=NO_PARAMETER)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    refusals.refuse_contradictions(spec)
    return spec


def thing(spec: Spec) -> Thing:
    return Thing("unit", spec.name, "path", spec.path, stored_in=unitfiles.CONFIG)


def declared(spec: Spec) -> Declared:
    fields: dict[str, Value | Depends] = {}
    if spec.ensure == ABSENT:
        fields["ensure"] = ABSENT
    else:
        given = {"enabled": spec.enabled, "masked": spec.masked, "running": spec.running}
        fields |= {name: value for name, value in given.items() if value is not None}
        if spec.brings_file:
            content = Depends.ON_MACHINE if spec.content is None else address_of(spec.content.encode())
            fields |= {"ensure": PRESENT, "content": content}
        if spec.drop_in_names:
            texts = {name: spec.drop_ins.get(name) for name in spec.drop_in_names}
            fields["drop_ins"] = {n: None if text is None else address_of(text.encode()) for n, text in texts.items()}
    if spec.preset:
        fields["enabled"] = Depends.ON_MACHINE
    if spec.after_change:
        fields["restarted"] = Depends.ON_MACHINE
    return fields


def absent(spec: Spec, state: State) -> bool:
    """The unit file counts only if the manifest brings or removes it; a mask does not need one."""
    return state.ensure == ABSENT and (spec.brings_file or spec.ensure == ABSENT)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    sight = unitfiles.look(system, spec.name)
    links = unitfiles.links_asked(spec.name, _texts(system, spec, sight.unit))
    refusals.refuse(system, spec, sight, can_be_enabled=bool(links), known=lambda: unitfiles.names(system))
    return State(
        ABSENT if sight.unit is None else PRESENT,
        _content(system, spec),
        {name: _address(system, spec.drop_in_path(name)) for name in spec.drop_in_names},
        unitfiles.is_linked(system, spec.name, links),
        sight.mask is not None,
        _running(system, spec),
        can_be_enabled=bool(links),
        live=systemd.manages(system),
    )


def _texts(system: ReadOnlySystem, spec: Spec, unit: unitfiles.UnitFile | None) -> tuple[str, ...]:
    """The unit file and its drop-ins as they will be."""
    ours = spec.unit_file(system)
    found = unit.text if unit else ""
    text = found if ours is None else ours.decode("utf-8", "surrogateescape")
    replaced = [spec.drop_in_path(name) for name in spec.drop_in_names]
    return (*unitfiles.texts(system, spec.name, text, leaving_out=replaced), *spec.drop_ins.values())


def _content(system: ReadOnlySystem, spec: Spec) -> str | None:
    """The address of the machine's own unit file; a mask (a link or an empty file) does not count."""
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


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    wanted = {name: value for name, value in declared(spec).items() if not isinstance(value, Depends)}
    ours = spec.unit_file(system)
    if ours is not None:
        wanted["content"] = address_of(ours)
    if spec.preset and state.can_be_enabled and not state.masked:
        verdict = presets.verdict(system, spec.name)
        wanted |= {} if verdict is None else {"enabled": verdict}
    if state.masked and spec.enabled is False and spec.masked is not False:
        del wanted["enabled"]  # a masked unit never starts
    if state.running is None:
        wanted.pop("running", None)
    if spec.changed and state.live and state.ensure == PRESENT:
        wanted["restarted"] = f"after {', '.join(spec.changed)}"
    return wanted


def notified(spec: Spec, ids: tuple[str, ...]) -> Spec:
    return evolve(spec, changed=ids)


def idle(spec: Spec, state: State) -> str:
    """Why nothing is done for a resource that only follows others, or only starts and stops."""
    if spec.manages_files:
        return ""
    if not state.live:
        return "units start and stop only on a running machine"
    if state.ensure == ABSENT:
        return f"unit {spec.name} is missing"
    return "no resource in `after_change` has changed" if spec.running is None else ""


def contents(system: ReadOnlySystem, spec: Spec) -> Sequence[bytes]:
    """The contents of the unit file and the drop-ins, on the machine and as declared."""
    paths = (spec.path, *map(spec.drop_in_path, spec.drop_in_names))
    live = [system.read(path) for path in paths if system.read_link(path) is None]
    new = (spec.unit_file(system), *(text.encode() for text in spec.drop_ins.values()))
    return [data for data in (*live, *new) if data is not None]


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    changing.change(system, spec, changes)
    return tuple(changing.effects(spec, values(changes)))
