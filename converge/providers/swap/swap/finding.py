"""The state of a swap: the file or partition, its use, and obstacles."""

from collections.abc import Mapping
from typing import Any

from converge.errors import ProviderError
from converge.providers.protocol import ABSENT, PRESENT
from converge.providers.swap import hibernation, swaps
from converge.providers.swap.swap.spec import Spec, State, node
from converge.system import FileStat, ReadOnlySystem, disks

FILE_SYSTEMS = ("ext2", "ext3", "ext4", "xfs", "btrfs")
"""File systems with swap files: the kernel writes to the blocks and bypasses the file system (swapon(8))."""
SNAPSHOTS = ("btrfs", "xfs")
"""Those on which files can share blocks."""


def state(system: ReadOnlySystem, spec: Spec, configured: Mapping[str, Any]) -> State:
    """`configured` has the state fields about the boot."""
    return _of_file(system, spec, configured) if spec.path else _of_partition(system, spec, configured)


def _of_file(system: ReadOnlySystem, spec: Spec, configured: Mapping[str, Any]) -> State:
    path = str(spec.path)
    found, unfinished = system.stat(path), system.stat(system.unfinished(path), follow=False)
    is_swap = is_swap_file(system, path)
    own = (found if is_swap else None, unfinished)
    return State(
        # The file of a killed run is not a swap, but `absent` removes it.
        ensure=PRESENT if is_swap or (unfinished and spec.ensure == ABSENT) else ABSENT,
        size=_usable(system, spec, found) if found and is_swap else None,
        mode=f"{found.mode:04o}" if found and is_swap else None,
        unusable=f"{path} exists and is not a swap file" if found and not is_swap else _unsupported(system, path),
        resumes=is_swap and _resumes(system, path),
        free=disks.space(system, path).free + sum(each.allocated for each in own if each),
        **_activity(system, spec),
        **configured,
    )


def is_swap_file(system: ReadOnlySystem, path: str) -> bool:
    found = system.stat(path)
    return found is not None and found.kind == "file" and swaps.is_signed(system, path)


def _usable(system: ReadOnlySystem, spec: Spec, found: FileStat) -> int:
    """The usable size of a swap file: without holes, and 0 if it shares blocks with a snapshot."""
    kind, path = filesystem(system, spec), str(spec.path)
    if kind not in SNAPSHOTS or in_use(system, spec) or system.is_written_in_place(path, by_flag=kind == "btrfs"):
        return min(found.size, found.allocated)
    return 0


def _unsupported(system: ReadOnlySystem, path: str) -> str:
    """Why the file system of a path does not support swap files; empty if it does."""
    mount = disks.mount_under(system, path)
    if mount is None or mount.filesystem not in FILE_SYSTEMS:
        kind = mount.filesystem if mount else "unknown"
        return f"the file system of {path} ({kind}) does not support swap files; ext4, xfs and btrfs do"
    if mount.filesystem == "btrfs" and disks.spans_devices(system, mount):
        return f"the file system of {path} (btrfs on several devices) does not support swap files"
    return ""


def _resumes(system: ReadOnlySystem, path: str) -> bool:
    mount = disks.mount_under(system, path)
    return mount is not None and _wakes_by(system, disks.device_of(system.hardware, mount), in_file=True)


def _wakes_by(system: ReadOnlySystem, device: str | None, *, in_file: bool) -> bool:
    """Whether the machine wakes from hibernation by a whole device, or by a file on it."""
    return device is not None and hibernation.wakes_by(system, device, disks.device_named, in_file=in_file)


def _of_partition(system: ReadOnlySystem, spec: Spec, configured: Mapping[str, Any]) -> State:
    activity = _activity(system, spec)
    return State(
        ensure=None,
        resumes=bool(activity["active"])
        and _wakes_by(system, disks.device_at(system.hardware, place(system, spec)), in_file=False),
        unusable=_unusable(system, spec) if system.live and not activity["active"] else "",
        **activity,
        **configured,
    )


def _unusable(system: ReadOnlySystem, spec: Spec) -> str:
    try:
        device = place(system, spec)
    except ProviderError as error:
        return error.message
    kind = swaps.content_of(system, device)
    return "" if kind == "swap" else f"{spec.device} ({device}) is not a swap: it contains {kind or 'nothing'}"


def _activity(system: ReadOnlySystem, spec: Spec) -> dict[str, Any]:
    """The state fields about the running machine; unknown if the root does not run."""
    if not system.live:
        return {"active": None}
    used = in_use(system, spec)
    return {"active": used is not None, "full": used is not None and not swaps.is_leavable(system, used)}


def in_use(system: ReadOnlySystem, spec: Spec) -> swaps.Swap | None:
    try:
        return swaps.active_at(system, place(system, spec))
    except ProviderError:  # a missing partition is not in use
        return None


def place(system: ReadOnlySystem, spec: Spec) -> str:
    """The path of the file or device; ProviderError if the partition is missing or not unique."""
    return node(system, spec) if spec.path else disks.find(system.hardware, spec.source)


def filesystem(system: ReadOnlySystem, spec: Spec) -> str:
    mount = disks.mount_under(system, str(spec.path))
    return mount.filesystem if mount else ""
