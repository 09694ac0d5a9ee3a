"""Commands under the policies: run if a guard or a change requires it, not more often, and again after a failure."""

from pathlib import Path
from typing import Any

import pytest

from converge.engine.plan import Plan
from converge.engine.result import Run
from converge.model import Decision, Event, Policy
from converge.system import CommandResult, System
from tests.machine import Machine, decisions, outcomes, reasons
from tests.programs import put_programs

ALIASES = """
    aliases:
      type: file
      apply: always
      with: {{path: /etc/aliases, content: "{content}"}}
    compiled:
      type: command
      apply: always
      with:
        argv: [sh, -c, "cp /etc/aliases /var/aliases.db && echo x >>/var/runs"]
        domain: machine
        {guard}
"""
FOLLOWING = "after_change: [aliases]"
COMPARING = "unless: [grep, -qxFf, /etc/aliases, /var/aliases.db]"


class KilledError(BaseException):
    pass


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine.make(tmp_path)
    put_programs(machine.root)
    return machine


def declare(machine: Machine, content: str, guard: str) -> None:
    machine.declare(ALIASES.format(content=content, guard=guard))


def runs(machine: Machine) -> int:
    path = machine.path("/var/runs")
    return len(path.read_text().splitlines()) if path.exists() else 0


def counting(machine: Machine, policy: str, guard: str, **keys: Any) -> None:
    """Declare a command that adds a line to /var/runs."""
    more = "".join(f"\n      {name}: {value}" for name, value in keys.items())
    machine.declare(f"""
    count:
      type: command
      apply: {policy}{more}
      with: {{argv: [sh, -c, "echo x >>/var/runs"], domain: machine, {guard}}}
    """)


def test_once_is_run_once_even_if_its_result_is_removed(machine: Machine) -> None:
    counting(machine, "once", "creates: /var/runs")
    assert outcomes(machine.apply(Event.UPGRADE)) == {"count": "changed"}
    machine.path("/var/runs").unlink()
    assert decisions(machine.apply()) == {"count": Decision.SETTLED}
    counting(machine, "once", "creates: /var/runs", revision=2)
    assert outcomes(machine.apply()) == {"count": "changed"}


def test_once_with_edited_arguments_is_not_run_again(machine: Machine) -> None:
    counting(machine, "once", "creates: /var/runs")
    machine.apply(Event.UPGRADE)
    counting(machine, "once", "creates: /var/runs, cwd: /var")
    assert reasons(machine.apply())["count"].startswith("definition edited, revision not raised (not applied)")


def test_always_is_run_again_if_its_guard_requires_it(machine: Machine) -> None:
    counting(machine, "always", "creates: /var/runs")
    machine.apply(Event.UPGRADE)
    assert decisions(machine.apply()) == {"count": Decision.IN_PLACE}
    machine.path("/var/runs").unlink()
    plan = machine.plan()
    step = plan.steps[0]
    assert (step.policy, step.reason) == (Policy.ALWAYS, "drifted since the last run")
    assert [change.after for change in step.changes] == [True]
    machine.apply()
    assert runs(machine) == 1


def test_follower_runs_after_a_change_and_not_otherwise(machine: Machine) -> None:
    declare(machine, "a", FOLLOWING)
    assert outcomes(machine.apply(Event.UPGRADE)) == {"aliases": "changed", "compiled": "changed"}
    run = machine.apply()
    assert (reasons(run)["compiled"], runs(machine)) == ("no followed resource has changed", 1)
    declare(machine, "b", FOLLOWING)
    machine.apply()
    assert (machine.path("/var/aliases.db").read_text(), runs(machine)) == ("b", 2)


def certain(plan: Plan | Run) -> bool:
    steps = plan.steps if isinstance(plan, Plan) else [result.step for result in plan.results]
    return steps[-1].certain


def test_guard_that_a_change_affects_is_checked_after_it(machine: Machine) -> None:
    """The guard is met before the change and not after it: a notice that is taken before would be lost."""
    guard = f"{FOLLOWING}\n        {COMPARING}"
    declare(machine, "a", guard)
    machine.apply(Event.UPGRADE)
    declare(machine, "b", guard)
    plan = machine.plan()
    assert (certain(plan), reasons(plan)["compiled"]) == (False, "decided after 'aliases' is applied")
    assert outcomes(machine.apply())["compiled"] == "changed"
    assert runs(machine) == 2
    declare(machine, "b\\n", guard)
    assert outcomes(machine.apply()) == {"aliases": "changed", "compiled": "unchanged"}
    assert decisions(machine.apply())["compiled"] is Decision.IN_PLACE


