"""Owner, group and mode of a thing, or of everything in a tree. Owns these three of existing things, and makes none.

Links to `path` are followed inside the root, links below it are not: a link's own owner is set, and it has no mode. In
a tree the state of a field is the declared value, or names the wrong entries (`records.py`). The three fields change
together, because with `match` a thing with one changed field would not match any more.
"""

from collections.abc import Mapping

from attrs import evolve, frozen

from converge.errors import ProviderError
from converge.formats.modes import mode_text, parse_mode
from converge.model import Change, Effect, Thing, Value
from converge.providers.files.attributes import Attributes, group_as_declared, owner_as_declared
from converge.providers.files.permissions.records import Recorder, Tally, recorded
from converge.providers.files.permissions.spec import FIELDS, Spec, modes_of
from converge.providers.files.permissions.tree import fix, may_touch, things_in, wrong_things
from converge.providers.files.treestates import record_of
from converge.providers.protocol import ABSENT, PRESENT, Declared, Desired, Params, Traits, compare, values
from converge.system import ReadOnlySystem, System

__all__ = ["Spec", "State", "apply", "declared", "desired", "inspect", "parse", "thing", "traits", "yield_to"]

traits = Traits(groups=(FIELDS,))


@frozen
class State:
    ensure: str
    owner: str | None = None
    group: str | None = None
    mode: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if not spec.wanted:
        raise ProviderError(
            "no parameter set", hint="give at least one of `owner`, `group`, `mode`, `file_mode`, `directory_mode`"
        )
    for text in (spec.mode, spec.file_mode, spec.directory_mode):
        if text is not None:
            parse_mode(text)
    if parse_mode(spec.match.get("mode", "0000")).exact is None:
        raise ProviderError("the mode in `match` must be octal", hint="write it with quotes, such as '0755'")
    return spec


def thing(spec: Spec) -> Thing:
    """The path, and the selection below it: two fixes for different faults do not conflict."""
    chosen = [f"{name} {value}" for name, value in sorted(spec.match.items())]
    part = ", ".join([*chosen, *([spec.only] if spec.only else [])])
    return Thing("permissions of", spec.path, "tree" if spec.is_tree else "path", spec.path, part or None)


def declared(spec: Spec) -> Declared:
    return spec.wanted


def yield_to(spec: Spec, paths: tuple[str, ...]) -> Spec:
    return evolve(spec, yielded=paths) if spec.is_tree else spec


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    found = system.stat(spec.path)
    if found is None:
        return State(ABSENT)
    if spec.is_tree:
        tree = _state_of_tree(system, spec)
        return State(PRESENT, tree.get("owner"), tree.get("group"), tree.get("mode"))
    return State(
        PRESENT,
        owner_as_declared(system, spec.owner, found.uid),
        group_as_declared(system, spec.group, found.gid),
        mode_text(found.mode),
    )


def _state_of_tree(system: ReadOnlySystem, spec: Spec) -> dict[str, str]:
    tallies = {name: Tally() for name in spec.wanted}
    for wrong in wrong_things(system, spec, spec.wanted):
        for name, value in wrong.before().items():
            tallies[name].add(wrong.found.path, value)
    return {name: tally.state if tally.count else str(spec.wanted[name]) for name, tally in tallies.items()}


def _refuse_hard_links(system: ReadOnlySystem, spec: Spec) -> None:
    for found in things_in(system, spec):
        may_touch(spec, found)


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:
    """Raise ProviderError for a single file with other hard links, as soon as something would change."""
    if state.ensure == ABSENT:
        return {}
    wanted = spec.wanted
    if spec.is_tree:
        return wanted
    if "mode" in wanted and state.mode is not None:
        found = system.stat(spec.path)
        is_folder = found is not None and found.kind == "directory"
        mode = modes_of(str(wanted.pop("mode")))[is_folder]
        if mode is not None:
            wanted["mode"] = mode_text(mode.on(int(state.mode, 8), is_folder=is_folder))
    if compare(wanted, state):
        _refuse_hard_links(system, spec)
    return wanted


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    if system.stat(spec.path) is None:
        return ()
    if not spec.is_tree:
        _refuse_hard_links(system, spec)
        Attributes.of(system, values(changes)).set_on(system, system.resolve(spec.path))
        return ()
    restoring = {change.field: record for change in changes if (record := record_of(change.after))}
    requested = {name: value for name, value in values(changes).items() if name in FIELDS and name not in restoring}
    if requested:
        _record(system, spec, requested, changes)
        fix(system, spec, requested)
    if restoring:
        _restore(system, spec, {name: recorded(system, name, record) for name, record in restoring.items()})
    return ()


def _record(system: System, spec: Spec, requested: Mapping[str, Value], changes: tuple[Change, ...]) -> None:
    """Record the values before the changes; this also refuses hard links before anything is changed."""
    befores = {change.field: record_of(change.before) for change in changes if change.field in requested}
    alone = {record: name for name, record in befores.items() if record}  # equal numbers of users and groups share one
    recorders = {name: Recorder(system, record) for record, name in alone.items()}
    for wrong in wrong_things(system, spec, requested):
        for name, value in wrong.before().items():
            if name in recorders:
                recorders[name].add(wrong.found.path, value)
    for recorder in recorders.values():
        recorder.close()


def _restore(system: System, spec: Spec, before: Mapping[str, Mapping[str, int]]) -> None:
    for found in things_in(system, spec):
        path = found.path
        uid, gid, mode = (before.get(name, {}).get(path) for name in FIELDS)
        if (uid, gid, mode) != (None, None, None) and may_touch(spec, found):
            system.fix(found, uid=uid, gid=gid, mode=mode)
