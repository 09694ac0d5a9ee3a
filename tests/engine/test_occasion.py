"""The occasion of a run, by the two ledgers, the running deployment and the command line."""

import shutil
from pathlib import Path

import pytest
from attrs import define

from converge.engine.ledger import Deployment, Ledgers
from converge.engine.occasion import Occasion, detect
from converge.model import LOWEST_VERSION, Domain, Event, Version
from converge.system import System

V1, V2, V3 = Deployment("aaa", "3.7.4"), Deployment("bbb", "3.8.0"), Deployment("ccc", "3.9.0")
INSTALL, UPGRADE, REFRESH, ROLLBACK = Event


@define
class Machine:
    """A machine with real ledgers. A run opens and closes them as the engine does, and decides nothing else."""

    root: Path

    def look(self, deployment: Deployment, requested: Event | None = None, *, live: bool = True) -> Occasion:
        return detect(Ledgers.load(System(str(self.root))), deployment, requested, live=live)

    def run(
        self, deployment: Deployment, requested: Event | None = None, *, live: bool = True, killed: bool = False
    ) -> Occasion:
        system = System(str(self.root))
        ledgers = Ledgers.load(system)
        occasion = detect(ledgers, deployment, requested, live=live)
        for ledger in ledgers:
            if occasion.events[ledger.domain] in (INSTALL, UPGRADE) or occasion.adopting:
                ledger.open(system, occasion.opened(ledger.domain), occasion.began, "school")
        for ledger in () if killed else ledgers:
            if not occasion.stays_open:
                ledger.close(deployment, "school")
            ledger.fold(system)
        return occasion

    @property
    def etc(self) -> Path:
        return self.root / "etc/converge"

    @property
    def var(self) -> Path:
        return self.root / "var/lib/converge"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def events(occasion: Occasion) -> tuple[Event, Event, bool]:
    """The machine's event, the deployment's, and whether the machine is adopted."""
    return occasion.event, occasion.events[Domain.DEPLOYMENT], occasion.adopting


def versions(occasion: Occasion) -> tuple[str, str]:
    """The version that the machine was installed with, and the one before this."""
    return str(occasion.installed_version), str(occasion.previous_version)


def test_machine_that_predates_converge_is_adopted_by_an_upgrade(machine: Machine) -> None:
    occasion = machine.run(V2)
    assert events(occasion) == (UPGRADE, UPGRADE, True)
    assert occasion.began == (UPGRADE, None)
    assert occasion.installed_version == occasion.previous_version == LOWEST_VERSION
    assert events(machine.look(V2)) == (REFRESH, REFRESH, False)


def test_adopted_machine_never_has_an_installed_version(machine: Machine) -> None:
    machine.run(V1)
    assert versions(machine.look(V1)) == ("none", "none")
    assert versions(machine.look(V2)) == ("none", "3.7.4")


def test_live_installation_ends_with_its_first_run(machine: Machine) -> None:
    occasion = machine.run(V1, INSTALL)
    assert events(occasion) == (INSTALL, INSTALL, False)
    assert not occasion.stays_open
    assert events(machine.look(V1)) == (REFRESH, REFRESH, False)


def test_installation_previous_version_is_the_installed_one(machine: Machine) -> None:
    assert versions(machine.run(V1, INSTALL)) == ("3.7.4", "3.7.4")
    assert versions(machine.look(V1)) == ("3.7.4", "3.7.4")
    assert versions(machine.run(V2)) == ("3.7.4", "3.7.4")
    assert versions(machine.run(V3)) == ("3.7.4", "3.8.0")
    assert versions(machine.look(V3)) == ("3.7.4", "3.8.0")


def test_first_live_run_finishes_the_install_of_an_image_build(machine: Machine) -> None:
    built = machine.run(V1, INSTALL, live=False)
    assert built.stays_open
    assert events(machine.run(V1, live=False)) == (INSTALL, INSTALL, False)
    first_boot = machine.run(V1)
    assert events(first_boot) == (INSTALL, INSTALL, False)
    assert not first_boot.stays_open
    assert events(machine.look(V1)) == (REFRESH, REFRESH, False)


def test_install_is_finished_by_a_live_run_on_newer_deployment(machine: Machine) -> None:
    machine.run(V1, INSTALL, live=False)
    first_boot = machine.run(V2)
    assert events(first_boot) == (INSTALL, INSTALL, False)
    assert versions(first_boot) == ("3.7.4", "3.7.4")
    assert events(machine.look(V2)) == (REFRESH, REFRESH, False)


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("requested", [None, UPGRADE, REFRESH])
def test_history_contains_the_deployment_of_the_image_build(
    machine: Machine, requested: Event | None, killed: bool
) -> None:
    machine.run(V1, INSTALL, live=False)
    machine.run(V2, requested, killed=killed)
    machine.run(V2, requested)
    assert events(machine.look(V1)) == (ROLLBACK, ROLLBACK, False)
    assert versions(machine.look(V2)) == ("3.7.4", "3.7.4")


@pytest.mark.parametrize("requested", [UPGRADE, REFRESH])
def test_explicit_event_closes_an_install_under_a_foreign_root(machine: Machine, requested: Event) -> None:
    machine.run(V1, INSTALL, live=False)
    occasion = machine.run(V1, requested, live=False)
    assert events(occasion) == (requested, requested, False)
    assert not occasion.stays_open
    assert events(machine.look(V1, live=False)) == (REFRESH, REFRESH, False)


def test_a_factory_etc_does_not_end_an_open_install(machine: Machine) -> None:
    machine.run(V1, INSTALL, live=False)
    shutil.rmtree(machine.etc)
    assert events(machine.look(V1)) == (INSTALL, INSTALL, False)