def test_guard_that_a_dependency_affects_is_checked_after_it(machine: Machine) -> None:
    machine.declare("""
    aliases:
      type: file
      apply: always
      with: {path: /etc/aliases, content: "new"}
    compiled:
      type: command
      apply: always
      needs: [aliases]
      with: {argv: [cp, /etc/aliases, /var/db], domain: machine, unless: [grep, -qxFf, /etc/aliases, /var/db]}
    reader:
      type: file
      apply: always
      needs: [compiled]
      with: {path: /var/db, content: "mine"}
    """)
    for name in ("etc/aliases", "var/db"):
        machine.path(name).write_text("mine")
    plan = machine.plan(Event.UPGRADE)
    assert reasons(plan)["compiled"] == "decided after 'aliases' is applied"
    assert reasons(plan)["reader"] == "decided after 'compiled' is applied"
    assert set(outcomes(machine.apply(Event.UPGRADE)).values()) == {"changed"}
    assert machine.path("/var/db").read_text() == "mine"


def test_two_similar_commands_both_run(machine: Machine) -> None:
    machine.declare("""
    one:
      type: command
      apply: always
      with: {argv: [touch, /var/one], domain: machine, creates: /var/one}
    other:
      type: command
      apply: always
      with: {argv: [touch, /var/other], domain: machine, creates: /var/other}
    """)
    plan = machine.plan(Event.UPGRADE)
    assert [step.certain for step in plan.steps] == [True, True]
    assert outcomes(machine.apply(Event.UPGRADE)) == {"one": "changed", "other": "changed"}


def test_program_that_a_followed_change_brings_may_be_missing(machine: Machine) -> None:
    machine.declare("""
    script:
      type: file
      apply: always
      with: {path: /bin/count, content: "#!/bin/sh\\n[ -e /var/runs$1 ]", mode: "0755"}
    counted:
      type: command
      apply: always
      with: {argv: [touch, /var/runs], domain: machine, unless: [count], after_change: [script]}
    """)
    assert not certain(machine.plan(Event.UPGRADE))
    assert outcomes(machine.apply(Event.UPGRADE)) == {"script": "changed", "counted": "changed"}


def test_failed_command_is_run_again_without_a_new_change(machine: Machine) -> None:
    machine.path("/var/aliases.db").mkdir()
    machine.path("/var/aliases.db/aliases").mkdir()
    declare(machine, "a", FOLLOWING)
    run = machine.apply(Event.UPGRADE)
    assert (outcomes(run)["compiled"], int(run.exit_code)) == ("failed", 4)
    assert reasons(run)["compiled"].startswith("'sh' failed with code 1: cp: ")
    machine.path("/var/aliases.db/aliases").rmdir()
    assert outcomes(machine.apply()) == {"aliases": "unchanged", "compiled": "changed"}


def test_killed_once_is_run_again_and_not_more_often(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    counting(machine, "once", "creates: /var/done")
    undisturbed = System.run

    def killed(system: System, *args: Any, **options: Any) -> CommandResult:
        undisturbed(system, *args, **options)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(System, "run", killed)
        with pytest.raises(KilledError):
            machine.apply(Event.UPGRADE)
    assert runs(machine) == 1
    counting(machine, "once", "creates: /var/runs")
    assert decisions(machine.apply()) == {"count": Decision.APPLY}
    assert runs(machine) == 1, "its guard shows that it was completed"
    assert decisions(machine.apply()) == {"count": Decision.SETTLED}


def test_command_that_exits_with_75_is_owed(machine: Machine) -> None:
    machine.declare("""
    busy:
      type: command
      apply: once
      with: {argv: [sh, -c, "[ -e /var/ready ] || exit 75; touch /var/done"], domain: machine, creates: /var/done}
    """)
    run = machine.apply(Event.UPGRADE)
    assert (decisions(run), int(run.exit_code)) == ({"busy": Decision.OWED}, 0)
    machine.path("/var/ready").touch()
    assert outcomes(machine.apply()) == {"busy": "changed"}
