"""The disk that the root is on: its table, the use and contents of its swap partition, and the changes it allows."""

from collections.abc import Iterator

from attrs import evolve, frozen

from converge.errors import Later, ProviderError
from converge.providers.protocol import ABSENT, PRESENT
from converge.providers.swap import filesystems, hibernation, swaps
from converge.providers.swap.partition_table import begun, kernel, sfdisk
from converge.providers.swap.partition_table.begun import Begun
from converge.providers.swap.partition_table.table import (
    EXTENDED,
    Row,
    Table,
    free_behind,
    gap_end,
    swap_behind,
    swap_elsewhere,
)
from converge.system import ReadOnlySystem, disks
from converge.system.disks import Mount, node_of

SWAP_CONTENTS = ("", "swap")
"""Contents of a swap partition that may be lost: a swap, or nothing that blkid(8) knows."""


@frozen
class Use:
    """The contents and users of the swap partition; empty if there is none."""

    node: str = ""
    label: str | None = None
    """None if it does not contain a swap."""
    content: str = ""
    """Its contents in words of blkid(8); empty if unknown."""
    busy: str = ""
    """Its user, apart from swapping; empty if there is none."""
    full: bool = False
    """More is swapped out to it than memory would hold."""
    resumes: bool = False
    """The machine wakes from hibernation by it."""


@frozen
class Layout:
    """The facts about the root's disk that decide what can be changed."""

    node: str
    """Of the disk, below /dev."""
    table: Table
    dump: bytes
    """The table as `sfdisk --dump` prints it."""
    root: int
    """The number of the root partition."""
    begun: Begun | None
    """An unfinished change."""
    elsewhere: str
    """The node of a swap partition that is not the next one behind the root."""
    locked: str
    """Why nothing on the disk can be changed; empty if it can."""
    stale: str
    """How the running kernel's table differs from the disk's; empty if it does not."""
    rigid: str
    """Why the root file system cannot grow; empty if it can."""
    use: Use

    @property
    def root_row(self) -> Row:
        return self.table.row(self.root)

    @property
    def swap(self) -> Row | None:
        return swap_behind(self.table, self.root_row)

    @property
    def ensure(self) -> str:
        return PRESENT if self.swap else ABSENT

    @property
    def free(self) -> int:
        """Bytes that are free behind the root partition."""
        return self.table.bytes_of(free_behind(self.table, self.root_row))

    @property
    def end_begun(self) -> int | None:
        """The last sector of the root partition after the unfinished growth.

        None if there is none, if it was never started, or if something else uses the space by now.
        """
        end, row = self.begun.end if self.begun else None, self.root_row
        if self.begun is None or end is None or not row.end <= end <= gap_end(self.table, row):
            return None
        return end if row.end == end or self.begun.ensure == self.ensure else None


def find(system: ReadOnlySystem) -> Layout:
    hardware, (device, mount) = system.hardware, disks.root_partition(system)
    disk, note = device.rpartition("/")[0], begun.read(system)
    table = sfdisk.read(hardware, disk, may_be_damaged=note is not None)
    root = _number(hardware, device, table)
    note = note if note and note.fits(table, root) else None
    table = evolve(table, is_active=table.is_active or (note is not None and note.active))
    swap, elsewhere = swap_behind(table, table.row(root)), swap_elsewhere(table, table.row(root))
    return Layout(
        node=node_of(disk),
        table=table,
        dump=sfdisk.dump(hardware, disk),
        root=root,
        begun=note,
        elsewhere=kernel.node(disk, elsewhere.number) if elsewhere else "",
        locked=f"{node_of(disk)} is read-only" if hardware.read_line(f"{disk}/ro") == "1" else "",
        stale=next(_differences(hardware, disk, table, root if note else None), ""),
        rigid=_rigid(system, mount),
        use=_use_of(system, disk, table, swap) if swap else Use(),
    )


def require_changeable(layout: Layout, *, grows: bool) -> None:
    """ProviderError or Later if the table, or with `grows` the root file system, cannot be changed."""
    if layout.locked:
        raise ProviderError(layout.locked, hint="check the disk for a write-protect switch")
    if grows and layout.rigid:
        hint = "set `grow_root: false` to make a swap partition, or exclude this machine with `when`"
        raise ProviderError(layout.rigid, hint=hint)
    if layout.stale:
        raise Later(f"the running kernel has an outdated table of {layout.node}: {layout.stale}", "reboot")


