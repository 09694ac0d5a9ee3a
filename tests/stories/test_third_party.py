"""A provider of a third party: one that spans both domains, and one with bugs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.diagnostics import InvalidManifest
from converge.engine.ledger import Ledgers
from converge.language import schema
from converge.model import Decision, Domain, Event, Phase, Status
from converge.providers import registry as providers
from converge.system import ReadOnlySystem
from tests.machine import Machine, decisions, outcomes, reasons

ENTRY_POINTS = "[converge.providers]\nstore = tests.stories.third_party.store\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine with the third party's package installed."""
    package = tmp_path / "packages" / "store-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: store\nVersion: 1\n")
    (package / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(package.parent))
    _forget_types()
    yield Machine.make(tmp_path)
    _forget_types()


def _forget_types() -> None:
    providers.load.cache_clear()
    schema.find.cache_clear()


def declare(machine: Machine, policy: str, size: str = "1", fault: str = "", phase: str = "boot") -> None:
    machine.declare(f"""
    store:
      type: store
      apply: {policy}
      with: {{size: "{size}", fault: "{fault}", phase: {phase}}}
    other:
      type: file
      apply: always
      with: {{path: /etc/other, content: x}}
    """)


def text(machine: Machine, path: str) -> str | None:
    found = machine.path(path)
    return found.read_text() if found.exists() else None


def statuses(machine: Machine) -> dict[Domain, Status]:
    ledgers = Ledgers.load(ReadOnlySystem(str(machine.root)))
    found = {ledger.domain: ledger.memory.entries.get("store") for ledger in ledgers}
    return {domain: entry.status for domain, entry in found.items() if entry}


def test_resource_in_both_domains_is_recorded_in_both(machine: Machine) -> None:
    declare(machine, "once")
    assert outcomes(machine.apply(Event.INSTALL))["store"] == "changed"
    assert (text(machine, "/var/store"), text(machine, "/etc/store.mount")) == ("1", "1")
    assert statuses(machine) == {Domain.MACHINE: Status.DONE, Domain.DEPLOYMENT: Status.DONE}
    assert decisions(machine.apply(Event.UPGRADE))["store"] is Decision.SETTLED


def test_rollback_repeats_only_the_deployments_share(machine: Machine) -> None:
    declare(machine, "once")
    machine.apply(Event.INSTALL)
    machine.path("/etc/store.mount").unlink()
    machine.path("/etc/converge/ledger.json").unlink()
    machine.path("/var/store").write_text("the user's")
    run = machine.apply()
    assert run.plan.events == {Domain.MACHINE: Event.INSTALL, Domain.DEPLOYMENT: Event.INSTALL}
    assert outcomes(run)["store"] == "changed"
    assert (text(machine, "/var/store"), text(machine, "/etc/store.mount")) == ("the user's", "1")
    assert statuses(machine) == {Domain.MACHINE: Status.DONE, Domain.DEPLOYMENT: Status.DONE}


def test_store_that_a_user_removed_is_not_made_for_other_share(machine: Machine) -> None:
    declare(machine, "once")
    machine.apply(Event.UPGRADE)
    for path in ("/etc/store.mount", "/etc/converge/ledger.json", "/var/store"):
        machine.path(path).unlink()
    machine.apply()
    assert (text(machine, "/var/store"), text(machine, "/etc/store.mount")) == (None, "1")


def test_share_made_before_a_failure_is_recorded_as_ours(machine: Machine) -> None:
    declare(machine, "always\n      on_user_change: keep", fault="apply")
    assert outcomes(machine.apply(Event.UPGRADE))["store"] == "failed"
    assert statuses(machine) == {Domain.MACHINE: Status.FAILED, Domain.DEPLOYMENT: Status.FAILED}
    declare(machine, "always\n      on_user_change: keep", size="2")
    assert outcomes(machine.apply(Event.REFRESH))["store"] == "changed"
    assert (text(machine, "/var/store"), text(machine, "/etc/store.mount")) == ("2", "2")


@pytest.mark.parametrize("fault", ["domains", "inspect", "check", "apply"])
def test_bug_of_a_provider_fails_its_resource_and_nothing_else(machine: Machine, fault: str) -> None:
    declare(machine, "once", fault=fault)
    run = machine.apply(Event.INSTALL)
    assert outcomes(run) == {"store": "failed", "other": "changed"}
    assert re.search(
        r"^ZeroDivisionError at .*/store\.py:[0-9]+ in `[a-z]+` \(this is a bug in the provider of 'store': report it",
        reasons(run)["store"],
    )
    assert run.exit_code == 4


@pytest.mark.parametrize("fault", ["parse", "thing", "declared"])
def test_a_bug_that_needs_no_machine_is_found_before_the_run(machine: Machine, fault: str) -> None:
    declare(machine, "once", fault=fault)
    with pytest.raises(InvalidManifest) as caught:
        machine.plan(Event.INSTALL)
    assert [error.code for error in caught.value.report.errors] == ["bad-parameters"]


@pytest.mark.parametrize("fault", ["parse", "thing", "declared"])
def test_bug_that_shows_only_on_the_machine_fails_its_resource(machine: Machine, fault: str) -> None:
    declare(machine, "once", fault=f"{{{{ '{fault}' if exists('/etc') else '' }}}}")
    assert outcomes(machine.apply(Event.INSTALL)) == {"store": "failed", "other": "changed"}


def test_boot_that_leaves_work_to_the_online_phase_exits_with_0(machine: Machine) -> None:
    declare(machine, "once\n      events: [upgrade]", phase="online")
    run = machine.apply(Event.UPGRADE, phase=Phase.BOOT)
    assert (outcomes(run), run.exit_code) == ({"store": "owed", "other": "changed"}, 0)
    assert outcomes(machine.apply(Event.REFRESH))["store"] == "changed"
