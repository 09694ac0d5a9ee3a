"""A decade of swap policy: whichever releases a machine went through, it ends where a new one begins.

`brook.py` has the machines and the releases. At each stop it sees that another run changes nothing.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import pytest

from converge.model import Decision
from tests.machine import decisions, reasons
from tests.real.partitioned import needs_disks, run
from tests.stories.brook import (
    CONFIGURATION,
    DISK_SWAP_UNTIL,
    LAST,
    MODELS,
    PARTITION_UNIT,
    RELEASES,
    SWAP_FILE,
    SWAP_FILE_UNIT,
    Brook,
    delivered,
)

ON_DISKS = [name for name, model in MODELS.items() if model.images]

COMPRESSED: Mapping[str, tuple[int | None, ...]] = {
    "tower": (None, None, 131072, 98304, 98304, 4096),
    "laptop": (None, None, 4096, 3072, 3072, 1024),
    "workstation": (None, None, 65536, 49152, 49152, 4096),
    "netbook": (None, None, 32768, 24576, 24576, 4096),
    "desk": (None, None, 4096, 3072, 3072, 1024),
    "board": (None, 200, 1564, 1173, 1173, 391),
}
"""MiB of compressed memory, release by release."""
HAS_PARTITION, HAS_FILE = ("tower", "laptop", "workstation"), ("netbook", "desk")


@contextmanager
def installed(model: str, version: str, folder: Path) -> Iterator[Brook]:
    folder.mkdir(exist_ok=True)
    with delivered(model, version, folder) as brook:
        brook.install(version)
        yield brook


def new(model: str, folder: Path) -> tuple[object, ...]:
    """The state after a new installation of the last release."""
    with installed(model, LAST, folder / "new") as brook:
        return brook.end()


def models(*names: str) -> Sequence[object]:
    """Models with a real disk need one, which only root can make."""
    return [pytest.param(name, marks=needs_disks if name in ON_DISKS else ()) for name in names]


def pairs() -> Sequence[object]:
    """Any two releases, on each model; on disks most of them take too long for each run of the tests."""
    found = []
    for model in MODELS:
        for first, second in combinations(RELEASES, 2):
            slow = model in ON_DISKS and (first, second) != ("1.0", LAST)
            marks = [*([needs_disks] if model in ON_DISKS else []), *([pytest.mark.vm] if slow else [])]
            found.append(pytest.param(model, first, second, marks=marks))
    return found


@pytest.mark.parametrize("model", models(*MODELS))
def test_through_all_releases(model: str, tmp_path: Path) -> None:
    with installed(model, RELEASES[0], tmp_path) as brook:
        for number, version in enumerate(RELEASES):
            if number:
                brook.upgrade(version)
            has_disk_swap = version <= DISK_SWAP_UNTIL
            assert brook.compressed() == COMPRESSED[model][number]
            assert brook.has_partition() == brook.has(PARTITION_UNIT) == (model in HAS_PARTITION and has_disk_swap)
            assert brook.has(SWAP_FILE) == brook.has(SWAP_FILE_UNIT) == (model in HAS_FILE and has_disk_swap)
        assert brook.end() == new(model, tmp_path)


@pytest.mark.parametrize(("model", "first", "second"), pairs())
def test_any_two_releases(model: str, first: str, second: str, tmp_path: Path) -> None:
    with installed(model, first, tmp_path) as brook:
        brook.upgrade(second)
        if second != LAST:
            brook.upgrade(LAST)
        assert brook.end() == new(model, tmp_path)


@pytest.mark.parametrize("model", models("desk", "board"))
def test_back_to_an_older_release_and_on_again(model: str, tmp_path: Path) -> None:
    """A rollback also restores /etc and its ledger; here both stay, and nothing that was removed comes back."""
    with installed(model, "4.0", tmp_path) as brook:
        for version in (LAST, "4.0", LAST):
            brook.upgrade(version)
        assert brook.end() == new(model, tmp_path)


FSTAB = "/home/swap.img none swap sw,pri=3 0 0\n"


@pytest.mark.parametrize("model", models("desk", "board"))
def test_a_swap_file_of_the_users_own_stays(model: str, tmp_path: Path) -> None:
    with installed(model, "1.0", tmp_path) as brook:
        brook.put("/etc/fstab", FSTAB)
        brook.put("/home/swap.img", "x" * 4096)
        for version in RELEASES[1:]:
            brook.upgrade(version)
            assert (brook.text("/etc/fstab"), brook.text("/home/swap.img")) == (FSTAB, "x" * 4096)
        assert not brook.has(SWAP_FILE)


@pytest.mark.parametrize("chosen", ["3.0", "4.0", "5.0"])
def test_compressed_memory_size_of_the_user_stays(chosen: str, tmp_path: Path) -> None:
    with installed("desk", chosen, tmp_path) as brook:
        own = "[zram0]\nzram-size = 512\nswap-priority = 100\n"
        brook.put(CONFIGURATION, own)
        for version in RELEASES[RELEASES.index(chosen) + 1 :]:
            brook.upgrade(version)
            assert brook.text(CONFIGURATION) == own
        done = brook.run()
        assert decisions(done)["compressed-memory"] is Decision.KEEP
        assert reasons(done)["compressed-memory"] == "changed by the user (size); on_user_change: keep"


def test_compressed_memory_that_the_user_removed_stays_removed(tmp_path: Path) -> None:
    with installed("desk", "3.0", tmp_path) as brook:
        brook.machine.path(CONFIGURATION).unlink()
        for version in RELEASES[3:]:
            brook.upgrade(version)
            assert not brook.has(CONFIGURATION)
        assert not brook.has(SWAP_FILE)


@needs_disks
def test_swap_partition_that_the_user_made_again_stays(tmp_path: Path) -> None:
    with installed("tower", "1.0", tmp_path) as brook:
        assert brook.disk
        run("mkswap", "--label=mine", brook.disk.partition(2))
        before = brook.table()
        for version in RELEASES[1:]:
            brook.upgrade(version)
            assert brook.table() == before
        assert decisions(brook.run())["swap-partition"] is Decision.NOT_APPLICABLE


@pytest.mark.parametrize("model", models("tower", "desk"))
def test_machine_that_lost_its_ledgers_reaches_the_same_state(model: str, tmp_path: Path) -> None:
    """Like a machine from before converge on which a script made the same swap; the user's own swap stays."""
    with installed(model, "1.0", tmp_path) as brook:
        brook.put("/etc/fstab", FSTAB)
        for memory in ("/etc/converge", "/var/lib/converge"):
            shutil.rmtree(brook.machine.path(memory))
        brook.upgrade(LAST)
        assert brook.text("/etc/fstab") == FSTAB
        brook.machine.path("/etc/fstab").unlink()
        assert brook.end() == new(model, tmp_path)


def test_a_swap_file_that_the_user_has_enlarged_stays_in_use(tmp_path: Path) -> None:
    with installed("desk", "1.0", tmp_path) as brook:
        place = brook.machine.path(SWAP_FILE)
        place.write_bytes(larger := bytes(16 << 20))
        run("mkswap", str(place))
        for version in RELEASES[1:]:
            brook.upgrade(version)
            assert place.stat().st_size == len(larger)
            assert brook.has(SWAP_FILE_UNIT)


@pytest.mark.parametrize("model", models("tower", "desk"))
def test_older_etc_after_a_rollback_is_converged_again(model: str, tmp_path: Path) -> None:
    """As after a rollback, which does not restore the former state of the disk."""
    with installed(model, "4.0", tmp_path) as brook:
        etc = brook.machine.path("/etc")
        shutil.copytree(etc, kept := tmp_path / "etc", symlinks=True)
        brook.upgrade("5.0")
        shutil.rmtree(etc)
        shutil.copytree(kept, etc, symlinks=True)
        brook.upgrade(LAST)
        assert brook.end() == new(model, tmp_path)
