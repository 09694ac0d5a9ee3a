"""The block devices of the machine: which of them a root is on, and the disk that holds that.

mountinfo and sysfs are the running system's, also under a foreign root: an installer mounts the disk of the machine to
be, and its root is the place of the mount. A device is known by its folder in sysfs.
"""

import os
import re
from collections.abc import Iterator

from attrs import frozen

from converge.errors import Later, ProviderError
from converge.formats.fstab import unescaped
from converge.system import ReadOnlySystem

SECTOR = 512
"""Bytes; sysfs counts in these, also if the disk's own sectors are larger."""

_NUMBER = re.compile(r"\d+:\d+")
TAGS = ("UUID", "LABEL", "PARTUUID", "PARTLABEL")
"""The kinds of tags that a partition can be named by (fstab(5))."""

_TAG = re.compile(rf"({'|'.join(TAGS)})=.+")
_ODD = re.compile(r"[^A-Za-z0-9#+\-.:=@_\u0080-\ud7ff\ue000-\U0010ffff]")
_CODED = re.compile(rb"\\x([0-9a-f]{2})")
_LAYERS = 8
"""How many devices may lie on top of each other: encryption, volumes, arrays."""


@frozen
class Mount:
    """A line of proc_pid_mountinfo(5); `device` is major:minor, `root` the part of its file system."""

    device: str
    root: str
    point: str
    filesystem: str
    source: str
    options: str
    """Those of the file system itself."""
    flags: str = ""
    """Those of this mount of it."""

    @property
    def is_whole(self) -> bool:
        """Whether all of the file system, or of a subvolume, is mounted, and not a folder in it."""
        return self.root == "/" or f"subvol={self.root}" in self.options.split(",")


def mounts(hardware: ReadOnlySystem) -> Iterator[Mount]:
    for line in (hardware.read("/proc/self/mountinfo") or b"").splitlines():
        before, _, after = line.partition(b" - ")
        words = (*before.split()[2:5], *after.split()[:3], before.split()[5])
        yield Mount(*(os.fsdecode(unescaped(word)) for word in words))


def writable(hardware: ReadOnlySystem, mount: Mount) -> Mount:
    """A writable mount of the same file system, such as /var if /sysroot is read-only; else the mount itself."""
    same = [each for each in mounts(hardware) if each.device == mount.device]
    return next((each for each in (mount, *same) if "rw" in each.flags.split(",")), mount)


def mount_of(hardware: ReadOnlySystem, path: str) -> Mount | None:
    """The mount that holds a path of the host; of several at one place, the last one hides the others."""
    holding = [mount for mount in mounts(hardware) if f"{path}/".startswith(f"{mount.point.rstrip('/')}/")]
    return max(reversed(holding), key=lambda mount: len(mount.point), default=None)


@frozen
class Space:
    """The room of a file system in bytes: in all, and free to users."""

    total: int
    free: int


def space(system: ReadOnlySystem, path: str) -> Space:
    """The room on the file system that a path of the root is on, or will be on."""
    found = os.statvfs(_existing(system, path))
    return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def mount_under(system: ReadOnlySystem, path: str) -> Mount | None:
    """The mount that a path of the root is on, or will be on."""
    return mount_of(system.hardware, _existing(system, path))


def _existing(system: ReadOnlySystem, path: str) -> str:
    """The host's path of a thing in the root, or of the nearest existing folder above it."""
    place = system.resolve(path)
    while place != "/" and system.stat(place) is None:
        place = place.rpartition("/")[0] or "/"
    return system.root.rstrip("/") + place if place != "/" else system.root


def spans_devices(system: ReadOnlySystem, mount: Mount) -> bool:
    """Whether a btrfs is made of several devices, by /sys/fs/btrfs."""
    device = device_of(system.hardware, mount)
    name = device.rpartition("/")[2] if device else ""
    (holding, *_) = [*system.hardware.glob(f"/sys/fs/btrfs/*/devices/{name}"), ""]
    return len(system.hardware.list_folder(holding.rpartition("/")[0])) > 1 if holding else False


def link_of(tag: str) -> str:
    """The link that udev keeps for the partition that a tag such as `LABEL=swap` names."""
    name, _, value = tag.partition("=")
    return f"/dev/disk/by-{name.lower()}/{_coded(value)}"


def _coded(text: str) -> str:
    """A text as it is written in the name of a link: odd characters as numbers (udev_util_encode_string(3))."""
    return _ODD.sub(lambda found: "".join(f"\\x{byte:02x}" for byte in os.fsencode(found[0])), text)


def find(hardware: ReadOnlySystem, tag: str) -> str:
    """The partition that a tag names; ProviderError if that is not just one.

    If udev does not run, or has not seen it yet, blkid(8) looks at all devices.
    """
    link = link_of(tag)
    if hardware.stat(link):
        return hardware.resolve(link)
    lookup = ["blkid", "--cache-file", "/dev/null", "--match-token", tag, "--output", "device"]
    found = hardware.query(lookup).stdout.split()
    if len(found) != 1:
        many = f"{len(found)} partitions have" if found else "no partition has"
        raise ProviderError(f"{many} {tag}", hint="list the partitions with `lsblk --fs`")
    return found[0]


def names_of(hardware: ReadOnlySystem, link: str) -> tuple[str, ...]:
    """The other names of the partition at a link of udev: its node, and other links with their tags.

    An fstab(5) may have any of them, such as the UUID that an installer has put there.
    """
    if hardware.stat(link) is None:
        return ()
    node = hardware.resolve(link)
    links = [path for tag in TAGS for path in hardware.glob(f"/dev/disk/by-{tag.lower()}/*")]
    same = [path for path in links if hardware.resolve(path) == node]
    return (node, *same, *map(_tag_of, same))


