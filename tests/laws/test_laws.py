"""The laws that every provider keeps, held against every specimen of every built-in type."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from itertools import combinations, count
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import frozen

from converge.errors import ConvergeError
from converge.model import Change, Value
from converge.providers.protocol import AnyProvider, field_names, fields_of, group_of, optional
from converge.providers.registry import BUILTIN, load
from converge.system import ReadOnlySystem, System
from converge.system.secrets import KEY, is_digest
from tests.laws.interrupted import CHANGING, CutOffError, Interrupted, lacking
from tests.laws.workshop import ELSEWHERE, HELLO, OTHER, Specimen, Workshop, specimens
from tests.real import flatpakrepo
from tests.real.flatpakrepo import Key, Server
from tests.real.partitioned import let_go

PASSWD = b"root:x:0:0::/root:/bin/sh\nsaned:x:117:117::/var/lib/saned:\n"
GROUP = b"root:x:0:\nsaned:x:117:\n"
SECRET_KEY = bytes(range(32))
"""The same on all roots, so that the changes of one can be made on another."""
HOST_FOLDERS = ("/etc", "/var/lib/converge", "/var/lib/flatpak", "/run/converge.lock")
STATE_SIZE = 4096
SPECIMENS = specimens()


@pytest.fixture(scope="session")
def key() -> Iterator[Key]:
    with flatpakrepo.signing_key() as made:
        yield made


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Iterator[Server]:
    path = tmp_path_factory.mktemp("apps") / "repo"
    flatpakrepo.build(path, [HELLO, OTHER], "stable", flatpakrepo.COLLECTION, **flatpakrepo.sign_with(key))
    with flatpakrepo.serve(path) as running:
        yield running


@frozen
class Case:
    """A specimen that stands ready on a root of its own."""

    provider: AnyProvider
    system: System
    spec: Any
    has_way_back: bool

    @property
    def root(self) -> str:
        return self.system.root

    def state(self) -> dict[str, Value]:
        return fields_of(self.provider.inspect(self.system.read_only(), self.spec))

    def diff(self) -> tuple[Change, ...]:
        return self.provider.diff(self.spec, self.provider.inspect(self.system.read_only(), self.spec))

    def apply(self, changes: tuple[Change, ...], system: System | None = None) -> None:
        self.provider.apply(system or self.system, self.spec, changes)


Prepared = Callable[[], Case]


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    """What has to be undone after a test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=SPECIMENS, ids=str)
def prepared(request: pytest.FixtureRequest, tmp_path: Path, undo: ExitStack) -> Prepared:
    """Prepare a specimen, on a new root each time."""
    specimen: Specimen = request.param
    numbers = count()
    workshop = Workshop(
        tmp_path,
        key=lambda: request.getfixturevalue("key"),
        url=lambda: request.getfixturevalue("server").url,
    )

    def prepare() -> Case:
        root = tmp_path / f"root-{next(numbers)}"
        if specimen.stand:
            specimen.stand(root, undo)
        for name in ("etc", "var", "run"):
            (root / name).mkdir(parents=True)
        system = System(str(root))
        undo.callback(let_go, system)
        system.write("/etc/passwd", PASSWD)
        system.write("/etc/group", GROUP)
        system.write(KEY, SECRET_KEY, mode=0o600)
        provider = load(specimen.type)
        has_way_back = not optional(provider, "OPAQUE", False) and not specimen.one_way
        return Case(provider, system, provider.parse(specimen.prepare(system, workshop)), has_way_back)

    return prepare


@pytest.fixture
def case(prepared: Prepared) -> Case:
    return prepared()


def leading(present: dict[str, Value], wanted: dict[str, Value]) -> tuple[Change, ...]:
    """The changes from one state to another, as undo makes them."""
    return tuple(Change(name, present[name], wanted[name]) for name in present if present[name] != wanted[name])