def require_removable(use: Use) -> None:
    """ProviderError or Later if the swap partition cannot be removed."""
    if use.content not in SWAP_CONTENTS:
        hint = "its type in the partition table is swap: change the type, or remove the partition by hand"
        raise ProviderError(f"{use.node} contains {use.content}, which would be lost", hint=hint)
    if use.resumes:
        raise hibernation.needed(use.node)
    if use.busy:
        raise Later(f"{use.node} is in use: {use.busy}", "idle")
    if use.full:
        raise swaps.not_leavable(use.node)


def _number(hardware: ReadOnlySystem, device: str, table: Table) -> int:
    """The number of the root partition, which is identified by its first sector."""
    number = int(hardware.read_line(f"{device}/partition"))
    extent = kernel.known(hardware, device.rpartition("/")[0], table)[number]
    if not table.has(number) or table.row(number).start != extent.start:
        hint = "restart the machine, so that the kernel reads the table"
        raise ProviderError(f"the partition table does not contain {node_of(device)} as the kernel does", hint=hint)
    if table.is_logical(table.row(number)):
        hint = "exclude this machine with `when`: the root must be on a GPT or primary partition"
        raise ProviderError(f"/ is on {node_of(device)}, which is a logical partition", hint=hint)
    return number


def _differences(hardware: ReadOnlySystem, disk: str, table: Table, changing: int | None) -> Iterator[str]:
    """The partitions that the kernel has at another place than the table.

    `changing`: the root partition, if a change of ours is unfinished: its size may differ, and the kernel may know a
    partition that is not in the table yet. A partition that the kernel does not know does not matter.
    """
    for number, extent in kernel.known(hardware, disk, table).items():
        name = kernel.node(disk, number)
        if not table.has(number):
            if changing is None:
                yield f"the table on the disk does not contain {name}"
            continue
        row = table.row(number)
        is_open = number == changing or row.type in EXTENDED
        if extent.start != row.start or (extent.size != row.size and not is_open):
            yield f"{name} is at another place in the table on the disk"


def _rigid(system: ReadOnlySystem, mount: Mount) -> str:
    if mount.filesystem not in filesystems.GROWABLE:
        return f"converge cannot grow the root file system: its type is {mount.filesystem}"
    if mount.filesystem == "btrfs" and disks.spans_devices(system, mount):
        return "converge cannot grow the root file system: it is a btrfs on several devices"
    return ""


def _use_of(system: ReadOnlySystem, disk: str, table: Table, swap: Row) -> Use:
    node = kernel.node(disk, swap.number)
    found = _blkid(system.hardware, disk, table, swap)
    used = swaps.active_at(system, node)
    return Use(
        node=node,
        label=found.get("LABEL"),
        content=found.get("TYPE", found.get("PTTYPE", "")),
        busy=next(_users(system.hardware, disk, swap.number), ""),
        full=used is not None and not swaps.is_leavable(system, used),
        resumes=hibernation.wakes_by(system, f"{disk}/{node.rpartition('/')[2]}", disks.device_named, in_file=False),
    )


def _blkid(hardware: ReadOnlySystem, disk: str, table: Table, row: Row) -> dict[str, str]:
    """The contents of a partition; the label is empty if there is none.

    It is read through the partition's node, because people write to that: the kernel's cache of the disk at the same
    place may be older. If the kernel does not know the partition, it is read at its place on the disk.
    """
    place, node = [f"--offset={table.bytes_of(row.start)}", f"--size={table.bytes_of(row.size)}"], node_of(disk)
    known = kernel.known(hardware, disk, table).get(row.number)
    if known == kernel.Extent(row.start, row.size) and hardware.stat(kernel.node(disk, row.number)):
        place, node = [], kernel.node(disk, row.number)
    result = hardware.query(["blkid", "--probe", *place, "--output=export", node])
    if result.returncode not in (0, 2):  # blkid(8): 2 is nothing, 8 several things at once
        return {"TYPE": "several things at once"}
    found = dict(line.partition("=")[::2] for line in result.stdout.splitlines())
    return {"LABEL": "", **found} if found.get("TYPE") == "swap" else found


def _users(hardware: ReadOnlySystem, disk: str, number: int) -> Iterator[str]:
    """Users that prevent the removal of a partition, apart from the swap itself."""
    node = kernel.node(disk, number)
    device = f"{disk}/{node.rpartition('/')[2]}"
    for name in hardware.list_folder(f"{device}/holders"):
        yield f"{node_of(name)} is on it"
    numbers = hardware.read_line(f"{device}/dev")
    yield from (f"it is mounted at {mount.point}" for mount in disks.mounts(hardware) if mount.device == numbers)
    for path in hardware.glob("/sys/block/loop*/loop/backing_file"):
        if hardware.read_line(path) == node:
            yield f"{node_of(path.split('/')[3])} is on it"
