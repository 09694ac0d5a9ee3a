"""A swap file that its owner changes, through killed and failed runs: no file is lost."""

from pathlib import Path

import pytest

from converge.engine.request import prepare
from converge.engine.result import Run
from converge.engine.run import carry_out
from converge.errors import ProviderError
from converge.model import Decision
from converge.system import System, lock
from converge.testing.interrupted import CutOffError, Interrupted
from tests.machine import Machine, decisions, reasons

MIB = 1 << 20
FILE = "/var/swap/swapfile"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """It has a swap file that converge has made."""
    made = Machine.make(tmp_path)
    ask(made, 1)
    made.apply()
    return made


def ask(machine: Machine, mib: int, more: str = "") -> None:
    machine.declare(f"""
        swap:
          type: swap
          apply: always
          on_user_change: keep
          with: {{path: {FILE}, size: {mib}MiB{more}}}
    """)


def run_on(machine: Machine, system: System) -> Run:
    with lock(system):
        plan, planner = prepare(machine.request(), system.read_only())
        return carry_out(plan, planner, system)


def size(machine: Machine) -> int | None:
    path = machine.path(FILE)
    return path.stat().st_size // MIB if path.exists() else None


def test_swap_file_remake_killed_anywhere_is_finished_later(tmp_path: Path) -> None:
    limit, cut_off = 0, True
    while cut_off:
        machine = Machine.make(tmp_path / str(limit))
        ask(machine, 1)
        machine.apply()
        ask(machine, 2)
        try:
            run_on(machine, Interrupted(str(machine.root), limit))
            cut_off = False
        except CutOffError:
            limit += 1
        machine.apply()
        assert size(machine) == 2, limit
    assert limit > 3


class Broken(System):
    """A machine on which no swap file can be made."""

    def make_swap_file(self, path: str, size: int, *, no_copy_on_write: bool = False) -> None:  # noqa: ARG002
        raise ProviderError(f"cannot make {path}")


def test_swap_file_that_could_not_be_remade_is_made_by_next_run(machine: Machine) -> None:
    ask(machine, 2)
    assert decisions(run_on(machine, Broken(str(machine.root)))) == {"swap": "failed"}
    assert size(machine) is None
    machine.apply()
    assert size(machine) == 2


def test_swap_file_that_its_owner_removed_stays_removed(machine: Machine) -> None:
    machine.path(FILE).unlink()
    for mib in (1, 2):
        ask(machine, mib)
        assert "removed by the user" in reasons(machine.apply())["swap"]
        assert size(machine) is None


def test_swap_file_removed_after_kill_at_settings_stays_removed(machine: Machine) -> None:
    ask(machine, 1, ", at_boot: fstab")
    for limit in range(20):
        try:
            run_on(machine, Interrupted(str(machine.root), limit))
        except CutOffError:
            if machine.path("/etc/fstab").exists():
                break
    assert machine.path("/etc/fstab").exists()
    machine.path(FILE).unlink()
    machine.apply()
    assert size(machine) is None


@pytest.mark.parametrize("mib", [2, 3])
def test_swap_file_of_another_size_is_its_owners(mib: int, machine: Machine) -> None:
    with machine.path(FILE).open("r+b") as file:
        file.write(bytes(3 * MIB))
        file.seek(4086)
        file.write(b"SWAPSPACE2")
    ask(machine, mib)
    machine.apply()
    assert size(machine) == 3


def test_unit_settings_of_its_owner_stay(tmp_path: Path) -> None:
    machine = Machine.make(tmp_path)
    ask(machine, 1, ", priority: 5")
    machine.apply()
    unit = machine.path("/etc/systemd/system/var-swap-swapfile.swap")
    unit.write_text(unit.read_text().replace("Priority=5", "Priority=7"))
    ask(machine, 1, ", priority: 6")
    assert "changed by the user (priority)" in reasons(machine.apply())["swap"]
    assert "Priority=7" in unit.read_text()


def test_swap_excluded_by_only_if_is_not_waited_for(tmp_path: Path) -> None:
    machine = Machine.make(tmp_path)
    guarded = """
        swap:
          type: swap
          apply: always
          only_if: {ensure: %s}
          with: {path: /var/swap/swapfile, size: 1MiB, keep_free: 4096TiB}
    """
    machine.declare(guarded % "absent")
    assert decisions(machine.plan()) == {"swap": Decision.OWED}
    machine.declare(guarded % "present")
    assert decisions(machine.plan()) == {"swap": Decision.NOT_APPLICABLE}
