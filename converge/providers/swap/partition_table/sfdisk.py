"""Read and change a partition table with sfdisk(8), entry by entry: a table is never recreated.

So boot code, logical partitions, and the identifiers, names and flags of other partitions stay as they are. sfdisk
writes the second copy of a GPT first and syncs each copy to the disk; the one sector of an MBR is written at once. If
it is killed at any point, the disk has the former table or the new one.
"""

import json
import re
from typing import Any

from attrs import evolve

from converge.errors import ProviderError
from converge.providers.swap.partition_table.table import GPT, LARGEST_MBR, MBR, PROTECTIVE, Row, Table
from converge.providers.swap.sizes import MIB
from converge.system import ReadOnlySystem, System
from converge.system.disks import SECTOR, node_of, size_of

_EDIT = ("sfdisk", "--quiet", "--lock", "--no-reread", "--no-tell-kernel", "--wipe=never", "--wipe-partitions=never")
_GPT_SLOTS, _GPT_ENTRY, _MBR_SLOTS = 128, 128, 4

_MOVED = "The backup GPT table is not on the end of the device."
"""As after an image was written to a larger disk; the next write moves it there."""
_HARMLESS = re.compile(
    r"GPT PMBR size mismatch .*|The backup GPT table is not on the end of the device\..*"
    r"|MyLBA mismatch with real position at backup header\.|[0-9]+ errors? detected\."
    r"|Partition [0-9]+: (head|sector|cylinder) [0-9]+ greater than maximum.*"
    r"|Partition [0-9]+ does not start on physical sector boundary\."
    r"|Partition [0-9]+: (previous sectors|different physical/logical|cylinder boundary).*"
)
"""Warnings about the size of the disk, which a write fixes, and about cylinders and heads, which are obsolete."""
_DAMAGED = re.compile(
    r"The (primary|backup) GPT table is corrupt, but the (primary|backup) appears OK, so that will be used\."
)
"""As sfdisk leaves it if it is killed; the next write fixes that copy."""


def read(hardware: ReadOnlySystem, disk: str, *, may_be_damaged: bool = False) -> Table:
    """The table of a disk; ProviderError if it is missing or has an error.

    `may_be_damaged`: one of the two copies of a GPT may be damaged, as after a write of ours that was killed.
    """
    node = node_of(disk)
    result = hardware.query(["sfdisk", "--json", node])
    if not result.ok:
        hint = f"run `sfdisk --verify {node}` for details"
        raise ProviderError(f"sfdisk cannot read a partition table on {node}", hint=hint)
    found = json.loads(result.stdout)["partitiontable"]
    warnings = (*result.stderr.splitlines(), *hardware.query(["sfdisk", "--verify", node]).stderr.splitlines())
    protecting = _protecting(hardware, node) if found["label"] == GPT else []
    counted = [line for line in warnings if not (may_be_damaged and _DAMAGED.fullmatch(line))]
    if problem := _problem(found, protecting, counted):
        hint = f"run `sfdisk --verify {node}`: converge only changes tables without errors"
        raise ProviderError(f"cannot change the partition table of {node}: {problem}", hint=hint)
    return evolve(
        _table(hardware, disk, found, moved=any(_MOVED in line for line in warnings)),
        is_active=any(each.get("bootable") for each in protecting),
        is_damaged=any(_DAMAGED.fullmatch(line) for line in warnings),
    )


def _protecting(hardware: ReadOnlySystem, node: str) -> list[dict[str, Any]]:
    """The entries of the MBR before a GPT: there should be only one, which covers the disk."""
    result = hardware.query(["sfdisk", "--json", "--label-nested", MBR, node])
    found: list[dict[str, Any]] = json.loads(result.stdout)["partitiontable"].get("partitions", []) if result.ok else []
    return found


