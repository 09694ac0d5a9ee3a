"""A resource that is applied but takes effect at the next boot: owed, reported each time, not changed again."""

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
    """It has an oven at 100 degrees without a setting."""
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
def test_possible_part_is_applied_and_the_rest_is_owed(policy: str, machine: Machine) -> None:
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


def test_own_values_are_changed_again_but_not_a_users_later_one(machine: Machine) -> None:
    declare(machine, 180)
    machine.apply()
    declare(machine, 200, user="keep")
    assert decisions(machine.plan())["oven"] is Decision.APPLY
    machine.apply()
    assert machine.path("/etc/oven").read_text() == "200"
    machine.path("/etc/oven").write_text("90")
    assert decisions(machine.plan())["oven"] is Decision.KEEP
