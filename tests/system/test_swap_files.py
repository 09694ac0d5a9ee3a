"""Swap files, and the room that there is for them: on a foreign root, where nothing is swapped to."""

import os
import shutil
from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.providers.swap import swaps
from converge.system import System, disks

MIB = 1 << 20

needs_mkswap = pytest.mark.skipif(not all(map(shutil.which, ("mkswap", "bwrap"))), reason="needs mkswap and bwrap")


@needs_mkswap
@pytest.mark.parametrize("path", ["/var/swap/file", "/var/a b/ü#1", "/swapfile"])
def test_a_swap_file_is_whole_and_signed_and_roots_alone(path: str, system: System, root: Path) -> None:
    system.make_swap_file(path, 2 * MIB)
    found = (root / path.lstrip("/")).stat()
    assert (found.st_size, found.st_mode & 0o777, found.st_uid) == (2 * MIB, 0o600, os.geteuid())
    assert found.st_blocks * 512 >= 2 * MIB
    assert swaps.is_signed(system, path)
    assert [each.name for each in (root / path.lstrip("/")).parent.iterdir() if "tmp" in each.name] == []


@needs_mkswap
def test_it_is_made_where_a_link_leads(system: System, root: Path) -> None:
    system.make_link("/swapfile", "/var/swap/file")
    system.make_swap_file("/swapfile", MIB)
    assert (root / "swapfile").is_symlink()
    assert (root / "var/swap/file").stat().st_size == MIB


@needs_mkswap
def test_what_a_killed_run_has_left_is_taken_away(system: System) -> None:
    left = system.unfinished("/var/swap/file")
    assert left == "/var/swap/.file.converge-tmp"
    system.write(left, b"half")
    system.make_swap_file("/var/swap/file", MIB)
    assert system.list_folder("/var/swap") == ("file",)


def test_nothing_is_made_over_what_is_there(system: System) -> None:
    system.write("/var/swap/file", b"a letter")
    with pytest.raises(ProviderError, match="/var/swap/file already exists"):
        system.make_swap_file("/var/swap/file", MIB)
    assert system.read("/var/swap/file") == b"a letter"


def test_nothing_is_left_where_it_cannot_be_made(system: System, root: Path) -> None:
    (root / "var/swap").mkdir()
    with pytest.raises(ProviderError, match="cannot make /var/swap/file"):
        system.make_swap_file("/var/swap/file", 1 << 62)
    assert system.list_folder("/var/swap") == ()


def test_nothing_is_made_where_usr_etc_has_a_folder(system: System, root: Path) -> None:
    (root / "usr/etc/swap").mkdir(parents=True)
    with pytest.raises(ProviderError, match="is a folder in /usr/etc"):
        system.make_swap_file("/etc/swap", MIB)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (bytes(4086) + b"SWAPSPACE2", True),
        (bytes(16374) + b"SWAPSPACE2", True),
        (bytes(65526) + b"SWAPSPACE2", True),
        (bytes(4087) + b"SWAPSPACE2", False),
        (b"SWAPSPACE2", False),
        (b"", False),
    ],
    ids=["4 KiB pages", "16 KiB pages", "64 KiB pages", "misplaced", "at the beginning", "empty"],
)
def test_the_signature_ends_the_first_page(start: bytes, expected: bool, system: System) -> None:
    system.write("/file", start)
    assert swaps.is_signed(system, "/file") is expected


def test_the_room_on_the_file_system_that_a_path_will_be_on(system: System, root: Path) -> None:
    found = os.statvfs(root)
    for path in ("/", "/var", "/var/not/there/yet", "/etc/../var"):
        assert disks.space(system, path).total == found.f_blocks * found.f_frsize
    assert 0 < disks.space(system, "/var").free < disks.space(system, "/var").total


def test_a_link_out_of_the_root_leads_to_no_other_file_system(system: System) -> None:
    system.make_link("/var/out", "/proc")
    assert disks.space(system, "/var/out/file").total == disks.space(system, "/").total
    mount = disks.mount_under(system, "/var/out/file")
    assert mount is not None
    assert mount.filesystem != "proc"
