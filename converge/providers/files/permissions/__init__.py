"""Owner, group and mode of a thing, or of everything in a tree. Owns these three of what is there, and makes nothing.

Links that lead to `path` are followed inside the root; below it none is: a link's own owner is set, and it has no mode.
In a tree the state of a field is what is asked, or names what is wrong (`records.py`). The three fields move together,
since with `match` a thing that got one of them is no longer meant.
"""

from collections.abc import Mapping

from attrs import evolve, field, frozen

from converge.errors import ProviderError
from converge.formats.modes import mode_text, parse_mode
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.files.permissions.base import FIELDS, Spec, modes_of
from converge.providers.files.permissions.records import Recorder, Tally, recorded
from converge.providers.files.permissions.tree import may_touch, mend, things, wrong_things
from converge.providers.protocol import (
    ABSENT,
    DERIVED,
    PRESENT,
    Attributes,
    Params,
    compare,
    domain_of_path,
    every_field,
    group_as_asked,
    owner_as_asked,
    record_of,
    values,
)
from converge.system import ReadOnlySystem, System

__all__ = ["GROUPS", "TYPE", "Spec", "State", "apply", "claims", "diff", "domains", "inspect", "parse", "yield_to"]

TYPE = "permissions"
GROUPS = (FIELDS,)


@frozen
class State:
    ensure: str
    owner: str | None = None
    group: str | None = None
    mode: str | None = None
    is_folder: bool = field(default=False, metadata=DERIVED)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if not spec.wanted:
        raise ProviderError("neither owner, group nor a mode is asked", hint="say what the permissions are to be")
    for text in (spec.mode, spec.file_mode, spec.directory_mode):
        if text is not None:
            parse_mode(text)
    if parse_mode(spec.match.get("mode", "0000")).exact is None:
        raise ProviderError("`match` compares a mode in octal", hint="write it as '0755'")
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    kind = "tree" if spec.is_tree else "path"
    return tuple(Claim(kind, spec.thing, name, value) for name, value in spec.wanted.items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return every_field(State, domain_of_path(system, spec.path))


def yield_to(spec: Spec, paths: tuple[str, ...]) -> Spec:
    return evolve(spec, yielded=paths) if spec.is_tree else spec


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    found = system.stat(spec.path)
    if found is None:
        return State(ABSENT)
    if spec.is_tree:
        tree = _state_of_tree(system, spec)
        return State(PRESENT, tree.get("owner"), tree.get("group"), tree.get("mode"))
    state = State(
        PRESENT,
        owner_as_asked(system, spec.owner, found.uid),
        group_as_asked(system, spec.group, found.gid),
        mode_text(found.mode),
        found.kind == "directory",
    )
    if diff(spec, state):
        _refuse_hard_links(system, spec)
    return state


def _state_of_tree(system: ReadOnlySystem, spec: Spec) -> dict[str, str]:
    tallies = {name: Tally() for name in spec.wanted}
    for wrong in wrong_things(system, spec, spec.wanted):
        for name, value in wrong.before().items():
            tallies[name].add(wrong.found.path, value)
    return {name: tally.state if tally.count else str(spec.wanted[name]) for name, tally in tallies.items()}


def _refuse_hard_links(system: ReadOnlySystem, spec: Spec) -> None:
    for found in things(system, spec):
        may_touch(spec, found)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if state.ensure == ABSENT:
        return ()
    wanted = dict(spec.wanted)
    if "mode" in wanted and state.mode is not None and not spec.is_tree:
        mode = modes_of(str(wanted.pop("mode")))[state.is_folder]
        if mode is not None:
            wanted["mode"] = mode_text(mode.on(int(state.mode, 8), is_folder=state.is_folder))
    return compare(wanted, state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    if system.stat(spec.path) is None:
        return ()
    if not spec.is_tree:
        _refuse_hard_links(system, spec)
        Attributes.of(system, values(changes)).set_on(system, system.resolve(spec.path))
        return ()
    restoring = {change.field: record for change in changes if (record := record_of(change.after))}
    asked = {name: value for name, value in values(changes).items() if name in FIELDS and name not in restoring}
    if asked:
        _record(system, spec, asked, changes)
        mend(system, spec, asked)
    if restoring:
        _restore(system, spec, {name: recorded(system, name, record) for name, record in restoring.items()})
    return ()


def _record(system: System, spec: Spec, asked: Mapping[str, Value], changes: tuple[Change, ...]) -> None:
    """Write down what is about to be changed; a hard link that is refused is met here, before anything is."""
    befores = {change.field: record_of(change.before) for change in changes if change.field in asked}
    alone = {record: name for name, record in befores.items() if record}  # equal numbers of users and groups share one
    recorders = {name: Recorder(system, record) for record, name in alone.items()}
    for wrong in wrong_things(system, spec, asked):
        for name, value in wrong.before().items():
            if name in recorders:
                recorders[name].add(wrong.found.path, value)
    for recorder in recorders.values():
        recorder.close()


def _restore(system: System, spec: Spec, before: Mapping[str, Mapping[str, int]]) -> None:
    for found in things(system, spec):
        path = found.path
        uid, gid, mode = (before.get(name, {}).get(path) for name in FIELDS)
        if (uid, gid, mode) != (None, None, None) and may_touch(spec, found):
            system.fix(found, uid=uid, gid=gid, mode=mode)
