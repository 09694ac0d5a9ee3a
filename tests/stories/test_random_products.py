"""The laws of a run, for products that nobody has thought of: drawn at random, on machines drawn at random.

What a run is interrupted at here is anything that it asks of the machine to change; `test_killed.py` kills whole
processes at system calls.
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
from converge.engine.request import prepare
from converge.engine.result import Run
from converge.engine.run import carry_out
from converge.engine.step import Plan
from converge.model import Decision, Event, Outcome
from converge.providers.registry import BUILTIN
from converge.render import json
from converge.system import System, lock
from converge.system.secrets import KEY, KEY_SIZE
from tests.cases.roots import contents
from tests.laws.interrupted import CutOffError, Interrupted
from tests.machine import Machine
from tests.programs import put_programs
from tests.stories import drawing
from tests.stories.drawing import Drawn
from tests.stories.test_foreign_root import fingerprint

UNDRAWN = {
    "ansible": "takes seconds for each time that it is asked what it would do: `tests/real/test_ansible.py` is its own",
    "flatpak-app": "needs a repository and seconds for each app: killed and adopted in stories of its own",
    "swap-partition": "needs a disk of its own: `tests/real/test_swap_partition.py`",
}

EXAMPLES = int(os.environ.get("CONVERGE_EXAMPLES", "150"))
"""How many products each test draws; `make soak` draws thousands."""

SECRET_KEY = "k" * KEY_SIZE
"""A machine gets its key with the first run that remembers a secret; a plan before that has other digests."""

UUID, SIGNATURE = slice(1036, 1052), slice(4086, 4096)
"""Places in a swap file."""

EVENTS = st.sampled_from((Event.INSTALL, Event.UPGRADE, None))


def test_every_type_is_drawn() -> None:
    assert set(drawing.TYPES) | set(UNDRAWN) == set(BUILTIN)


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


def told(done: Plan | Run) -> dict[str, list[object]]:
    """What is said of each step, in which secrets are left out: another process has another key until one is saved."""
    steps = (json.plan(done) if isinstance(done, Plan) else json.run(done))["steps"]
    return {step["id"]: [step[name] for name in ("decision", "action", "changes", "kept")] for step in steps}


def run_on(system: System, machine: Machine, why: Event | None) -> Run:
    with lock(system):
        plan, planner = prepare(machine.request(why), system.read_only())
        return carry_out(plan, planner, system)


@pytest.fixture(autouse=True, scope="module")
def host() -> Iterator[None]:
    """What these products name is not made on the host either."""
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
    """The plan; None where the product is refused, since two resources contradict each other."""
    try:
        return machine.plan(why)
    except InvalidManifest as refused:
        event(f"refused: {sorted({error.code for error in refused.report.errors})}")
        return None


@drawn_settings
@given(drawing.products(), EVENTS)
def test_a_run_does_what_its_plan_says_in_order_and_only_once(drawn: Drawn, why: Event | None) -> None:
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
        assert done >= {*result.step.needs, *result.step.work.follows}
        done.add(result.step.id)
        if result.outcome is Outcome.CHANGED:
            unsatisfied = (Decision.FAILED, Decision.BLOCKED, Decision.OWED)
            ends = {each.step.id: each.step.decision for each in run.results}
            assert not [id_ for id_ in result.step.needs if ends[id_] in unsatisfied]


def _holds_plan(plan: Plan, run: Run, certain: set[str]) -> None:
    planned, done = told(plan), told(run)
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
    """All of a root but what is converge's own; two swap files are the same that differ in their UUID (mkswap(8))."""
    return {name: (*rest, _without_uuid(what)) for name, (*rest, what) in contents(root).items()}


def _without_uuid(what: object) -> object:
    is_swap = isinstance(what, bytes) and what[SIGNATURE] == b"SWAPSPACE2"
    return what[: UUID.start] + what[UUID.stop :] if isinstance(what, bytes) and is_swap else what


def settle(machine: Machine) -> bool:
    """Run until nothing changes: what was declared in the wrong order comes about in the second run.

    False where two resources take turns, whose contradiction nobody could prove.
    """
    for _ in range(3):
        if not any(result.outcome is Outcome.CHANGED for result in machine.apply().results):
            return True
    event("never settles")
    return False
