from pathlib import Path

import pytest

from converge.facts.disks import FACTS
from converge.model import Unknown
from tests.facts.root import link, put, source

SECTORS = 1 << 21
"""The sectors of a disk of 1 GiB."""


def disk(root: Path, where: str = "pci0000:00/ata1/host0/block/sda", numbers: str = "8:{}") -> None:
    """A disk with two partitions: 256 MiB, and 512 MiB."""
    name = where.rpartition("/")[2]
    put(root, {f"sys/devices/{where}/size": f"{SECTORS}\n", f"sys/devices/{where}/queue/rotational": "1\n"})
    link(root, f"sys/dev/block/{numbers.format(0)}", f"../../devices/{where}")
    for number, size in ((1, SECTORS // 4), (2, SECTORS // 2)):
        folder = f"{where}/{name}{number}"
        put(root, {f"sys/devices/{folder}/size": f"{size}\n", f"sys/devices/{folder}/partition": f"{number}\n"})
        link(root, f"sys/dev/block/{numbers.format(number)}", f"../../devices/{folder}")
        link(root, f"sys/class/block/{name}{number}", f"../../devices/{folder}")


def mount(root: Path, *lines: str) -> None:
    """Write mountinfo; ROOT in its lines is replaced by the temporary root."""
    text = "".join(f"{line}\n" for line in lines).replace("ROOT", str(root))
    put(root, {"proc/self/mountinfo": text})


def gathered(root: Path, name: str) -> object:
    return FACTS[f"disk.{name}"].gather(source(root))


def test_disk_of_root(tmp_path: Path) -> None:
    disk(tmp_path)
    mount(
        tmp_path,
        "20 1 0:20 / / rw - tmpfs tmpfs rw",
        "22 20 8:2 / ROOT rw,relatime shared:1 - ext4 /dev/sda2 rw",
        "23 22 8:1 / ROOT/boot rw - vfat /dev/sda1 rw",
    )
    assert gathered(tmp_path, "size") == 1 << 30
    assert gathered(tmp_path, "unpartitioned") == 1 << 28
    assert gathered(tmp_path, "rotational") is True
    assert gathered(tmp_path, "transport") == "sata"


def test_last_mount_at_a_place_counts(tmp_path: Path) -> None:
    disk(tmp_path)
    mount(tmp_path, "20 1 0:20 / ROOT rw - tmpfs tmpfs rw", "22 20 8:2 / ROOT rw - ext4 /dev/sda2 rw")
    assert gathered(tmp_path, "size") == 1 << 30


@pytest.mark.parametrize(
    "line",
    [
        "22 20 0:31 /@ ROOT rw - btrfs /dev/sda2 rw",
        "22 20 8:2 / ROOT/sysroot rw - ext4 /dev/sda2 rw",
    ],
    ids=["btrfs with its own device number", "composed root with its disk at /sysroot"],
)
def test_disk_of_root_that_is_not_a_plain_mount(tmp_path: Path, line: str) -> None:
    disk(tmp_path)
    put(tmp_path, {"dev/sda2": ""})
    mount(tmp_path, "20 1 0:20 / ROOT rw - overlay overlay rw", line)
    assert gathered(tmp_path, "size") == 1 << 30


def test_disk_below_encryption_found(tmp_path: Path) -> None:
    disk(tmp_path, "platform/nvme/nvme0/nvme0n1", numbers="259:{}")
    put(tmp_path, {"sys/devices/virtual/block/dm-0/size": "5\n"})
    link(tmp_path, "sys/devices/virtual/block/dm-0/slaves/p", "../../../../platform/nvme/nvme0/nvme0n1/nvme0n12")
    link(tmp_path, "sys/dev/block/254:0", "../../devices/virtual/block/dm-0")
    mount(tmp_path, "22 20 254:0 / ROOT rw - ext4 /dev/mapper/root rw")
    assert gathered(tmp_path, "size") == 1 << 30
    assert gathered(tmp_path, "transport") == "nvme"


def test_disk_without_partitions_has_no_unpartitioned_space(tmp_path: Path) -> None:
    put(tmp_path, {"sys/devices/virtio0/block/vda/size": f"{SECTORS}\n"})
    link(tmp_path, "sys/dev/block/254:0", "../../devices/virtio0/block/vda")
    mount(tmp_path, "22 20 254:0 / ROOT rw - ext4 /dev/vda rw")
    assert gathered(tmp_path, "unpartitioned") == 0
    assert gathered(tmp_path, "transport") == "virtio"


@pytest.mark.parametrize("name", sorted(name.removeprefix("disk.") for name in FACTS))
def test_root_without_disk_is_unknown(tmp_path: Path, name: str) -> None:
    mount(tmp_path, "20 1 0:20 / / rw - tmpfs tmpfs rw")
    assert gathered(tmp_path, name) == Unknown("/ is on no disk")


def test_root_on_several_disks_is_unknown(tmp_path: Path) -> None:
    disk(tmp_path)
    for name in ("a", "b"):
        link(tmp_path, f"sys/devices/virtual/block/md0/slaves/{name}", "../../../../pci0000:00")
    link(tmp_path, "sys/dev/block/9:0", "../../devices/virtual/block/md0")
    mount(tmp_path, "22 20 9:0 / ROOT rw - ext4 /dev/md0 rw")
    assert gathered(tmp_path, "size") == Unknown("/dev/md0 is on several disks")
