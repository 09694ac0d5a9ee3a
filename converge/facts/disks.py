"""The disk that holds `/`, and the file systems that hold paths."""

import json
import re
from collections.abc import Iterator, Mapping

from attrs import frozen

from converge.expressions import BOOLEAN, SIZE, TEXT, Found, optional, record
from converge.facts.base import Fact, Probe, Source, line_of, text_of
from converge.model import Unknown
from converge.system import ReadOnlySystem

_SECTOR = 512
"""Bytes; sysfs counts in these, whatever the disk's own sectors are."""
_LAYERS = 8
"""How many devices may lie on top of each other: encryption, volumes, arrays."""
_ESCAPED = re.compile(r"\\([0-7]{3})")
_TRANSPORTS = (("/nvme", "nvme"), ("/mmc", "mmc"), ("/usb", "usb"), ("/ata", "sata"), ("/virtio", "virtio"))
_TABLES = {"gpt": "gpt", "dos": "mbr"}


@frozen
class _Mount:
    point: str
    device: str
    """major:minor"""
    source: str


def _mounts(system: ReadOnlySystem) -> Iterator[_Mount]:
    """The lines of proc_pid_mountinfo(5)."""
    for line in (text_of(system, "/proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        yield _Mount(_unescape(fields[4]), fields[2], _unescape(rest[1]))


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)


def _mount_of(system: ReadOnlySystem, path: str) -> _Mount | None:
    """The mount that holds a path of the host; of several at one place, the last one hides the others."""
    holding = [mount for mount in _mounts(system) if f"{path}/".startswith(f"{mount.point.rstrip('/')}/")]
    return max(reversed(holding), key=lambda mount: len(mount.point), default=None)


def _partition(source: Source) -> str | None:
    """Where sysfs has the block device under `/`; under /sysroot where `/` is composed of an image (ostree)."""
    host, root = source.hardware, source.system.root.rstrip("/")
    for path in (root or "/", f"{root}/sysroot"):
        mount = _mount_of(host, path)
        found = None if mount is None else _device(host, mount)
        if found is not None:
            return found
    return None


def _device(system: ReadOnlySystem, mount: _Mount) -> str | None:
    if system.stat(f"/sys/dev/block/{mount.device}"):
        return system.resolve(f"/sys/dev/block/{mount.device}")
    # File systems that span devices, such as btrfs, have a number of their own, but name one of the devices.
    name = system.resolve(mount.source).rpartition("/")[2] if mount.source.startswith("/dev/") else ""
    return system.resolve(f"/sys/class/block/{name}") if name and system.stat(f"/sys/class/block/{name}") else None


def _disk(source: Source) -> str | Unknown:
    """Where sysfs has the disk that holds `/`."""
    found = source.once("disk", _find_disk)
    return found if isinstance(found, str | Unknown) else Unknown("/ is on no disk")


def _find_disk(source: Source) -> str | Unknown:
    system, device = source.hardware, _partition(source)
    if device is None:
        return Unknown("/ is on no disk")
    for _ in range(_LAYERS):
        if system.stat(f"{device}/partition"):
            return device.rpartition("/")[0]
        below = system.list_folder(f"{device}/slaves")
        if not below:
            return device
        if len(below) > 1:
            return Unknown("/ is on several disks")
        device = system.resolve(f"{device}/slaves/{below[0]}")
    return Unknown("/ is on too many layers of devices")


def _number(system: ReadOnlySystem, path: str) -> int:
    return int(line_of(system, path) or 0)


def _size(source: Source) -> Found:
    disk = _disk(source)
    return disk if isinstance(disk, Unknown) else _number(source.hardware, f"{disk}/size") * _SECTOR


def _unpartitioned(source: Source) -> Found:
    disk = _disk(source)
    if isinstance(disk, Unknown):
        return disk
    system = source.hardware
    names = [name for name in system.list_folder(disk) if system.stat(f"{disk}/{name}/partition")]
    if not names:
        return 0
    used = sum(_number(system, f"{disk}/{name}/size") for name in names)
    return max(0, _number(system, f"{disk}/size") - used) * _SECTOR


def _table(source: Source) -> Found:
    disk = _disk(source)
    if isinstance(disk, Unknown):
        return disk
    device = "/dev/" + disk.rpartition("/")[2].replace("!", "/")
    said = source.hardware.query(["blkid", "--probe", "--match-tag", "PTTYPE", "--output", "value", device])
    # blkid(8): 0 says what it found, 2 that there is nothing it knows.
    if said.returncode not in (0, 2):
        return Unknown(f"blkid cannot read {device}")
    name = said.stdout.strip()
    return _TABLES.get(name, name) or None


def _rotational(source: Source) -> Found:
    disk = _disk(source)
    return disk if isinstance(disk, Unknown) else _number(source.hardware, f"{disk}/queue/rotational") == 1


def _transport(source: Source) -> Found:
    disk = _disk(source)
    if isinstance(disk, Unknown):
        return disk
    return next((name for part, name in _TRANSPORTS if part in disk), "other")


def _mount(source: Source, path: str) -> Found:
    """The file system that holds a path, or will hold it: the nearest folder above that exists is asked for."""
    root = source.system.root.rstrip("/")
    place = root + source.system.resolve(path)
    while place != "/" and source.hardware.stat(place) is None:
        place = place.rpartition("/")[0] or "/"
    asked = ["findmnt", "--json", "--bytes", "--output", "SIZE,AVAIL,FSTYPE", "--target", place]
    said = source.hardware.query(asked)
    try:
        found = json.loads(said.stdout)["filesystems"][0]
        return {"size": int(found["size"]), "free": int(found["avail"]), "filesystem": str(found["fstype"])}
    except (ValueError, LookupError, TypeError):
        return Unknown(f"findmnt does not say what holds {path}")


FACTS: Mapping[str, Fact] = {
    "disk.size": Fact(SIZE, "The size of the disk that holds /.", _size, hardware=True),
    "disk.unpartitioned": Fact(SIZE, "How much of that disk is in no partition.", _unpartitioned, hardware=True),
    "disk.table": Fact(optional(TEXT), "Its partition table: gpt or mbr; unset without one.", _table, hardware=True),
    "disk.rotational": Fact(BOOLEAN, "It has platters that turn.", _rotational, hardware=True),
    "disk.transport": Fact(
        TEXT, "How it is attached: nvme, sata, mmc (eMMC and SD), usb, virtio or other.", _transport, hardware=True
    ),
}

PROBES: Mapping[str, Probe] = {
    "mount": Probe(
        "mount(path)",
        record(size=SIZE, free=SIZE, filesystem=TEXT),
        "The file system that holds a path: .size, .free (to users) and .filesystem, such as ext4.",
        _mount,
        hardware=True,
    ),
}
