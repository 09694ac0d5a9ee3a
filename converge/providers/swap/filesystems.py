"""Having the root's file system take all of its device."""

from converge.errors import ProviderError
from converge.system import System

GROWABLE = ("ext2", "ext3", "ext4", "xfs", "btrfs")
_HOUR = 3600.0
"""Seconds; a large ext4 on a slow disk gets all of its new groups written."""


def grow(system: System, kind: str, point: str, node: str) -> None:
    """Grow what is mounted at `point` from `node`; nothing happens where it is large enough already.

    It has to be mounted for writing (resize2fs(8), xfs_growfs(8)).
    """
    if kind not in GROWABLE:
        raise ProviderError(f"converge cannot grow a file system of the kind {kind}")
    argv = ["resize2fs", node]
    if kind == "xfs":
        argv = ["xfs_growfs", "-d", point]
    elif kind == "btrfs":
        argv = ["btrfs", "filesystem", "resize", f"{_number_in_btrfs(system, node)}:max", point]
    system.run_on_root_disk(argv, timeout=_HOUR)


def _number_in_btrfs(system: System, node: str) -> str:
    """What a btrfs calls its one device; after another one was replaced that is not 1."""
    name = node.rpartition("/")[2]
    (place, *_) = [*system.hardware.glob(f"/sys/fs/btrfs/*/devices/{name}"), ""]
    numbers = system.hardware.list_folder(f"{place.rpartition('/devices/')[0]}/devinfo") if place else ()
    return numbers[0] if len(numbers) == 1 else "1"
