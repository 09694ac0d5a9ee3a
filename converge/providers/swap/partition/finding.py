"""The disk that the root is on: its table, what of it is in use, and what is on its swap partition."""

from collections.abc import Iterator

from attrs import evolve

from converge.errors import ProviderError
from converge.providers.swap import filesystems, hibernation, swaps
from converge.providers.swap.partition.base import Layout, State, Use
from converge.providers.swap.partition_table import begun, kernel, sfdisk
from converge.providers.swap.partition_table.base import EXTENDED, Row, Table, swap_behind, swap_elsewhere, told
from converge.system import ReadOnlySystem, disks
from converge.system.disks import Mount, node_of
from converge.system.store import address_of


def state(system: ReadOnlySystem) -> State:
    layout = _layout(system)
    table, swap = layout.table, layout.swap
    return State(
        ensure=layout.ensure,
        size=table.bytes_of(swap.size) if swap else None,
        label=layout.use.label,
        root_size=table.bytes_of(layout.root_row.size),
        unfinished=layout.begun is not None,
        table=told(table),
        saved=address_of(layout.dump),
        layout=layout,
    )


def _layout(system: ReadOnlySystem) -> Layout:
    hardware, (device, mount) = system.hardware, disks.root_partition(system)
    disk, note = device.rpartition("/")[0], begun.read(system)
    table = sfdisk.read(hardware, disk, half=note is not None)
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
        locked=f"{node_of(disk)} can only be read" if hardware.read_line(f"{disk}/ro") == "1" else "",
        stale=next(_differences(hardware, disk, table, root if note else None), ""),
        rigid=_rigid(system, mount),
        use=_use_of(system, disk, table, swap) if swap else Use(),
    )


def _number(hardware: ReadOnlySystem, device: str, table: Table) -> int:
    """The number of the root partition; its first sector is what tells it."""
    number = int(hardware.read_line(f"{device}/partition"))
    extent = kernel.known(hardware, device.rpartition("/")[0], table)[number]
    if not table.has(number) or table.row(number).start != extent.start:
        hint = "start the machine anew, so that the kernel reads the table"
        raise ProviderError(f"the partition table does not have {node_of(device)} as the kernel knows it", hint=hint)
    if table.is_logical(table.row(number)):
        hint = "leave this resource out by `when`: it takes a root on a partition that is in no other"
        raise ProviderError(f"/ is on {node_of(device)}, which is a logical partition", hint=hint)
    return number


def _differences(hardware: ReadOnlySystem, disk: str, table: Table, changing: int | None) -> Iterator[str]:
    """Where the kernel knows another place of a partition than the table.

    `changing`: the root partition, where a change of ours was begun: it may differ in its size, and one that the kernel
    knows may not be in the table yet. One that the kernel does not know is no harm.
    """
    for number, extent in kernel.known(hardware, disk, table).items():
        name = kernel.node(disk, number)
        if not table.has(number):
            if changing is None:
                yield f"{name} is in no table"
            continue
        row = table.row(number)
        is_open = number == changing or row.type in EXTENDED
        if extent.start != row.start or (extent.size != row.size and not is_open):
            yield f"{name} is at another place there"


def _rigid(system: ReadOnlySystem, mount: Mount) -> str:
    if mount.filesystem not in filesystems.GROWABLE:
        return f"the root file system is of the kind {mount.filesystem}, which converge cannot grow"
    if mount.filesystem == "btrfs" and disks.spans_devices(system, mount):
        return "the root file system is a btrfs of several devices, of which converge grows none"
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
    """What a partition holds; no label is the empty one.

    It is asked for by its node, as people write to it: what the kernel remembers of the disk at the same place may be
    older. One that the kernel does not know is found by its place.
    """
    place, node = [f"--offset={table.bytes_of(row.start)}", f"--size={table.bytes_of(row.size)}"], node_of(disk)
    known = kernel.known(hardware, disk, table).get(row.number)
    if known == kernel.Extent(row.start, row.size) and hardware.stat(kernel.node(disk, row.number)):
        place, node = [], kernel.node(disk, row.number)
    said = hardware.query(["blkid", "--probe", *place, "--output=export", node])
    if said.returncode not in (0, 2):  # blkid(8): 2 is nothing, 8 several things at once
        return {"TYPE": "several things at once"}
    found = dict(line.partition("=")[::2] for line in said.stdout.splitlines())
    return {"LABEL": "", **found} if found.get("TYPE") == "swap" else found


def _users(hardware: ReadOnlySystem, disk: str, number: int) -> Iterator[str]:
    """What keeps a partition from being taken away, but for the swap itself."""
    node = kernel.node(disk, number)
    device = f"{disk}/{node.rpartition('/')[2]}"
    for name in hardware.list_folder(f"{device}/holders"):
        yield f"{node_of(name)} is on it"
    numbers = hardware.read_line(f"{device}/dev")
    yield from (f"it is mounted at {mount.point}" for mount in disks.mounts(hardware) if mount.device == numbers)
    for path in hardware.glob("/sys/block/loop*/loop/backing_file"):
        if hardware.read_line(path) == node:
            yield f"{node_of(path.split('/')[3])} is on it"
