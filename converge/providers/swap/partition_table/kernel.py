"""The partitions that the running kernel knows of a disk, and telling it of others, one by one (partx(8)).

Reading all of the table anew is refused while any partition is in use; these are not.
"""

from attrs import frozen

from converge.providers.swap.partition_table.base import Row, Table
from converge.system import ReadOnlySystem, System
from converge.system.disks import SECTOR, node_of, partitions_of

_PATIENCE = 30
"""Seconds."""


@frozen
class Extent:
    """In sectors of the table."""

    start: int
    size: int


def known(hardware: ReadOnlySystem, disk: str, table: Table) -> dict[int, Extent]:
    """Per number, what the kernel knows."""
    scale = table.sector // SECTOR

    def number(device: str, name: str) -> int:
        return int((hardware.read(f"{device}/{name}") or b"0").split()[0])

    return {
        number(each, "partition"): Extent(number(each, "start") // scale, number(each, "size") // scale)
        for each in partitions_of(hardware, disk)
    }


def node(disk: str, number: int) -> str:
    """Where a partition is below /dev."""
    name = node_of(disk)
    return f"{name}p{number}" if name[-1].isdigit() else f"{name}{number}"


def add(system: System, disk: str, table: Table, row: Row) -> None:
    scale = table.sector // SECTOR
    system.run(
        ["addpart", node_of(disk), *map(str, (row.number, row.start * scale, row.size * scale))], view="machine"
    ).require()


def delete(system: System, disk: str, row: Row) -> bool:
    """False, and nothing done, where the partition is in use.

    udevd(8) may be looking at it, as it does whenever a swap is left: a lock of the disk keeps it away.
    """
    words = ["flock", f"--timeout={_PATIENCE}", node_of(disk), "delpart", node_of(disk), str(row.number)]
    return system.run(words, view="machine").ok


def resize(system: System, disk: str, table: Table, row: Row) -> bool:
    """False, and nothing done, where the kernel does not take it."""
    size = row.size * table.sector // SECTOR
    return system.run(["resizepart", node_of(disk), str(row.number), str(size)], view="machine").ok
