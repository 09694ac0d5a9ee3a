"""The ledger entries of open work: the event, the settled revision before it, and the things."""

from pathlib import Path

import pytest

from converge.engine.ledger import Ledgers
from converge.engine.request import prepare
from converge.engine.run import carry_out
from converge.model import Decision, Effect, EffectKind, Entry, Event, Status
from converge.system import ReadOnlySystem, System
from converge.testing.interrupted import CutOffError, Interrupted
from tests.machine import Machine, decisions, outcomes

FILE = """
greeting:
  type: file
  apply: {policy}
  with: {{path: {path}, content: "{content}"}}
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.make(tmp_path)


def declare(
    machine: Machine, policy: str, content: str = "hello", extra: str = "", path: str = "/etc/greeting"
) -> None:
    machine.declare(FILE.format(policy=policy, content=content, path=path) + extra)


def loop(machine: Machine, for_each: str, keys: str = "") -> None:
    machine.declare(f"""
    modes:
      type: permissions
      apply: once
      for_each: '{{{{ {for_each} }}}}'
      {keys}
      with: {{path: "{{{{ item }}}}", mode: "0700"}}
    """)


def mode(machine: Machine, path: str) -> int:
    return machine.path(path).stat().st_mode & 0o777


def test_upgrade_fix_is_baselined_at_install_with_unknown_values(machine: Machine) -> None:
    declare(machine, "once\n  events: [upgrade]", "{{ cpu.vendor }}")
    assert decisions(machine.apply(Event.INSTALL)) == {"greeting": Decision.BASELINE}
    run = machine.apply(Event.UPGRADE, facts={"cpu.vendor": "x"})
    assert decisions(run) == {"greeting": Decision.SETTLED}
    assert [entry.things for entry in machine.entries()] == [("path:/etc/greeting",)]


def test_a_resource_that_cannot_be_evaluated_keeps_its_event(machine: Machine) -> None:
    machine.declare("""
    greeting:
      type: file
      apply: once
      events: [upgrade]
      with: {path: /etc/greeting, content: hello, mode: "{{ machine.vendor }}"}
    """)
    assert outcomes(machine.apply(Event.UPGRADE, facts={"machine.vendor": "no mode"})) == {"greeting": "failed"}
    assert outcomes(machine.apply(Event.REFRESH, facts={"machine.vendor": "0600"})) == {"greeting": "changed"}
    assert [entry.status for entry in machine.entries()] == [Status.DONE]


def test_owed_revision_leaves_the_one_before_settled(machine: Machine) -> None:
    declare(machine, "once")
    machine.apply(Event.UPGRADE)
    declare(machine, "once\n  revision: 2", "{{ cpu.vendor }}")
    assert decisions(machine.apply(Event.UPGRADE)) == {"greeting": Decision.OWED}
    declare(machine, "once")
    assert decisions(machine.apply(Event.REFRESH)) == {"greeting": Decision.SETTLED}
    declare(machine, "once\n  revision: 2", "{{ cpu.vendor }}")
    assert outcomes(machine.apply(Event.REFRESH, facts={"cpu.vendor": "x"})) == {"greeting": "changed"}


def test_released_debt_leaves_the_revision_before_settled(machine: Machine) -> None:
    declare(machine, "once")
    machine.apply(Event.UPGRADE)
    declare(machine, "once\n  revision: 2\n  when: memory.total > 2", "new")
    assert decisions(machine.apply(Event.UPGRADE)) == {"greeting": Decision.OWED}
    run = machine.apply(Event.REFRESH, facts={"memory.total": 1})
    assert decisions(run) == {"greeting": Decision.NOT_APPLICABLE}
    declare(machine, "once", "new")
    assert decisions(machine.apply(Event.REFRESH)) == {"greeting": Decision.SETTLED}


def test_released_debt_leaves_a_removal_respected(machine: Machine) -> None:
    declare(machine, "always\n  on_user_change: keep\n  when: memory.total > 2")
    machine.apply(Event.UPGRADE, facts={"memory.total": 4})
    machine.path("/etc/greeting").unlink()
    found = [decisions(machine.apply(Event.REFRESH, facts=facts)) for facts in ({}, {"memory.total": 1})]
    assert found == [{"greeting": Decision.OWED}, {"greeting": Decision.NOT_APPLICABLE}]
    run = machine.apply(Event.REFRESH, facts={"memory.total": 4})
    assert decisions(run) == {"greeting": Decision.KEEP}


@pytest.mark.parametrize(
    ("event", "keys"), [(Event.INSTALL, "events: [upgrade]"), (Event.UPGRADE, "why: it was at fault")]
)
def test_a_loop_that_found_nothing_is_settled(machine: Machine, event: Event, keys: str) -> None:
    loop(machine, 'glob("/var/*.d")', keys)
    machine.apply(event)
    machine.path("/var/new.d").mkdir(mode=0o755)
    assert decisions(machine.apply(Event.UPGRADE)) == {"modes[/var/new.d]": Decision.BASELINE}
    assert mode(machine, "/var/new.d") == 0o755


@pytest.mark.parametrize("keys", ["events: [upgrade]", "when: memory.total > 2"])
def test_a_loop_that_was_not_due_is_not_settled(machine: Machine, keys: str) -> None:
    loop(machine, 'glob("/var/*.d")', keys)
    machine.apply(Event.REFRESH)
    machine.path("/var/new.d").mkdir(mode=0o755)
    run = machine.apply(Event.UPGRADE, facts={"memory.total": 4})
    assert outcomes(run) == {"modes[/var/new.d]": "changed"}


def test_elements_of_a_loop_that_was_unknown_keep_its_event(machine: Machine) -> None:
    machine.path("/var/some").mkdir(mode=0o755)
    loop(machine, 'cpu.vendor | default("") | split(":")', "events: [upgrade]")
    assert decisions(machine.apply(Event.UPGRADE)) == {"modes": Decision.OWED}
    assert outcomes(machine.apply(Event.REFRESH, facts={"cpu.vendor": "/var/some"})) == {"modes[/var/some]": "changed"}
    assert [entry.id for entry in machine.entries()] == ["modes[/var/some]"]


def test_elements_of_an_unknown_loop_are_not_orphans(machine: Machine) -> None:
    machine.path("/var/some").mkdir(mode=0o755)
    loop(machine, 'cpu.vendor | default("") | split(":")')
    machine.apply(Event.UPGRADE, facts={"cpu.vendor": "/var/some"})
    assert machine.status().orphans == ()


def cut_off(machine: Machine, limit: int) -> None:
    """Apply, cut off before the change number `limit`."""
    plan, planner = prepare(machine.request(Event.UPGRADE), ReadOnlySystem(str(machine.root)))
    with pytest.raises(CutOffError):
        carry_out(plan, planner, Interrupted(str(machine.root), limit))


def intents(machine: Machine) -> list[str]:
    return [id_ for ledger in Ledgers.load(ReadOnlySystem(str(machine.root))) for id_ in ledger.memory.intents]


def interrupted_in_apply(machine: Machine) -> None:
    limit = 0
    while not intents(machine):
        cut_off(machine, limit)
        limit += 1


def test_interrupted_change_is_resumed_with_guard_no_longer_met(machine: Machine) -> None:
    machine.path("/etc/greeting").write_text("x")
    machine.path("/etc/greeting").chmod(0o644)
    machine.declare("""
    greeting:
      type: file
      apply: once
      only_if: {mode: "0644"}
      with: {path: /etc/greeting, mode: "0600", content: hello}
    """)
    interrupted_in_apply(machine)
    machine.path("/etc/greeting").chmod(0o600)
    assert outcomes(machine.apply(Event.UPGRADE)) == {"greeting": "changed"}
    assert machine.path("/etc/greeting").read_text() == "hello"


def test_an_interrupted_change_of_another_thing_is_not_resumed(machine: Machine) -> None:
    for name in ("one", "two"):
        machine.path(f"/etc/{name}").write_text("x")
    guard = "once\n  only_if: {mode: '0755'}"
    machine.path("/etc/one").chmod(0o755)
    declare(machine, guard, path="/etc/one")
    interrupted_in_apply(machine)
    declare(machine, guard, path="/etc/two")
    assert decisions(machine.apply(Event.UPGRADE)) == {"greeting": Decision.NOT_APPLICABLE}
    assert machine.path("/etc/two").read_text() == "x"


NEEDING = """
private:
  type: file
  apply: always
  needs: [greeting]
  only_if: {{ensure: present}}
  with: {{path: {path}, mode: "0600"}}
