"""Make the changes in steps, so that the next run continues if this one is killed.

A new swap partition is first added to the kernel only, and formatted; then it is written into the table. So a partition
in the table without a swap is never mistaken for one of ours. A partition is first removed from the kernel, which
refuses while it is in use. The file system grows last: it is never larger than its partition in the table.
"""

from attrs import frozen

from converge.errors import Later, ProviderError
from converge.providers.protocol import ABSENT, PRESENT
from converge.providers.swap import filesystems, swaps
from converge.providers.swap.partition.layout import Layout
from converge.providers.swap.partition_table import begun, kernel, sfdisk
from converge.providers.swap.partition_table.begun import Begun
from converge.providers.swap.partition_table.table import Row, Table, grown, with_swap, without
from converge.system import System, disks


@frozen
class Work:
    """The changes to make to the table."""

    removes: Row | None = None
    """The swap partition to remove."""
    makes: int | None = None
    """The size of the swap partition to make, in bytes."""
    label: str = ""
    end: int | None = None
    """The last sector that the root partition is to have; None: no change."""


def carry_out(system: System, layout: Layout, work: Work) -> None:
    """Change the table, update the kernel, and grow the root file system to fill its partition.

    ProviderError, before anything is done, if the space is too small.
    """
    disk = disks.root_partition(system)[0].rpartition("/")[0]
    rest = without(layout.table, work.removes.number) if work.removes else layout.table
    table, made = (rest, None) if work.makes is None else with_swap(rest, layout.root, work.makes, work.label)
    goal = table if work.end is None else grown(table, layout.root, work.end)
    if work.removes:
        _release(system, disk, layout.table, work.removes)
    ensure = ABSENT if work.removes else PRESENT if made else layout.ensure
    start = layout.root_row.start
    before = layout.begun.before if layout.begun else system.keep(layout.dump)
    begun.write(system, Begun(layout.table.id, start, ensure, work.end, layout.table.is_active, before))
    if layout.begun:
        sfdisk.repair(system, disk, layout.table)
    if work.removes:
        sfdisk.delete(system, disk, rest, work.removes)
        _require(system, disk, rest)
    if made:
        _make(system, disk, table, made, work.label)
    if work.end is not None:
        _grow(system, disk, table, goal, layout.root)
    begun.remove(system)


def _release(system: System, disk: str, table: Table, swap: Row) -> None:
    """Stop swapping to the partition and remove it from the kernel; it is still in the table.

    Later if something else uses it; the machine then swaps to it as before.
    """
    node = kernel.node(disk, swap.number)
    used = swaps.active_at(system, node)
    swaps.turn_off(system, node)
    if swap.number in kernel.known(system.hardware, disk, table) and not kernel.delete(system, disk, swap):
        if used:
            swaps.turn_on(system, node, priority=used.priority if used.priority >= 0 else None)
        raise Later(f"{node} is in use", "idle")


def _make(system: System, disk: str, table: Table, swap: Row, label: str) -> None:
    node = kernel.node(disk, swap.number)
    extent = kernel.known(system.hardware, disk, table).get(swap.number)
    if extent and (extent.start, extent.size) != (swap.start, swap.size):  # left by a run with another size
        kernel.delete(system, disk, swap)
        extent = None
    if extent is None:
        kernel.add(system, disk, table, swap)
    swaps.turn_off(system, node)
    system.run(["mkswap", "--force", "--label", label, node], view="machine").require()
    sfdisk.add(system, disk, table, swap)
    _require(system, disk, table)


def _grow(system: System, disk: str, table: Table, goal: Table, root: int) -> None:
    row, node = goal.row(root), kernel.node(disk, root)
    if goal != table:
        sfdisk.resize(system, disk, goal, row)
        _require(system, disk, goal)
    if kernel.known(system.hardware, disk, goal)[root].size < row.size and not kernel.resize(system, disk, goal, row):
        raise Later(f"the kernel accepts the new size of {node} only after a restart", "reboot")
    mount = disks.writable(system.hardware, disks.root_partition(system)[1])
    filesystems.grow(system, mount.filesystem, mount.point, node)


def _require(system: System, disk: str, goal: Table) -> None:
    """ProviderError if the table is not as intended."""
    found = sfdisk.read(system.hardware, disk)
    if found.is_active != goal.is_active or set(found.rows) != set(goal.rows):
        hint = "look in the store for the former table, as `sfdisk --dump` printed it"
        raise ProviderError(f"the partition table of {disks.node_of(disk)} is not as intended", hint=hint)
