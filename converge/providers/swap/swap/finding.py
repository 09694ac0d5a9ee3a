"""What there is of a swap: the file or partition, whether it is in use, and what stands in the way of it."""

from collections.abc import Mapping
from typing import Any

from converge.errors import ProviderError
from converge.providers.protocol import ABSENT, PRESENT
from converge.providers.swap import hibernation, swaps
from converge.providers.swap.swap.base import Spec, State, node
from converge.system import FileStat, ReadOnlySystem, disks

FILE_SYSTEMS = ("ext2", "ext3", "ext4", "xfs", "btrfs")
"""Those that the kernel can swap to a file of: it writes to the blocks past the file system (swapon(8))."""
SNAPSHOTS = ("btrfs", "xfs")
"""Those of them on which files can share blocks."""


def state(system: ReadOnlySystem, spec: Spec, configured: Mapping[str, Any]) -> State:
    """`configured` are the fields that tell what has the machine swap there at boot."""
    return _of_file(system, spec, configured) if spec.path else _of_partition(system, spec, configured)


def _of_file(system: ReadOnlySystem, spec: Spec, configured: Mapping[str, Any]) -> State:
    path = str(spec.path)
    found, unfinished = system.stat(path), system.stat(system.unfinished(path), follow=False)
    is_swap = is_swap_file(system, path)
    space = disks.space(system, path)
    return State(
        # What a run that was killed has left is nothing to swap to, but something to remove.
        ensure=PRESENT if is_swap or (unfinished and spec.ensure == ABSENT) else ABSENT,
        size=_usable(system, spec, found) if found and is_swap else None,
        mode=f"{found.mode:04o}" if found and is_swap else None,
        what=f"{path} is there, and is no swap file" if found and not is_swap else _unfit(system, path),
        resumes=is_swap and _resumes(system, path),
        free=space.free + sum(each.allocated for each in (found if is_swap else None, unfinished) if each),
        total=space.total,
        **_activity(system, spec),
        **configured,
    )


def is_swap_file(system: ReadOnlySystem, path: str) -> bool:
    found = system.stat(path)
    return found is not None and found.kind == "file" and swaps.is_signed(system, path)


def _usable(system: ReadOnlySystem, spec: Spec, found: FileStat) -> int:
    """How much of a swap file can be swapped to: no holes, and nothing at all that is shared with a snapshot of it."""
    kind, path = filesystem(system, spec), str(spec.path)
    if kind not in SNAPSHOTS or in_use(system, spec) or system.is_written_in_place(path, by_flag=kind == "btrfs"):
        return min(found.size, found.allocated)
    return 0


def _unfit(system: ReadOnlySystem, path: str) -> str:
    """Why a file system takes no swap file; empty where it does."""
    mount = disks.mount_under(system, path)
    if mount is None or mount.filesystem not in FILE_SYSTEMS:
        kind = mount.filesystem if mount else "unknown"
        return f"{path} would be on a file system that takes no swap files ({kind}; ext4, xfs and btrfs do)"
    if mount.filesystem == "btrfs" and disks.spans_devices(system, mount):
        return f"{path} would be on a btrfs of several devices, which takes no swap files"
    return ""


def _resumes(system: ReadOnlySystem, path: str) -> bool:
    mount = disks.mount_under(system, path)
    return mount is not None and _wakes_by(system, disks.device_of(system.hardware, mount), in_file=True)


def _wakes_by(system: ReadOnlySystem, device: str | None, *, in_file: bool) -> bool:
    """Whether the machine wakes from hibernation by what is on a device, or by what is in a file there."""
    return device is not None and hibernation.wakes_by(system, device, disks.device_named, in_file=in_file)


def _of_partition(system: ReadOnlySystem, spec: Spec, configured: Mapping[str, Any]) -> State:
    activity = _activity(system, spec)
    return State(
        ensure=None,
        resumes=bool(activity["active"])
        and _wakes_by(system, disks.device_at(system.hardware, place(system, spec)), in_file=False),
        what=_unusable(system, spec) if system.live and not activity["active"] else "",
        **activity,
        **configured,
    )


def _unusable(system: ReadOnlySystem, spec: Spec) -> str:
    try:
        device = place(system, spec)
    except ProviderError as error:
        return error.message
    kind = swaps.content_of(system, device)
    return "" if kind == "swap" else f"{spec.device} ({device}) holds {kind or 'nothing'}, and no swap"


def _activity(system: ReadOnlySystem, spec: Spec) -> dict[str, Any]:
    """The state fields about the running machine; unknown under a foreign root, which swaps to nothing."""
    if not system.live:
        return {"active": None}
    used = in_use(system, spec)
    return {"active": used is not None, "full": used is not None and not swaps.is_leavable(system, used)}


def in_use(system: ReadOnlySystem, spec: Spec) -> swaps.Swap | None:
    try:
        return swaps.active_at(system, place(system, spec))
    except ProviderError:  # a partition that is not there is not in use
        return None


def place(system: ReadOnlySystem, spec: Spec) -> str:
    """Where the file or device is; ProviderError where there is no such partition, or more than one."""
    return node(system, spec) if spec.path else disks.find(system.hardware, spec.source)


def filesystem(system: ReadOnlySystem, spec: Spec) -> str:
    mount = disks.mount_under(system, str(spec.path))
    return mount.filesystem if mount else ""