@pytest.mark.parametrize(("requested", "adopting"), [(None, True), (UPGRADE, True), (REFRESH, True), (INSTALL, False)])
def test_every_first_run_but_an_installation_adopts(machine: Machine, requested: Event | None, adopting: bool) -> None:
    occasion = machine.run(V1, requested)
    assert occasion.event == (requested or UPGRADE)
    assert occasion.adopting is adopting
    assert not machine.look(V1).adopting


@pytest.mark.parametrize("requested", [INSTALL, UPGRADE, REFRESH])
def test_event_of_the_command_line_overrides_both_domains(machine: Machine, requested: Event) -> None:
    machine.run(V1, INSTALL)
    assert events(machine.look(V1, requested)) == (requested, requested, False)


def test_killed_run_resumes_with_its_event(machine: Machine) -> None:
    machine.run(V1, INSTALL)
    assert events(machine.run(V2, killed=True)) == (UPGRADE, UPGRADE, False)
    again = machine.run(V2)
    assert events(again) == (UPGRADE, UPGRADE, False)
    assert versions(again) == ("3.7.4", "3.7.4")
    assert events(machine.look(V2)) == (REFRESH, REFRESH, False)


@pytest.mark.parametrize("requested", [None, UPGRADE, REFRESH])
def test_killed_adoption_resumes_as_adoption(machine: Machine, requested: Event | None) -> None:
    machine.run(V1, requested, killed=True)
    again = machine.run(V1)
    assert events(again) == (requested or UPGRADE, requested or UPGRADE, True)
    assert not machine.look(V1).adopting


def test_explicit_install_after_killed_adoption_adopts_nothing(machine: Machine) -> None:
    machine.run(V1, killed=True)
    assert events(machine.look(V1, INSTALL)) == (INSTALL, INSTALL, False)


def test_killed_adoption_resumes_on_another_deployment(machine: Machine) -> None:
    machine.run(V1, killed=True)
    assert events(machine.look(V2)) == (UPGRADE, UPGRADE, True)


def test_a_killed_upgrade_does_not_outlive_its_deployment(machine: Machine) -> None:
    machine.run(V1, INSTALL)
    machine.run(V2, killed=True)
    assert events(machine.look(V1)) == (REFRESH, REFRESH, False)
    assert events(machine.look(V3)) == (UPGRADE, UPGRADE, False)


def test_run_killed_between_the_ledgers_keeps_its_event(machine: Machine) -> None:
    """The machine's ledger, which alone decides whether a run adopts, is closed last."""
    system = System(str(machine.root))
    machine.run(V1, killed=True)
    first, *_ = ledgers = tuple(Ledgers.load(system))
    first.close(V1, "school")
    first.fold(system)
    assert [ledger.domain for ledger in ledgers] == [Domain.DEPLOYMENT, Domain.MACHINE]
    assert events(machine.look(V1)) == (UPGRADE, REFRESH, True)


def test_upgraded_rolled_back_and_upgraded_again(machine: Machine) -> None:
    """CASES 30. The old deployment still has its own /etc; the newly deployed one gets a copy of it."""
    machine.run(V1, INSTALL)
    old_etc = machine.root / "old-etc"
    shutil.copytree(machine.etc, old_etc)
    assert events(machine.run(V2)) == (UPGRADE, UPGRADE, False)

    shutil.rmtree(machine.etc)
    shutil.copytree(old_etc, machine.etc)
    back = machine.run(V1)
    assert events(back) == (ROLLBACK, REFRESH, False)
    assert versions(back) == ("3.7.4", "3.8.0")

    again = machine.run(V2)
    assert events(again) == (ROLLBACK, UPGRADE, False)
    assert versions(again) == ("3.7.4", "3.7.4")
    assert events(machine.look(V2)) == (REFRESH, REFRESH, False)


def test_a_rollback_that_is_redeployed_brings_the_newer_etc(machine: Machine) -> None:
    machine.run(V1, INSTALL)
    machine.run(V2)
    assert events(machine.run(V1)) == (ROLLBACK, ROLLBACK, False)
    assert events(machine.look(V1)) == (REFRESH, REFRESH, False)


def test_factory_etc_makes_an_upgrade_of_its_domain(machine: Machine) -> None:
    machine.run(V1, INSTALL)
    shutil.rmtree(machine.etc)
    occasion = machine.run(V1)
    assert events(occasion) == (REFRESH, UPGRADE, False)
    assert occasion.installed_version == Version("3.7.4")
    assert events(machine.look(V1)) == (REFRESH, REFRESH, False)


def test_lost_var_lets_the_machine_be_adopted(machine: Machine) -> None:
    machine.run(V1, INSTALL)
    shutil.rmtree(machine.var)
    occasion = machine.run(V1)
    assert events(occasion) == (UPGRADE, REFRESH, True)
    assert occasion.began == (UPGRADE, None)


def test_ledger_edit_before_first_run_does_not_end_adoption(machine: Machine) -> None:
    system = System(str(machine.root))
    for ledger in Ledgers.load(system):
        ledger.add_audit("baseline", "gimp")
        ledger.fold(system)
    assert events(machine.look(V1)) == (UPGRADE, UPGRADE, True)
    assert events(machine.look(V1, INSTALL)) == (INSTALL, INSTALL, False)


def test_same_os_version_in_another_deployment_is_an_upgrade(machine: Machine) -> None:
    machine.run(V1, INSTALL)
    rebuilt = Deployment("aab", V1.version)
    assert events(machine.run(rebuilt)) == (UPGRADE, UPGRADE, False)
    assert versions(machine.look(rebuilt)) == ("3.7.4", "3.7.4")
