"""What mountinfo says of a root's disk. Real disks: tests/real/test_own_disk.py and test_swap_partition.py."""

from pathlib import Path

import pytest

from converge.errors import Later
from converge.system import ReadOnlySystem, disks

MOUNTS = """\
27 28 254:1 / /sysroot ro,relatime - ext4 /dev/vda1 rw
28 1 254:1 /ostree/deploy/os/deploy/1.0 / rw,relatime shared:1 - ext4 /dev/vda1 rw
31 28 254:1 /ostree/deploy/os/deploy/1.0/usr /usr ro,relatime shared:4 - ext4 /dev/vda1 rw
40 28 254:2 / /home ro,relatime - ext4 /dev/vda2 rw
"""


@pytest.fixture
def hardware(tmp_path: Path) -> ReadOnlySystem:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(MOUNTS)
    return ReadOnlySystem(str(tmp_path))


@pytest.mark.parametrize(("point", "expected"), [("/sysroot", "/"), ("/", "/"), ("/usr", "/"), ("/home", "/home")])
def test_a_mount_that_can_be_written_through(point: str, expected: str, hardware: ReadOnlySystem) -> None:
    mount = next(each for each in disks.mounts(hardware) if each.point == point)
    assert disks.writable(hardware, mount).point == expected


def test_a_folder_is_on_no_partition_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(Later, match="is not the mount of a disk") as caught:
        disks.root_partition(ReadOnlySystem(str(tmp_path)))
    assert caught.value.until == "facts"


def test_a_partition_has_all_the_names_that_udev_gives_it(tmp_path: Path) -> None:
    for name, target in {
        "by-label/sw\\x20a\\x2fp": "sda2",
        "by-uuid/0a-b": "sda2",
        "by-uuid/0a-c": "sda3",
        "by-partlabel/Größe": "sda2",
    }.items():
        (tmp_path / "dev/disk" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dev/disk" / name).symlink_to(f"../../{target}")
        (tmp_path / "dev" / target).touch()
    names = disks.names_of(ReadOnlySystem(str(tmp_path)), "/dev/disk/by-uuid/0a-b")
    links = {path for path in names if path.startswith("/dev/disk/")}
    assert links == {"/dev/disk/by-label/sw\\x20a\\x2fp", "/dev/disk/by-uuid/0a-b", "/dev/disk/by-partlabel/Größe"}
    assert set(names) - links == {"/dev/sda2", "LABEL=sw a/p", "UUID=0a-b", "PARTLABEL=Größe"}


def test_what_is_not_there_has_no_names(tmp_path: Path) -> None:
    assert disks.names_of(ReadOnlySystem(str(tmp_path)), "/dev/disk/by-uuid/0a-b") == ()
