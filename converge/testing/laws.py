"""The laws of every provider. A law takes machines with a specimen; a broken one raises AssertionError."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import combinations
from typing import Any

import attrs

from converge.errors import ConvergeError
from converge.model import Change, Value
from converge.providers.protocol import Provider, field_names, group_of
from converge.system import ReadOnlySystem
from converge.system.secrets import is_digest
from converge.testing.case import Machines
from converge.testing.interrupted import CutOffError, Interrupted

HOST_FOLDERS = ("/etc", "/var/lib/converge", "/var/lib/flatpak", "/run/converge.lock")
STATE_SIZE = 4096
"""Characters of a state as JSON."""


def apply_leaves_no_difference(machines: Machines) -> None:
    case = machines()
    case.apply(case.changes())
    assert case.changes() == ()


def inspection_changes_nothing(machines: Machines) -> None:
    case = machines()
    before = _snapshot(case.root)
    case.changes()
    assert _snapshot(case.root) == before


def same_changes_can_be_applied_again(machines: Machines) -> None:
    case = machines()
    changes = case.changes()
    case.apply(changes)
    state = case.state()
    case.apply(changes)
    assert (case.changes(), case.state()) == ((), state)


def nothing_is_applied_without_changes(machines: Machines) -> None:
    case = machines()
    state = case.state()
    with suppress(ConvergeError):
        case.apply(())
    assert case.state() == state


def announced_changes_are_what_changes(machines: Machines) -> None:
    case = machines()
    before, changes = case.state(), case.changes()
    case.apply(changes)
    after, announced = case.state(), {change.field: change.after for change in changes}
    assert {change.field: before[change.field] for change in changes} == {c.field: c.before for c in changes}
    assert {name: after[name] for name in announced} == announced
    if "ensure" not in announced:
        seen = {each.name for each in attrs.fields(case.provider.state_type) if each.metadata.get("seen")}
        silent = set(before) - set(announced) - seen
        assert {name: after[name] for name in silent} == {name: before[name] for name in silent}


def part_of_the_changes_leaves_exactly_the_others(machines: Machines) -> None:
    case = machines()
    changes = case.changes()
    for chosen in _parts(case.provider, changes):
        case = machines()
        case.apply(tuple(change for change in changes if change.field in chosen))
        left = {change.field: change.after for change in case.changes()}
        others = {change.field: change.after for change in changes if change.field not in chosen}
        if "ensure" in chosen:  # a thing that is made has values in all of its fields, some of them as declared
            assert left.items() <= others.items(), _problem(chosen)
        else:
            assert left == others, _problem(chosen)


def inverse_changes_give_the_state_before(machines: Machines) -> None:
    """Not tried with opaque types: their changes cannot be undone."""
    case = machines()
    before = case.state()
    case.apply(case.changes())
    if not case.has_way_back:
        return
    after = case.state()
    wanted = _still_known(before, after)
    case.apply(_leading(after, wanted))
    assert case.state() == wanted


def run_cut_off_anywhere_is_finished_by_the_next(machines: Machines) -> None:
    undisturbed = machines()
    counting = Interrupted(undisturbed.root)
    undisturbed.apply(undisturbed.changes(), counting)
    for limit in range(counting.changes):
        case = machines()
        with suppress(CutOffError):
            case.apply(case.changes(), Interrupted(case.root, limit))
            raise AssertionError(f"the run was not cut off before its change number {limit}")
        case.apply(case.changes())
        assert (case.changes(), case.state()) == ((), undisturbed.state()), limit


def empty_machine_gives_a_state_or_a_clear_error(machines: Machines) -> None:
    case = machines()
    with tempfile.TemporaryDirectory() as folder, suppress(ConvergeError):
        empty = ReadOnlySystem(folder)
        case.provider.changes(empty, case.spec, case.provider.inspect(empty, case.spec))


def host_is_untouched(machines: Machines) -> None:
    case = machines()
    before = {folder: _snapshot(folder) for folder in HOST_FOLDERS}
    state = case.state()
    case.apply(case.changes())
    if case.has_way_back:
        case.apply(_leading(case.state(), _still_known(state, case.state())))
    assert {folder: _snapshot(folder) for folder in HOST_FOLDERS} == before


def states_are_small_and_their_fields_have_domains(machines: Machines) -> None:
    case = machines()
    names, state = set(field_names(case.provider.state_type)), case.state()
    assert json.loads(json.dumps(state, default=list)).keys() == names
    size = len(json.dumps(state))
    assert size < STATE_SIZE, f"the state has {size} characters: keep the address of a long text (system/contents.py)"
    assert case.provider.domains(case.system, case.spec).keys() == names


def changed_fields_are_claimed_or_their_group_is(machines: Machines) -> None:
    case = machines()
    claimed = {claim.field for claim in case.provider.claims(case.spec)}
    assert claimed <= case.state().keys()
    for change in case.changes():
        assert claimed & {change.field, *group_of(case.provider, change.field)}


def _problem(chosen: frozenset[str]) -> str:
    names = ", ".join(sorted(chosen))
    return f"applying {names} alone does not leave exactly the other fields: do they belong into one of traits.groups?"


Law = Callable[[Machines], None]
LAWS: tuple[Law, ...] = (
    apply_leaves_no_difference,
    inspection_changes_nothing,
    same_changes_can_be_applied_again,
    nothing_is_applied_without_changes,
    announced_changes_are_what_changes,
    part_of_the_changes_leaves_exactly_the_others,
    inverse_changes_give_the_state_before,
    run_cut_off_anywhere_is_finished_by_the_next,
    empty_machine_gives_a_state_or_a_clear_error,
    host_is_untouched,
    states_are_small_and_their_fields_have_domains,
    changed_fields_are_claimed_or_their_group_is,
)


def _leading(present: dict[str, Value], wanted: dict[str, Value]) -> tuple[Change, ...]:
    """The changes from one state to another, as undo makes them."""
    return tuple(Change(name, present[name], wanted[name]) for name in present if present[name] != wanted[name])


def _still_known(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The state before, as far as it can be restored: a replaced secret is stored nowhere."""

    def known(value: Any, now: Any) -> Any:  # noqa: ANN401  (values of a state)
        if isinstance(value, Mapping) and now:
            return _still_known(value, now)
        return now if is_digest(value) and now else value

    return {name: known(value, after[name]) for name, value in before.items()}


def _snapshot(folder: str) -> dict[str, tuple[Any, ...]]:
    """All files below a folder of the host, with the times of their last changes."""
    found: dict[str, tuple[Any, ...]] = {}
    for above, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            seen = os.lstat(os.path.join(above, name))
            found[os.path.join(above, name)] = (seen.st_ino, seen.st_mode, seen.st_uid, seen.st_size, seen.st_ctime_ns)
    return found


def _parts(provider: Provider, changes: tuple[Change, ...]) -> list[frozenset[str]]:
    """Sets of fields to apply, whole groups each: all of them if they are few, else each and all but each.

    A thing that is absent is made first: the group of `ensure` is then in every part.
    """
    fields = {change.field for change in changes}
    groups = sorted({frozenset(group_of(provider, name)) & fields for name in fields}, key=sorted)
    first = frozenset[str]().union(*(group for group in groups if "ensure" in group))
    rest = [group for group in groups if "ensure" not in group]
    sizes = range(len(rest) + 1) if len(rest) <= 4 else (1, len(rest) - 1)
    chosen = [first.union(*some) for size in sizes for some in combinations(rest, size)]
    return [part for part in chosen if part]
