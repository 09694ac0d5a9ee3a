"""Machines through their lives: what each policy does as a machine is installed, changed by its user and upgraded."""

from pathlib import Path

import pytest

from converge.model import Decision, Event
from tests.machine import Machine, decisions, outcomes, reasons, snapshot

FILES = """
    greeting:
      type: file
      apply: {policy}
      with: {{path: /etc/greeting, content: "{content}"}}
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.make(tmp_path)


def declare(machine: Machine, policy: str, content: str = "hello", extra: str = "") -> None:
    machine.declare(FILES.format(policy=policy, content=content) + extra)


def greeting(machine: Machine) -> str | None:
    path = machine.path("/etc/greeting")
    return path.read_text() if path.exists() else None


def test_the_second_apply_changes_nothing_at_all(machine: Machine) -> None:
    declare(machine, "always")
    assert outcomes(machine.apply(Event.INSTALL)) == {"greeting": "changed"}
    before = snapshot(machine.root)
    assert outcomes(machine.apply(Event.INSTALL)) == {"greeting": "unchanged"}
    assert snapshot(machine.root) == before


def test_always_overwrites_a_users_change_and_reports_it(machine: Machine) -> None:
    declare(machine, "always")
    machine.apply(Event.INSTALL)
    machine.path("/etc/greeting").write_text("mine")
    plan = machine.plan(Event.REFRESH)
    assert "overwrites" in reasons(plan)["greeting"]
    machine.apply(Event.REFRESH)
    assert greeting(machine) == "hello"


def test_always_with_keep_leaves_a_users_change_and_reports_it(machine: Machine) -> None:
    machine.declare(FILES.format(policy="always\n      on_user_change: keep", content="hello"))
    machine.apply(Event.INSTALL)
    machine.path("/etc/greeting").write_text("mine")
    run = machine.apply(Event.REFRESH)
    assert decisions(run) == {"greeting": Decision.KEEP}
    assert greeting(machine) == "mine"


def test_keep_changes_fields_that_are_still_as_we_left_them(machine: Machine) -> None:
    for content in ("first", "second"):
        machine.declare(FILES.format(policy="always\n      on_user_change: keep", content=content))
        machine.apply(Event.UPGRADE)
        assert greeting(machine) == content


def test_keep_respects_a_removal_until_the_revision_rises(machine: Machine) -> None:
    policy = "once\n      on_user_change: keep\n      revision: {}"
    machine.declare(FILES.format(policy=policy.format(1), content="hello"))
    machine.apply(Event.INSTALL)
    machine.path("/etc/greeting").unlink()
    machine.apply(Event.UPGRADE)
    assert greeting(machine) is None
    machine.declare(FILES.format(policy=policy.format(2), content="hello"))
    machine.apply(Event.UPGRADE)
    assert greeting(machine) == "hello"


def test_once_is_done_once(machine: Machine) -> None:
    declare(machine, "once")
    machine.apply(Event.INSTALL)
    machine.path("/etc/greeting").write_text("mine")
    for event in (Event.UPGRADE, Event.REFRESH):
        assert decisions(machine.apply(event)) == {"greeting": Decision.SETTLED}
    assert greeting(machine) == "mine"


def test_a_once_that_comes_later_applies_at_a_refresh_too(machine: Machine) -> None:
    machine.declare("{}")
    machine.apply(Event.INSTALL)
    declare(machine, "once")
    machine.apply(Event.REFRESH)
    assert greeting(machine) == "hello"


def test_edited_once_is_not_repeated_and_the_plan_reports_it(machine: Machine) -> None:
    declare(machine, "once")
    machine.apply(Event.INSTALL)
    declare(machine, "once", content="edited")
    plan = machine.plan(Event.UPGRADE)
    assert decisions(plan) == {"greeting": Decision.SETTLED}
    assert "raise `revision`" in reasons(plan)["greeting"]


def test_install_only_is_not_applied_at_an_upgrade(machine: Machine) -> None:
    declare(machine, "install-only")
    assert decisions(machine.apply(Event.UPGRADE)) == {"greeting": Decision.BASELINE}
    assert greeting(machine) is None


def test_an_upgrades_fix_never_runs_on_a_new_installation(machine: Machine) -> None:
    declare(machine, "once\n      events: [upgrade]")
    assert decisions(machine.apply(Event.INSTALL)) == {"greeting": Decision.BASELINE}
    assert decisions(machine.apply(Event.UPGRADE)) == {"greeting": Decision.SETTLED}
    assert greeting(machine) is None


def test_auto_adopts_a_machine_without_a_ledger(machine: Machine) -> None:
    machine.path("/etc/greeting").write_text("hello")
    declare(machine, "once")
    plan = machine.plan()
    assert (plan.event, plan.adopting) == (Event.UPGRADE, True)
    assert reasons(plan)["greeting"].startswith("adopted")
    machine.apply()
    assert not machine.plan().adopting


def test_on_adopt_settle_leaves_absent_things_absent(machine: Machine) -> None:
    declare(machine, "once\n      on_adopt: settle")
    assert decisions(machine.apply()) == {"greeting": Decision.BASELINE}
    machine.apply()
    assert greeting(machine) is None


def test_auto_detects_upgrade_refresh_and_rollback(machine: Machine) -> None:
    declare(machine, "always")
    seen = []
    for version in ("3.7.4", "3.7.4", "3.8.0", "3.8.0", "3.7.4", "3.8.0"):
        machine.upgrade_os(version)
        seen.append(machine.apply().plan.event.value)
    assert seen == ["upgrade", "refresh", "upgrade", "refresh", "rollback", "rollback"]


def test_an_image_build_leaves_the_install_open(machine: Machine) -> None:
    declare(machine, "install-only\n      when: memory.total > 4 * GiB")
    run = machine.apply(Event.INSTALL)
    assert decisions(run) == {"greeting": Decision.OWED}
    run = machine.apply(facts={"memory.total": 8 << 30})
    assert run.plan.event is Event.INSTALL
    assert greeting(machine) == "hello"


def test_a_debt_keeps_its_event(machine: Machine) -> None:
    declare(machine, "once\n      events: [upgrade]\n      when: memory.total > 4 * GiB")
    machine.apply(Event.UPGRADE)
    run = machine.apply(Event.REFRESH, facts={"memory.total": 8 << 30})
    assert outcomes(run) == {"greeting": "changed"}


def test_failure_blocks_resources_that_need_it_and_no_others(machine: Machine) -> None:
    machine.path("/etc/greeting").mkdir()
    extra = """
    second:
      type: file
      apply: always
      needs: [greeting]
      with: {path: /etc/second, content: x}
    third:
      type: file
      apply: always
      with: {path: /etc/third, content: x}
    """
    declare(machine, "always", extra=extra)
    run = machine.apply(Event.INSTALL)
    assert outcomes(run) == {"greeting": "failed", "second": "blocked", "third": "changed"}
    assert run.exit_code == 4
    machine.path("/etc/greeting").rmdir()
    assert outcomes(machine.apply(Event.REFRESH)) == {"greeting": "changed", "second": "changed", "third": "unchanged"}


def test_only_if_is_compare_and_set(machine: Machine) -> None:
    declare(machine, "always\n      only_if: {ensure: absent}")
    machine.apply(Event.INSTALL)
    machine.path("/etc/greeting").write_text("mine")
    assert decisions(machine.apply(Event.REFRESH)) == {"greeting": Decision.NOT_APPLICABLE}
    assert greeting(machine) == "mine"


def test_two_values_for_one_field_both_fail(machine: Machine) -> None:
    extra = """
    other:
      type: file
      apply: always
      when: exists("/etc/passwd")
      with: {path: /etc/greeting, content: other}
    """
    declare(machine, "always", extra=extra)
    run = machine.apply(Event.INSTALL)
    assert decisions(run) == {"greeting": Decision.FAILED, "other": Decision.FAILED}
    assert greeting(machine) is None


def test_equal_claims_share_a_thing(machine: Machine) -> None:
    extra = """
    mode:
      type: permissions
      apply: always
      needs: [greeting]
      with: {path: /etc/greeting, mode: "0600"}
    """
    declare(machine, "always", extra=extra)
    machine.apply(Event.INSTALL)
    assert machine.path("/etc/greeting").stat().st_mode & 0o777 == 0o600
    assert set(outcomes(machine.apply(Event.REFRESH)).values()) == {"unchanged"}


def test_a_renamed_resource_keeps_its_memory(machine: Machine) -> None:
    declare(machine, "once")
    machine.apply(Event.INSTALL)
    machine.path("/etc/greeting").unlink()
    machine.declare(
        FILES.replace("greeting:", "welcome:\n      renamed_from: greeting").format(policy="once", content="x")
    )
    assert decisions(machine.apply(Event.UPGRADE)) == {"welcome": Decision.SETTLED}
    declare(machine, "once")
    assert decisions(machine.apply(Event.UPGRADE)) == {"greeting": Decision.SETTLED}


def test_an_orphan_is_left_alone(machine: Machine) -> None:
    declare(machine, "always")
    machine.apply(Event.INSTALL)
    machine.declare("{}")
    machine.apply(Event.UPGRADE)
    assert greeting(machine) == "hello"
    assert [orphan.id for orphan in machine.status().orphans] == ["greeting"]


def test_elements_that_appear_after_a_settled_once_are_baselined(machine: Machine) -> None:
    for name in ("a", "b"):
        machine.path(f"/var/{name}.d").mkdir()
    machine.declare("""
    modes:
      type: permissions
      apply: once
      for_each: '{{ glob("/var/*.d") }}'
      with: {path: "{{ item }}", mode: "0700"}
    """)
    machine.apply(Event.UPGRADE)
    assert machine.path("/var/a.d").stat().st_mode & 0o777 == 0o700
    machine.path("/var/c.d").mkdir(mode=0o755)
    run = machine.apply(Event.REFRESH)
    assert decisions(run)["modes[/var/c.d]"] is Decision.BASELINE
    assert machine.path("/var/c.d").stat().st_mode & 0o777 == 0o755


def test_debt_with_unknown_parameters_moves_to_its_ledger_later(machine: Machine) -> None:
    machine.declare(FILES.format(policy="once\n      events: [upgrade]", content="{{ cpu.vendor }}"))
    assert decisions(machine.apply(Event.UPGRADE)) == {"greeting": Decision.OWED}
    assert outcomes(machine.apply(Event.REFRESH, facts={"cpu.vendor": "x"})) == {"greeting": "changed"}
    assert decisions(machine.apply(Event.REFRESH)) == {"greeting": Decision.SETTLED}
    assert machine.entries()[0].id == "greeting"
    assert len(machine.entries()) == 1
