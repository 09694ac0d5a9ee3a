"""A resource that follows others does something after each of their changes, and a kill does not lose that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.diagnostics import InvalidManifest
from converge.engine.execution import Execution
from converge.engine.ledger import Ledgers
from converge.engine.result import StepResult
from converge.engine.step import Step
from converge.language import schema
from converge.model import Decision, EffectKind, Event
from converge.providers import registry as providers
from converge.system import ReadOnlySystem
from tests.machine import Machine, decisions, outcomes, reasons

ENTRY_POINTS = "[converge.providers]\nbell = tests.stories.third_party.bell\n"


class KilledError(BaseException):
    pass


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    package = tmp_path / "packages" / "bell-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: bell\nVersion: 1\n")
    (package / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(package.parent))
    providers.load.cache_clear()
    schema.find.cache_clear()
    yield Machine.make(tmp_path)
    providers.load.cache_clear()
    schema.find.cache_clear()


def declare(machine: Machine, content: str = "1", policy: str = "always", fault: str = "") -> None:
    """The bell is declared first: only `after_change` puts it in order."""
    machine.declare(f"""
    bell:
      type: bell
      apply: {policy}
      with: {{after_change: [one, other], fault: "{fault}"}}
    one:
      type: file
      apply: always
      with: {{path: /etc/one, content: "{content}"}}
    other:
      type: file
      apply: always
      for_each: [a, b]
      with: {{path: "/etc/other-{{{{ item }}}}", content: "x"}}
    """)


def rung(machine: Machine) -> list[str]:
    bell = machine.path("/var/bell")
    return bell.read_text().splitlines() if bell.exists() else []


def owed_notices(machine: Machine) -> list[tuple[str, str]]:
    ledgers = Ledgers.load(ReadOnlySystem(str(machine.root)))
    effects = (effect for ledger in ledgers for effect in ledger.memory.effects)
    return [(effect.unit, effect.cause) for effect in effects if effect.kind is EffectKind.NOTICE]


def test_follower_runs_after_changes_and_names_them(machine: Machine) -> None:
    declare(machine)
    plan = machine.plan(Event.UPGRADE)
    assert [step.id for step in plan.steps] == ["one", "other[a]", "other[b]", "bell"]
    planned = plan.steps[-1]
    assert (planned.decision, planned.certain) == (Decision.APPLY, True)
    run = machine.apply(Event.UPGRADE)
    assert run.results[-1].step.changes == planned.changes
    assert rung(machine) == ["after one, other[a], other[b]"]
    assert owed_notices(machine) == []


def test_follower_does_nothing_without_changes(machine: Machine) -> None:
    declare(machine)
    machine.apply(Event.UPGRADE)
    run = machine.apply()
    assert decisions(run)["bell"] is Decision.NOT_APPLICABLE
    assert reasons(run)["bell"] == "nothing that it follows has changed"
    declare(machine, content="2")
    machine.apply()
    assert rung(machine)[1:] == ["after one"]


def test_a_once_follows_only_once(machine: Machine) -> None:
    declare(machine, policy="once")
    machine.apply(Event.UPGRADE)
    declare(machine, content="2", policy="once")
    assert decisions(machine.apply())["bell"] is Decision.SETTLED
    assert len(rung(machine)) == 1
    assert owed_notices(machine) == []


def test_failed_follower_gets_its_notice_again(machine: Machine) -> None:
    machine.path("/var/broken").touch()
    declare(machine, fault="/var/broken")
    assert outcomes(machine.apply(Event.UPGRADE))["bell"] == "failed"
    assert {cause for _, cause in owed_notices(machine)} == {"one", "other[a]", "other[b]"}
    machine.path("/var/broken").unlink()
    assert outcomes(machine.apply())["bell"] == "changed"
    assert rung(machine) == ["after one, other[a], other[b]"]


def test_failed_change_gives_no_notice(machine: Machine) -> None:
    declare(machine)
    machine.path("/etc/one").mkdir()
    run = machine.apply(Event.UPGRADE)
    assert (outcomes(run)["one"], outcomes(run)["bell"]) == ("failed", "changed")
    assert rung(machine) == ["after other[a], other[b]"]


def test_notice_of_a_killed_run_is_delivered_by_the_next(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(machine)

    undisturbed = Execution.carry_out

    def killed(execution: Execution, step: Step) -> StepResult:
        if step.id == "bell":
            raise KilledError
        return undisturbed(execution, step)

    with monkeypatch.context() as patch:
        patch.setattr(Execution, "carry_out", killed)
        with pytest.raises(KilledError):
            machine.apply(Event.UPGRADE)
    assert machine.path("/etc/one").read_text() == "1"
    assert rung(machine) == []
    machine.apply()
    assert [sorted(line.removeprefix("after ").split(", ")) for line in rung(machine)] == [
        ["one", "other[a]", "other[b]"]
    ]
    machine.apply()
    assert len(rung(machine)) == 1


def test_notice_for_an_undeclared_resource_is_dropped(machine: Machine) -> None:
    machine.path("/var/broken").touch()
    declare(machine, fault="/var/broken")
    machine.apply(Event.UPGRADE)
    machine.declare("one: {type: file, apply: always, with: {path: /etc/one, content: x}}")
    machine.apply()
    assert owed_notices(machine) == []


def test_an_unknown_id_and_a_circle_are_found_without_a_machine(machine: Machine) -> None:
    machine.declare("""
    a: {type: bell, apply: always, with: {after_change: [b]}}
    b: {type: bell, apply: always, with: {after_change: [a]}}
    c: {type: bell, apply: always, with: {after_change: [bb]}}
    """)
    with pytest.raises(InvalidManifest) as caught:
        machine.plan()
    found = [(error.code, error.message, error.hint) for error in caught.value.report.errors]
    assert ("unknown-id", "'c' follows 'bb', which does not exist", "did you mean 'b'?") in found
    assert "needs-cycle" in [code for code, _, _ in found]


def test_blocked_follower_stays_blocked_after_a_change(machine: Machine) -> None:
    machine.declare("""
    one:
      type: file
      apply: always
      with: {path: /etc/one, content: "1"}
    same:
      type: file
      apply: always
      needs: [one]
      with: {path: /etc/one, mode: "0644"}
    missing:
      type: file
      apply: always
      needs: [one]
      with: {path: /etc/missing, source: /etc/nothing}
    bell:
      type: bell
      apply: always
      needs: [missing]
      with: {after_change: [one, same], fault: ""}
    """)
    found = outcomes(machine.apply(Event.UPGRADE))
    assert found == {"one": "changed", "same": "unchanged", "missing": "failed", "bell": "blocked"}
    assert rung(machine) == []