"""


def test_guard_waits_for_the_step_that_makes_its_thing(machine: Machine) -> None:
    declare(machine, "always", extra=NEEDING.format(path="/etc/greeting"))
    steps = {step.id: step for step in machine.plan(Event.INSTALL).steps}
    assert not steps["private"].certain
    assert outcomes(machine.apply(Event.INSTALL)) == {"greeting": "changed", "private": "changed"}


def test_a_guard_on_another_thing_waits_for_nothing(machine: Machine) -> None:
    declare(machine, "always", extra=NEEDING.format(path="/etc/other"))
    assert decisions(machine.plan(Event.INSTALL))["private"] is Decision.NOT_APPLICABLE


def test_step_that_waits_for_a_debt_has_not_failed(machine: Machine) -> None:
    declare(machine, "always", "{{ cpu.vendor }}", NEEDING.format(path="/etc/passwd"))
    run = machine.apply(Event.UPGRADE)
    assert outcomes(run) == {"greeting": "owed", "private": "blocked"}
    assert (run.had_errors, run.exit_code) == (False, 0)


def test_effects_of_a_killed_run_are_dropped_under_foreign_root(machine: Machine) -> None:
    declare(machine, "always")
    machine.apply(Event.UPGRADE)
    system = System(str(machine.root))
    ledger = Ledgers.load(system).machine
    entry = Entry("other", "file", Status.DONE)
    resource = machine.plan().product.resources["greeting"]
    ledger.commit(system, entry, resource, (Effect(EffectKind.RESTART, "greeting.service"),))
    run = machine.apply(Event.REFRESH)
    assert (run.effects, run.effect_errors) == ((), ())
    assert Ledgers.load(system).machine.memory.effects == ()


def test_resource_renamed_while_when_is_false_is_not_an_orphan(machine: Machine) -> None:
    declare(machine, "always")
    machine.apply(Event.INSTALL)
    machine.declare(
        FILE.replace("greeting:", "welcome:\n  renamed_from: greeting\n  when: false").format(
            policy="always", path="/etc/greeting", content="hello"
        )
    )
    machine.apply(Event.UPGRADE)
    assert machine.status().orphans == ()