def _problem(found: dict[str, Any], protecting: list[dict[str, Any]], warnings: list[str]) -> str:
    """Why a table must not be changed; empty if it may be."""
    if found["label"] not in (GPT, MBR):
        return f"its type is {found['label']}, neither GPT nor MBR"
    if found["label"] == MBR and any(each["type"] == PROTECTIVE for each in found.get("partitions", ())):
        return "both copies of its GPT are damaged"
    if len(protecting) > 1:
        return "it is a GPT, but its MBR has other partitions"
    return next((line for line in warnings if not _HARMLESS.fullmatch(line)), "")


def _table(hardware: ReadOnlySystem, disk: str, found: dict[str, Any], *, moved: bool) -> Table:
    sector = int(found.get("sectorsize", SECTOR))
    sectors = size_of(hardware, disk) // sector
    slots = int(found.get("table-length", _GPT_SLOTS)) if found["label"] == GPT else _MBR_SLOTS
    end = sectors - 1 if found["label"] == MBR else found["lastlba"]
    if moved:
        end = sectors - 2 - -(-slots * _GPT_ENTRY // sector)
    return Table(
        label=found["label"],
        id=found["id"],
        sector=sector,
        first=int(found.get("firstlba", MIB // sector)),
        last=min(end, LARGEST_MBR) if found["label"] == MBR else end,
        slots=slots,
        grain=_grain(hardware, disk) // sector,
        rows=tuple(_row(each) for each in found.get("partitions", ())),
    )


def _row(found: dict[str, Any]) -> Row:
    number = re.search(r"[0-9]+\Z", found["node"])
    flags = "bootable" if found.get("bootable") else found.get("attrs", "")
    name, id_ = found.get("name", ""), found.get("uuid", "")
    return Row(int(number[0]) if number else 0, found["start"], found["size"], found["type"], name, flags, id_)


def _grain(hardware: ReadOnlySystem, disk: str) -> int:
    """Bytes: the size that the disk prefers, if it is a multiple of one MiB, else one MiB."""
    preferred = int((hardware.read(f"{disk}/queue/optimal_io_size") or b"0").split()[0])
    return preferred if preferred and preferred % MIB == 0 else MIB


def dump(hardware: ReadOnlySystem, disk: str) -> bytes:
    """The table as input for sfdisk(8), without the present name of the disk."""
    node = node_of(disk)
    printed = hardware.query(["sfdisk", "--dump", node]).require().stdout
    lines = [line.removeprefix(node) for line in printed.splitlines() if not line.startswith("device:")]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def add(system: System, disk: str, table: Table, row: Row) -> None:
    words = {"start": str(row.start), "size": str(row.size), "type": row.type}
    if row.id:
        words |= {"uuid": row.id, "name": f'"{row.name}"'}
    fields = ", ".join(f"{name}={value}" for name, value in words.items())
    _edit(system, disk, table, f"--partno={row.number}", node_of(disk), given=fields)


def resize(system: System, disk: str, table: Table, row: Row) -> None:
    """Set the size of the partition with the row's number."""
    _edit(system, disk, table, f"--partno={row.number}", node_of(disk), given=f"size={row.size}")


def delete(system: System, disk: str, table: Table, row: Row) -> None:
    _edit(system, disk, table, "--delete", node_of(disk), str(row.number))


def repair(system: System, disk: str, table: Table) -> None:
    """Fix the damage that a killed write of ours may have left: a copy of the GPT, or the bootable mark."""
    if table.is_damaged:  # any write fixes the damaged copy, even one that changes nothing
        resize(system, disk, table, table.rows[0])
    elif table.is_active:
        _activate(system, disk)


def _edit(system: System, disk: str, table: Table, *words: str, given: str = "") -> None:
    _run(system, *words, given=given)
    if table.is_active:  # each write of a GPT removes the mark
        _activate(system, disk)


def _activate(system: System, disk: str) -> None:
    _run(system, "--activate", node_of(disk), "1")


def _run(system: System, *words: str, given: str = "") -> None:
    system.run([*_EDIT, *words], view="machine", timeout=60, stdin=f"{given}\n".encode()).require()