def _tag_of(link: str) -> str:
    *_, folder, name = link.split("/")
    value = _CODED.sub(lambda found: bytes([int(found[1], 16)]), name.encode()).decode(errors="surrogateescape")
    return f"{folder.removeprefix('by-').upper()}={value}"


def device_named(hardware: ReadOnlySystem, name: str) -> str | None:
    """The device that a number, a path or a tag names, as kernel arguments do; None if there is none."""
    if _NUMBER.fullmatch(name):
        found = f"/sys/dev/block/{name}"
        return hardware.resolve(found) if hardware.stat(found) else None
    try:
        node = find(hardware, name) if _TAG.fullmatch(name) else name
    except ProviderError:
        return None
    return device_at(hardware, node) if node.startswith("/dev/") else None


def device_of(hardware: ReadOnlySystem, mount: Mount) -> str | None:
    """The device that is mounted; None for a file system that is on none."""
    if hardware.stat(f"/sys/dev/block/{mount.device}"):
        return hardware.resolve(f"/sys/dev/block/{mount.device}")
    # File systems that span devices, such as btrfs, have a number of their own, but name one of the devices.
    return device_at(hardware, mount.source) if mount.source.startswith("/dev/") else None


def device_at(hardware: ReadOnlySystem, node: str) -> str | None:
    """The device that a path below /dev, or a link there, leads to by its name."""
    name = hardware.resolve(node).rpartition("/")[2]
    return hardware.resolve(f"/sys/class/block/{name}") if hardware.stat(f"/sys/class/block/{name}") else None


def node_of(device: str) -> str:
    """The path of a device below /dev."""
    return "/dev/" + device.rpartition("/")[2].replace("!", "/")


def root_device(hardware: ReadOnlySystem, root: str) -> str | None:
    """The device under a root, by its path on the host; that at /sysroot if the root is composed (ostree)."""
    found = root_mount(hardware, root)
    return device_of(hardware, found) if found else None


def root_partition(system: ReadOnlySystem) -> tuple[str, Mount]:
    """The partition that a root is on, and its mount. ProviderError if it is on anything else.

    Later under a root that is a folder on the host's disk: the work is that of the machine to be.
    """
    if not system.live:
        try:
            require_own_disk(system)
        except ProviderError as error:
            raise Later(error.message, "facts") from None
    mount = root_mount(system.hardware, system.root)
    device = device_of(system.hardware, mount) if mount else None
    hint = "leave it out by `when`: it takes a root on a partition of a disk, with nothing laid between"
    if mount is None or device is None:
        raise ProviderError("/ is on no disk", hint=hint)
    if system.hardware.stat(f"{device}/partition") is None:
        raise ProviderError(f"/ is on {node_of(device)}, which is not a partition", hint=hint)
    return device, mount


def root_mount(hardware: ReadOnlySystem, root: str) -> Mount | None:
    """The mount that brings the device under a root; its point may be above the root."""
    sysroot = f"{root.rstrip('/')}/sysroot"
    found = [mount_of(hardware, sysroot), mount_of(hardware, root.rstrip("/") or "/")]
    if found[0] and found[0].point != sysroot:
        found.reverse()
    return next((mount for mount in found if mount and device_of(hardware, mount)), None)


def disk_of(hardware: ReadOnlySystem, device: str) -> str:
    """The disk that a device is, or is a part of, or lies on; ProviderError if that is not one disk."""
    for _ in range(_LAYERS):
        if hardware.stat(f"{device}/partition"):
            return device.rpartition("/")[0]
        below = hardware.list_folder(f"{device}/slaves")
        if not below:
            return device
        if len(below) > 1:
            raise ProviderError(f"{node_of(device)} is on several disks")
        device = hardware.resolve(f"{device}/slaves/{below[0]}")
    raise ProviderError(f"{node_of(device)} is on too many layers of devices")


def root_disk(hardware: ReadOnlySystem, root: str) -> str:
    """The disk that holds a root; ProviderError if it is on none."""
    device = root_device(hardware, root)
    if device is None:
        raise ProviderError("/ is on no disk")
    return disk_of(hardware, device)


def partitions_of(hardware: ReadOnlySystem, disk: str) -> tuple[str, ...]:
    """The partitions that the kernel knows of a disk."""
    names = hardware.list_folder(disk)
    return tuple(f"{disk}/{name}" for name in names if hardware.stat(f"{disk}/{name}/partition"))


def size_of(hardware: ReadOnlySystem, device: str) -> int:
    """In bytes."""
    return int((hardware.read(f"{device}/size") or b"0").split()[0]) * SECTOR


def require_own_disk(system: ReadOnlySystem) -> None:
    """ProviderError unless a root may change its disk: it is the live one, or the mount of another disk.

    A folder on the host's disk is a root to try things on: the disk is not its own.
    """
    if system.live:
        return
    mount = root_mount(system.hardware, system.root)
    if mount is None or mount.point not in (system.root, f"{system.root}/sysroot") or not mount.is_whole:
        hint = "mount the disk of the machine to be, and name the place by --root"
        raise ProviderError(f"{system.root} is not the mount of a disk", hint=hint)
    ours = root_device(system.hardware, "/")
    if ours and root_disk(system.hardware, system.root) == disk_of(system.hardware, ours):
        raise ProviderError(f"{system.root} is on the disk that the running system is on")
