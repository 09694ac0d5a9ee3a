"""Grow the root's file system over all of its device."""

from converge.errors import ProviderError
from converge.system import System

GROWABLE = ("ext2", "ext3", "ext4", "xfs", "btrfs")
_HOUR = 3600.0
"""Seconds; on a slow disk, all new groups of a large ext4 are written."""


def grow(system: System, kind: str, point: str, node: str) -> None:
    """Grow the file system of `node`, mounted at `point`; nothing happens if it fills the device already.

    It must be mounted for writing (resize2fs(8), xfs_growfs(8)).
    """
    if kind not in GROWABLE:
        raise ProviderError(f"converge cannot grow file systems of type {kind}")
    argv = ["resize2fs", node]
    if kind == "xfs":
        argv = ["xfs_growfs", "-d", point]
    elif kind == "btrfs":
        argv = ["btrfs", "filesystem", "resize", f"{_number_in_btrfs(system, node)}:max", point]
    system.run_on_root_disk(argv, timeout=_HOUR)


def _number_in_btrfs(system: System, node: str) -> str:
    """The number of the only device of a btrfs; it is not 1 if a device was replaced before."""
    name = node.rpartition("/")[2]
    (place, *_) = [*system.hardware.glob(f"/sys/fs/btrfs/*/devices/{name}"), ""]
    numbers = system.hardware.list_folder(f"{place.rpartition('/devices/')[0]}/devinfo") if place else ()
    return numbers[0] if len(numbers) == 1 else "1"
