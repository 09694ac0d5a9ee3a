"""A resource of which everything has been done but what the next boot brings: owed, told each time, changed no more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.language import schema
from converge.model import Decision
from converge.providers import registry as providers
from tests.machine import Machine, decisions, outcomes, reasons

ENTRY_POINTS = "[converge.providers]\noven = tests.stories.third_party.oven\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """It has an oven of 100 degrees, of which nothing is set."""
    package = tmp_path / "packages" / "oven-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: oven\nVersion: 1\n")
    (package / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(package.parent))
    providers.load.cache_clear()
    schema.find.cache_clear()
    made = Machine.make(tmp_path)
    made.path("/var/heat").write_text("100")
    yield made
    providers.load.cache_clear()
    schema.find.cache_clear()


def declare(machine: Machine, degrees: int, policy: str = "always", user: str = "overwrite") -> None:
    machine.declare(f"""
    oven: {{type: oven, apply: {policy}, on_user_change: {user}, with: {{degrees: {degrees}}}}}
    bread: {{type: file, apply: always, needs: [oven], with: {{path: /etc/bread, content: ""}}}}
    plate: {{type: file, apply: always, with: {{path: /etc/plate, content: ""}}}}
    """)


def boot(machine: Machine) -> None:
    machine.path("/var/heat").write_text(machine.path("/etc/oven").read_text())


@pytest.mark.parametrize("policy", ["always", "once"])
def test_what_can_be_done_is_done_and_the_rest_is_owed(policy: str, machine: Machine) -> None:
    declare(machine, 180, policy)
    assert decisions(machine.plan())["oven"] is Decision.APPLY
    run = machine.apply()
    assert outcomes(run) == {"oven": "owed", "bread": "blocked", "plate": "changed"}
    assert reasons(run)["oven"] == "it has 100 degrees until the next boot"
    assert machine.path("/etc/oven").read_text() == "180"
    (oven, *_) = run.results
    assert (oven.before_state, oven.after_state) == ({"degrees": None}, {"degrees": 180})
    written = machine.path("/etc/oven").stat().st_mtime_ns
    plan = machine.plan()
    assert decisions(plan)["oven"] is Decision.OWED
    assert outcomes(machine.apply()) == {"oven": "owed", "bread": "blocked", "plate": "unchanged"}
    assert machine.path("/etc/oven").stat().st_mtime_ns == written
    boot(machine)
    assert outcomes(machine.apply()) == {"oven": "unchanged", "bread": "changed", "plate": "unchanged"}
    assert decisions(machine.plan())["oven"] is {"once": Decision.SETTLED}.get(policy, Decision.IN_PLACE)


def test_what_was_left_is_ours_to_change_again_and_what_somebody_sets_meanwhile_is_not(machine: Machine) -> None:
    declare(machine, 180)
    machine.apply()
    declare(machine, 200, user="keep")
    assert decisions(machine.plan())["oven"] is Decision.APPLY
    machine.apply()
    assert machine.path("/etc/oven").read_text() == "200"
    machine.path("/etc/oven").write_text("90")
    assert decisions(machine.plan())["oven"] is Decision.KEEP
