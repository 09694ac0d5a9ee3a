"""A partition table as one value, and its changes. Pure.

Numbers are in sectors of the table's own size if nothing else is stated; an end is the last sector.
"""

import uuid

from attrs import evolve, field, frozen

from converge.errors import ProviderError
from converge.providers.swap.sizes import MIB
from converge.values import size_words

GPT, MBR = "gpt", "dos"
"""As libfdisk calls them."""

SWAP = {GPT: "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", MBR: "82"}
EXTENDED = ("5", "f", "85")
"""The types of an MBR partition that contains others, which are called logical."""
PROTECTIVE = "ee"
"""The type of the one MBR partition over all of a disk whose table is a GPT."""

_PRIMARY = 4
LARGEST_MBR = (1 << 32) - 1
"""The last sector that an MBR can have a partition on."""

_WORDS = {
    "0FC63DAF-8483-4772-8E79-3D69D8477DE4": "Linux",
    "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709": "Linux root",
    "B921B045-1DF0-41C3-AF44-4C6F280D3FAE": "Linux root",
    "69DAD710-2CE4-4E3C-B16C-21A1D49ABED3": "Linux root",
    "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F": "swap",
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B": "EFI system",
    "21686148-6449-6E6F-744E-656564454649": "BIOS boot",
    "BC13C2FF-59E6-4262-A352-B275FD6F7172": "boot loader",
    "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC": "Windows recovery",
    "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7": "Windows data",
    "E3C9E316-0B5C-4DB8-817D-F92DF00215AE": "Windows reserved",
    "5": "extended",
    "f": "extended",
    "85": "extended",
    "7": "Windows data",
    "b": "FAT",
    "c": "FAT",
    "12": "vendor",
    "27": "Windows recovery",
    "82": "swap",
    "83": "Linux",
    "ef": "EFI system",
}
"""The most usual types, for people."""


@frozen
class Row:
    """A partition. `flags` are the attributes of a GPT, or `bootable`; `id` is its unique identifier in a GPT."""

    number: int
    start: int
    size: int
    type: str
    name: str = ""
    flags: str = ""
    id: str = ""

    @property
    def end(self) -> int:
        return self.start + self.size - 1


@frozen
class Table:
    """`first` and `last` are the bounds of all partitions; new ones are aligned to `grain`."""

    label: str
    id: str
    sector: int
    """Bytes."""
    first: int
    last: int
    slots: int
    """The most partitions it can have, without logical ones."""
    grain: int
    rows: tuple[Row, ...]
    is_active: bool = False
    """The protective MBR of a GPT is marked as bootable; without that, some firmware (BIOS) does not boot from it."""
    is_damaged: bool = field(default=False, eq=False)
    """One of the two copies of a GPT is damaged; this is the other one."""

    def row(self, number: int) -> Row:
        return next(row for row in self.rows if row.number == number)

    def has(self, number: int) -> bool:
        return any(row.number == number for row in self.rows)

    def is_logical(self, row: Row) -> bool:
        return self.label == MBR and row.number > _PRIMARY

    def is_swap(self, row: Row) -> bool:
        return row.type == SWAP[self.label]

    def bytes_of(self, sectors: int) -> int:
        return sectors * self.sector


def behind(table: Table, row: Row) -> Row | None:
    """The next partition on the disk; logical ones do not count, because they are inside another one."""
    later = [each for each in table.rows if each.start > row.end and not table.is_logical(each)]
    return min(later, key=lambda each: each.start, default=None)


def swap_behind(table: Table, row: Row) -> Row | None:
    """The next partition on the disk, if its type is swap."""
    found = behind(table, row)
    return found if found and table.is_swap(found) else None


def swap_elsewhere(table: Table, row: Row) -> Row | None:
    """A swap partition that is not the next one."""
    next_ = behind(table, row)
    return next((each for each in table.rows if table.is_swap(each) and each != next_), None)


def gap_end(table: Table, row: Row) -> int:
    """The last sector of the free space directly behind a partition; its own last one if there is none.

    As sfdisk(8) counts: a single sector is not free space, nor are sectors before `first`.
    """
    found = behind(table, row)
    end = min(table.last, found.start - 1 if found else table.last)
    return end if end > max(row.end, table.first) + 1 else row.end


def free_behind(table: Table, row: Row) -> int:
    return gap_end(table, row) - row.end


def with_swap(table: Table, number: int, size: int, name: str) -> tuple[Table, Row]:
    """The table with a swap partition of `size` bytes at the end of the free space behind a partition, and its row.

    It begins and ends at multiples of the grain. ProviderError if the space is too small, or the table is full.
    """
    row = table.row(number)
    grains = -(-size // table.bytes_of(table.grain))
    next_ = behind(table, row)
    # sfdisk(8) may count the last sectors before an extended partition to the first logical one in it.
    kept = table.grain if next_ and table.label == MBR and next_.type in EXTENDED else 0
    end = (gap_end(table, row) + 1 - kept) // table.grain * table.grain
    start = end - grains * table.grain
    if start <= row.end:
        free = size_words(table.bytes_of(free_behind(table, row)) // MIB * MIB)
        message = f"{size_words(size)} do not fit behind the root partition: {free} are free"
        hint = "set a smaller `size`, or set `free_at_least` to make one only if enough is free"
        raise ProviderError(message, hint=hint)
    made = Row(_free_number(table), start, end - start, SWAP[table.label], *_identity(table, start, name))
    return evolve(table, rows=tuple(sorted((*table.rows, made), key=lambda each: each.number))), made


def _free_number(table: Table) -> int:
    found = next((number for number in range(1, table.slots + 1) if not table.has(number)), None)
    if found is None:
        hint = "remove a partition by hand: converge does not remove one to make room for another"
        raise ProviderError(f"the partition table is full: it has {table.slots} partitions already", hint=hint)
    return found


def _identity(table: Table, start: int, name: str) -> tuple[str, str, str]:
    """Name, flags and identifier of a new partition; empty in an MBR, which does not store them.

    The identifier is computed from the disk's and the place, so that after a killed run the same partition is made.
    """
    if table.label == MBR:
        return "", "", ""
    return name, "", str(uuid.uuid5(uuid.UUID(table.id), f"swap-partition:{start}")).upper()


def without(table: Table, number: int) -> Table:
    return evolve(table, rows=tuple(row for row in table.rows if row.number != number))


def grown(table: Table, number: int, end: int) -> Table:
    """The table with a partition grown to a last sector; it never becomes smaller, and never moves.

    ProviderError if another partition is in the way.
    """
    row = table.row(number)
    if end > gap_end(table, row):
        raise ProviderError(f"partition {number} cannot grow to sector {end}: another partition is in the way")
    larger = evolve(row, size=max(row.end, end) - row.start + 1)
    return evolve(table, rows=tuple(larger if each is row else each for each in table.rows))


def listing(table: Table) -> tuple[str, ...]:
    """A line per partition in their order on the disk: number, first and last sector, size, type and name.

    All tables of one disk have columns of the same width.
    """
    width = len(str(table.last))
    return tuple(
        f"{row.number:>3}  {row.start:>{width}} - {row.end:>{width}}  {_about(table.bytes_of(row.size)):>10}"
        f"  {_WORDS.get(row.type, row.type)}" + (f', "{row.name}"' if row.name else "")
        for row in sorted(table.rows, key=lambda row: row.start)
    )


def _about(size: int) -> str:
    """A size, rounded to about three digits."""
    for unit, bytes_ in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", MIB)):
        if size >= bytes_:
            return f"{size / bytes_:.1f} {unit}"
    return f"{size / 1024:.1f} KiB"
