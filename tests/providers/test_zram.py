"""What is in the file for zram-generator. That devices are made: `tests/real/test_zram.py`, and cases."""

from pathlib import Path

import pytest

from converge.providers import zram
from converge.system import System
from tests.real.converging import converge

GENERATOR = "/usr/lib/systemd/system-generators/zram-generator"
MAIN, OWN = "/etc/systemd/zram-generator.conf", "/etc/systemd/zram-generator.conf.d/90-converge-zram0.conf"


@pytest.fixture
def system(tmp_path: Path) -> System:
    (tmp_path / "root").mkdir()
    return System(str(tmp_path / "root"))


def test_a_unit_of_ours_leaves_no_trace_in_the_file_that_replaces_it(system: System) -> None:
    converge(zram, system, size="200MiB")
    system.write(GENERATOR, b"")
    converge(zram, system, size="200MiB")
    assert system.read(OWN) == b"[zram0]\nzram-size = 200\nswap-priority = 100\n"


def test_no_limit_is_said_where_another_file_has_one(system: System) -> None:
    """A device that our unit made on all machines is still made on all."""
    converge(zram, system, size="200MiB")
    system.write(GENERATOR, b"")
    system.write(MAIN, b"[zram0]\nhost-memory-limit = 4096\n")
    converge(zram, system, size="200MiB")
    assert b"host-memory-limit = none\n" in (system.read(OWN) or b"")