def still_known(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The state before as far as there is a way back to it: of a secret that was replaced nothing is kept."""

    def known(value: Any, now: Any) -> Any:
        if isinstance(value, Mapping) and now:
            return still_known(value, now)
        return now if is_digest(value) and now else value

    return {name: known(value, after[name]) for name, value in before.items()}


def snapshot(folder: str) -> dict[str, tuple[Any, ...]]:
    """Everything below a folder of the host, down to the times of the last change."""
    found: dict[str, tuple[Any, ...]] = {}
    for above, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            seen = os.lstat(os.path.join(above, name))
            found[os.path.join(above, name)] = (seen.st_ino, seen.st_mode, seen.st_uid, seen.st_size, seen.st_ctime_ns)
    return found


def test_every_type_has_specimens() -> None:
    assert {specimen.type for specimen in SPECIMENS} | set(ELSEWHERE) == set(BUILTIN)


def test_a_read_only_system_has_no_way_to_write(tmp_path: Path) -> None:
    assert {"write", "append", "remove", "make_folder", "set_owner", "set_mode", "fix", "keep", "run"} <= set(CHANGING)
    assert lacking(ReadOnlySystem(str(tmp_path))) == CHANGING


def test_apply_leaves_no_difference(case: Case) -> None:
    case.apply(case.diff())
    assert case.diff() == ()


def test_inspection_changes_nothing(case: Case) -> None:
    before = snapshot(case.root)
    case.diff()
    assert snapshot(case.root) == before


def test_the_same_changes_can_be_applied_again(case: Case) -> None:
    changes = case.diff()
    case.apply(changes)
    state = case.state()
    case.apply(changes)
    assert (case.diff(), case.state()) == ((), state)


def test_nothing_is_applied_without_changes(case: Case) -> None:
    state = case.state()
    with suppress(ConvergeError):
        case.apply(())
    assert case.state() == state


def test_what_was_announced_is_what_has_changed(case: Case) -> None:
    before, changes = case.state(), case.diff()
    case.apply(changes)
    after, announced = case.state(), {change.field: change.after for change in changes}
    assert {change.field: before[change.field] for change in changes} == {c.field: c.before for c in changes}
    assert {name: after[name] for name in announced} == announced
    if "ensure" not in announced:
        silent = set(before) - set(announced) - seen_only(case)
        assert {name: after[name] for name in silent} == {name: before[name] for name in silent}


def seen_only(case: Case) -> set[str]:
    """The fields of a state that follow from others."""
    state = type(case.provider.inspect(case.system, case.spec))
    return {field.name for field in attrs.fields(state) if field.metadata.get("seen")}


def test_a_part_of_the_changes_leaves_exactly_the_others(prepared: Prepared) -> None:
    changes = prepared().diff()
    for chosen in parts(prepared().provider, changes):
        case = prepared()
        case.apply(tuple(change for change in changes if change.field in chosen))
        left = {change.field: change.after for change in case.diff()}
        others = {change.field: change.after for change in changes if change.field not in chosen}
        if "ensure" in chosen:  # a thing that is made has values in all of its fields, some of them as asked
            assert left.items() <= others.items(), chosen
        else:
            assert left == others, chosen


def parts(provider: AnyProvider, changes: tuple[Change, ...]) -> list[frozenset[str]]:
    """Sets of fields to apply, whole groups each: all of them where they are few, else each and all but each.

    A thing that is not there yet is made first: the group of `ensure` is then in every part.
    """
    fields = {change.field for change in changes}
    groups = sorted({frozenset(group_of(provider, name)) & fields for name in fields}, key=sorted)
    first = frozenset[str]().union(*(group for group in groups if "ensure" in group))
    rest = [group for group in groups if "ensure" not in group]
    sizes = range(len(rest) + 1) if len(rest) <= 4 else (1, len(rest) - 1)
    chosen = [first.union(*some) for size in sizes for some in combinations(rest, size)]
    return [part for part in chosen if part]


def test_the_way_back_leads_to_the_state_before(case: Case) -> None:
    """What an opaque type does has none."""
    before = case.state()
    case.apply(case.diff())
    if not case.has_way_back:
        return
    after = case.state()
    wanted = still_known(before, after)
    case.apply(leading(after, wanted))
    assert case.state() == wanted


def test_wherever_a_run_is_cut_off_the_next_one_comes_to_the_same_end(prepared: Prepared) -> None:
    undisturbed = prepared()
    counting = Interrupted(undisturbed.root)
    undisturbed.apply(undisturbed.diff(), counting)
    for limit in range(counting.changes):
        case = prepared()
        with pytest.raises(CutOffError):
            case.apply(case.diff(), Interrupted(case.root, limit))
        case.apply(case.diff())
        assert (case.diff(), case.state()) == ((), undisturbed.state()), limit


def test_on_an_empty_machine_inspection_ends_in_a_state_or_a_clear_error(case: Case, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = ReadOnlySystem(str(tmp_path / "empty"))
    with suppress(ConvergeError):
        case.provider.diff(case.spec, case.provider.inspect(empty, case.spec))


def test_the_host_is_untouched(case: Case) -> None:
    before = {folder: snapshot(folder) for folder in HOST_FOLDERS}
    state = case.state()
    case.apply(case.diff())
    if case.has_way_back:
        case.apply(leading(case.state(), still_known(state, case.state())))
    assert {folder: snapshot(folder) for folder in HOST_FOLDERS} == before


def test_states_are_small_and_their_fields_have_domains(case: Case) -> None:
    names = set(field_names(type(case.provider.inspect(case.system, case.spec))))
    state = case.state()
    assert json.loads(json.dumps(state, default=list)).keys() == names
    assert len(json.dumps(state)) < STATE_SIZE
    assert case.provider.domains(case.system, case.spec).keys() == names


def test_whoever_changes_a_field_claims_it_or_its_group(case: Case) -> None:
    claimed = {claim.field for claim in case.provider.claims(case.spec)}
    assert claimed <= case.state().keys()
    for change in case.diff():
        assert claimed & {change.field, *group_of(case.provider, change.field)}
