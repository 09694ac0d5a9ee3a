"""The note about an unfinished change of the root's partition table: written before the change, removed after it.

The table itself does not show whether a change is unfinished; nor does a file system that is smaller than its
partition.
"""

import json

from attrs import asdict, frozen

from converge.providers.swap.partition_table.table import Table
from converge.system import ReadOnlySystem, System

PATH = "/var/lib/converge/partitions.json"


@frozen
class Begun:
    disk: str
    """The identifier of the table."""
    start: int
    """The first sector of the root partition, which never moves."""
    ensure: str
    """`present` if the change makes or keeps a swap partition, else `absent`."""
    end: int | None
    """The last sector that the root partition is to have; None if it does not grow."""
    active: bool
    """The protective MBR of a GPT must be marked as bootable."""
    before: str
    """The address of the former table in the store."""

    def fits(self, table: Table, root: int) -> bool:
        """Whether it belongs to this disk: an image may have been copied to another one."""
        return (self.disk, self.start) == (table.id, table.row(root).start)


def read(system: ReadOnlySystem) -> Begun | None:
    """None if there is none, or if it cannot be read: it only records that work is left."""
    try:
        found = json.loads(system.read(PATH) or b"")
        end = None if found["end"] is None else int(found["end"])
        disk, ensure, before = (str(found[name]) for name in ("disk", "ensure", "before"))
        return Begun(disk, int(found["start"]), ensure, end, bool(found["active"]), before)
    except (ValueError, LookupError, TypeError):
        return None


def write(system: System, begun: Begun) -> None:
    system.write(PATH, json.dumps(asdict(begun)).encode(), mode=0o600, keep=False)


def remove(system: System) -> None:
    system.remove(PATH, keep=False)
