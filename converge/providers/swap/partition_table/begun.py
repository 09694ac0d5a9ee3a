"""What has been begun with the root's partition table: written before it is touched, and removed once all is done.

A table does not tell whether it is as it was found, or half-way to what it is to be; nor does a file system that is
smaller than its partition.
"""

import json

from attrs import asdict, frozen

from converge.providers.swap.partition_table.base import Table
from converge.system import ReadOnlySystem, System

PATH = "/var/lib/converge/partitions.json"


@frozen
class Begun:
    disk: str
    """The identifier of the table."""
    start: int
    """The first sector of the root partition, which never moves."""
    ensure: str
    """Whether there is to be a swap partition: `present` or `absent`."""
    end: int | None
    """The last sector that the root partition is to have; None where it does not grow."""
    active: bool
    """The MBR that protects a GPT is to be marked as bootable."""
    before: str
    """The address of the table before, in the store."""

    def fits(self, table: Table, root: int) -> bool:
        """Whether it is about this disk: an image may be copied to another one."""
        return (self.disk, self.start) == (table.id, table.row(root).start)


def read(system: ReadOnlySystem) -> Begun | None:
    """None where there is none, or one that nobody can read: all that it can say is that there is more to do."""
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
