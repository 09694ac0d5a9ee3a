"""The partitions of a disk that the running kernel knows; add, delete and resize them one by one (partx(8)).

Because the kernel refuses to read the whole table again while any partition is in use.
"""

from attrs import frozen

from converge.providers.swap.partition_table.table import Row, Table
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
    """The extents that the kernel knows, by partition number."""
    scale = table.sector // SECTOR

    def number(device: str, name: str) -> int:
        return int((hardware.read(f"{device}/{name}") or b"0").split()[0])

    return {
        number(each, "partition"): Extent(number(each, "start") // scale, number(each, "size") // scale)
        for each in partitions_of(hardware, disk)
    }


def node(disk: str, number: int) -> str:
    """The path of a partition in /dev."""
    name = node_of(disk)
    return f"{name}p{number}" if name[-1].isdigit() else f"{name}{number}"


def add(system: System, disk: str, table: Table, row: Row) -> None:
    scale = table.sector // SECTOR
    system.run(
        ["addpart", node_of(disk), *map(str, (row.number, row.start * scale, row.size * scale))], view="machine"
    ).require()


def delete(system: System, disk: str, row: Row) -> bool:
    """False, with nothing done, if the partition is in use.

    A lock of the disk keeps udevd(8) away: it opens the partition whenever a swap is turned off.
    """
    words = ["flock", f"--timeout={_PATIENCE}", node_of(disk), "delpart", node_of(disk), str(row.number)]
    return system.run(words, view="machine").ok


def resize(system: System, disk: str, table: Table, row: Row) -> bool:
    """False, with nothing done, if the kernel refuses the size."""
    size = row.size * table.sector // SECTOR
    return system.run(["resizepart", node_of(disk), str(row.number), str(size)], view="machine").ok
