"""The disk that contains `/`, and the file systems that contain paths."""

import json
from collections.abc import Mapping

from converge.errors import ProviderError
from converge.facts.fact import Fact, Probe, Source
from converge.language.expressions import BOOLEAN, SIZE, TEXT, Found, optional, record
from converge.model import Unknown
from converge.system import disks

_TRANSPORTS = (("/nvme", "nvme"), ("/mmc", "mmc"), ("/usb", "usb"), ("/ata", "sata"), ("/virtio", "virtio"))
_TABLES = {"gpt": "gpt", "dos": "mbr"}


def _disk(source: Source) -> str | Unknown:
    """The folder in sysfs of the disk that contains `/`."""
    return source.once("disk", _find_disk)


def _find_disk(source: Source) -> str | Unknown:
    try:
        return disks.root_disk(source.hardware, source.system.root)
    except ProviderError as error:
        return Unknown(error.message)


def _size(source: Source) -> Found:
    disk = _disk(source)
    return disk if isinstance(disk, Unknown) else disks.size_of(source.hardware, disk)


def _unpartitioned(source: Source) -> Found:
    disk = _disk(source)
    if isinstance(disk, Unknown):
        return disk
    partitions = disks.partitions_of(source.hardware, disk)
    if not partitions:
        return 0
    used = sum(disks.size_of(source.hardware, each) for each in partitions)
    return max(0, disks.size_of(source.hardware, disk) - used)


def _table(source: Source) -> Found:
    disk = _disk(source)
    if isinstance(disk, Unknown):
        return disk
    device = disks.node_of(disk)
    found = source.hardware.query(["blkid", "--probe", "--match-tag", "PTTYPE", "--output", "value", device])
    # blkid(8): it exits with 0 if it found the tag, and with 2 if it did not.
    if found.returncode not in (0, 2):
        return Unknown(f"blkid cannot read {device}")
    name = found.stdout.strip()
    return _TABLES.get(name, name) or None


def _rotational(source: Source) -> Found:
    disk = _disk(source)
    return disk if isinstance(disk, Unknown) else source.hardware.read_line(f"{disk}/queue/rotational") == "1"


def _transport(source: Source) -> Found:
    disk = _disk(source)
    if isinstance(disk, Unknown):
        return disk
    return next((name for part, name in _TRANSPORTS if part in disk), "other")


def _mount(source: Source, path: str) -> Found:
    """The file system that contains a path or will contain it: that of the nearest existing folder above."""
    root = source.system.root.rstrip("/")
    place = root + source.system.resolve(path)
    while place != "/" and source.hardware.stat(place) is None:
        place = place.rpartition("/")[0] or "/"
    command = ["findmnt", "--json", "--bytes", "--output", "SIZE,AVAIL,FSTYPE", "--target", place]
    try:
        found = json.loads(source.hardware.query(command).stdout)["filesystems"][0]
        return {"size": int(found["size"]), "free": int(found["avail"]), "filesystem": str(found["fstype"])}
    except (ValueError, LookupError, TypeError):
        return Unknown(f"findmnt found no file system for {path}")


FACTS: Mapping[str, Fact] = {
    "disk.size": Fact(SIZE, "The size of the disk that contains /.", _size, hardware=True),
    "disk.unpartitioned": Fact(SIZE, "The space on that disk outside all partitions.", _unpartitioned, hardware=True),
    "disk.table": Fact(optional(TEXT), "Its partition table: gpt or mbr; unset without one.", _table, hardware=True),
    "disk.rotational": Fact(
        BOOLEAN, "Whether the disk has rotating platters (an SSD does not).", _rotational, hardware=True
    ),
    "disk.transport": Fact(
        TEXT, "How it is attached: nvme, sata, mmc (eMMC and SD), usb, virtio or other.", _transport, hardware=True
    ),
}

PROBES: Mapping[str, Probe] = {
    "mount": Probe(
        "mount(path)",
        record(size=SIZE, free=SIZE, filesystem=TEXT),
        "The file system that contains a path: .size, .free (for users) and .filesystem, such as ext4.",
        _mount,
        hardware=True,
    ),
}
