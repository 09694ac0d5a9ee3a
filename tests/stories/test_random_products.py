"""The laws of a run, for random products on random machines.

Here a run is interrupted before any of its changes to the machine; `test_killed.py` kills whole processes at system
calls.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from json import dumps
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from converge.diagnostics import InvalidManifest
from converge.engine.plan import Plan
from converge.engine.request import prepare
from converge.engine.result import Run
from converge.engine.run import carry_out
from converge.language import schema
from converge.model import Decision, Event, Outcome
from converge.render import json
from converge.system import System, lock
from converge.system.secrets import KEY, KEY_SIZE
from converge.testing.interrupted import CutOffError, Interrupted
from tests.cases.roots import contents
from tests.machine import Machine
from tests.programs import put_programs
from tests.stories import drawing
from tests.stories.drawing import Drawn
from tests.stories.test_foreign_root import fingerprint

UNDRAWN = {
    "ansible": "takes seconds for each check: `tests/real/test_ansible.py` tests it",
    "flatpak-app": "needs a repository and seconds for each app: killed and adopted in stories of its own",
    "swap-partition": "needs a disk of its own: `tests/real/test_swap_partition.py`",
}

EXAMPLES = int(os.environ.get("CONVERGE_EXAMPLES", "150"))
"""The number of products that each test draws; `make soak` draws thousands."""

SECRET_KEY = "k" * KEY_SIZE
"""A machine gets its key in the first run that records a secret; a plan before it has other digests."""

UUID, SIGNATURE = slice(1036, 1052), slice(4086, 4096)
"""Places in a swap file."""

EVENTS = st.sampled_from((Event.INSTALL, Event.UPGRADE, None))


def test_every_type_is_drawn() -> None:
    assert set(drawing.TYPES) | set(UNDRAWN) == set(schema.types())


@contextmanager
def machine_of(drawn: Drawn) -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine.make(Path(folder))
        put_programs(machine.root)
        put(machine, {**drawn.before, KEY: SECRET_KEY})
        machine.manifest.write_text(
            dumps({"converge": 1, "product": "test", "title": "Test", "resources": drawn.resources})
        )
        yield machine


def put(machine: Machine, files: Mapping[str, str]) -> None:
    for path, content in files.items():
        if not machine.path(path).is_dir():
            machine.path(path).parent.mkdir(parents=True, exist_ok=True)
            machine.path(path).write_text(content)


def shown(done: Plan | Run) -> dict[str, list[object]]:
    """The JSON of each step, without secrets: until a key is saved, each process has its own."""
    steps = (json.plan(done) if isinstance(done, Plan) else json.run(done))["steps"]
    return {step["id"]: [step[name] for name in ("decision", "action", "changes", "kept")] for step in steps}


def run_on(system: System, machine: Machine, why: Event | None) -> Run:
    with lock(system):
        plan, planner = prepare(machine.request(why), system.read_only())
        return carry_out(plan, planner, system)


@pytest.fixture(autouse=True, scope="module")
def host() -> Iterator[None]:
    """The things that these products name are not made on the host either."""
    places = (
        "/etc/app",
        "/var/lib/app",
        "/etc/converge",
        "/var/lib/converge",
        "/var/lib/flatpak",
        "/ostree",
        "/boot",
        "/etc/fstab",
        "/etc/systemd",
        "/var/swap",
    )
    before = fingerprint(*places)
    yield
    assert fingerprint(*places) == before


drawn_settings = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=set(Phase) - {Phase.shrink},  # the products are small, and making one smaller takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def tried(machine: Machine, why: Event | None) -> Plan | None:
    """The plan; None if the product is refused because two resources contradict each other."""
    try:
        return machine.plan(why)
    except InvalidManifest as refused:
        event(f"refused: {sorted({error.code for error in refused.report.errors})}")
        return None


@drawn_settings
@given(drawing.products(), EVENTS)
def test_run_makes_the_planned_changes_in_order_and_once(drawn: Drawn, why: Event | None) -> None:
    with machine_of(drawn) as machine:
        plan = tried(machine, why)
        if plan is None:
            return
        run = machine.apply(why)
        certain = {step.id for step in plan.steps if step.certain}
        changed = {result.step.id for result in run.results if result.outcome is Outcome.CHANGED}
        event(f"{len(changed)} changed")
        _holds_order(run)
        _holds_plan(plan, run, certain)
        if settle(machine):
            after = contents(machine.root)
            assert not [r.step.id for r in machine.apply().results if r.outcome is Outcome.CHANGED]
            assert contents(machine.root) == after


def _holds_order(run: Run) -> None:
    done: set[str] = set()
    for result in run.results:
        assert done >= {*result.step.needs, *result.step.follows}
        done.add(result.step.id)
        if result.outcome is Outcome.CHANGED:
            unsatisfied = (Decision.FAILED, Decision.BLOCKED, Decision.OWED)
            ends = {each.step.id: each.step.decision for each in run.results}
            assert not [id_ for id_ in result.step.needs if ends[id_] in unsatisfied]


def _holds_plan(plan: Plan, run: Run, certain: set[str]) -> None:
    planned, done = shown(plan), shown(run)
    failed = {result.step.id for result in run.results if result.outcome in (Outcome.FAILED, Outcome.BLOCKED)}
    different = {id_ for id_ in planned if planned[id_] != done[id_]}
    assert different & certain <= failed, {id_: (planned[id_], done[id_]) for id_ in different}


@drawn_settings
@given(drawing.products(), EVENTS, st.integers(0, 60))
def test_a_run_that_is_cut_off_is_finished_by_the_next(drawn: Drawn, why: Event | None, limit: int) -> None:
    with machine_of(drawn) as undisturbed, machine_of(drawn) as machine:
        if tried(undisturbed, why) is None:
            return
        undisturbed.apply(why)
        try:
            run_on(Interrupted(str(machine.root), limit), machine, why)
        except CutOffError:
            event("cut off")
        machine.apply(why)
        if settle(undisturbed):
            assert settle(machine)
            assert same(machine.root) == same(undisturbed.root)


def same(root: Path) -> dict[str, tuple[object, ...]]:
    """All of a root except converge's own files; swap files that differ only in their UUID (mkswap(8)) are equal."""
    return {name: (*rest, _without_uuid(what)) for name, (*rest, what) in contents(root).items()}


def _without_uuid(what: object) -> object:
    is_swap = isinstance(what, bytes) and what[SIGNATURE] == b"SWAPSPACE2"
    return what[: UUID.start] + what[UUID.stop :] if isinstance(what, bytes) and is_swap else what


def settle(machine: Machine) -> bool:
    """Run until nothing changes: resources declared in the wrong order need a second run.

    False if two resources undo each other in turn: their contradiction cannot be proved.
    """
    for _ in range(3):
        if not any(result.outcome is Outcome.CHANGED for result in machine.apply().results):
            return True
    event("never settles")
    return False
