"""Reading and changing a partition table by sfdisk(8), entry by entry: a table is never made anew.

So boot code, the identifiers, names and flags of everything else, and logical partitions stay as they are. sfdisk
writes the second copy of a GPT first and has each copy reach the disk, and the one sector of an MBR at once: killed
anywhere, it leaves the table before or the one after.
"""

import json
import re
from typing import Any

from attrs import evolve

from converge.errors import ProviderError
from converge.providers.swap.partition_table.base import GPT, LARGEST_MBR, MBR, MIB, PROTECTIVE, Row, Table
from converge.system import ReadOnlySystem, System
from converge.system.disks import SECTOR, node_of, size_of

_EDIT = ("sfdisk", "--quiet", "--lock", "--no-reread", "--no-tell-kernel", "--wipe=never", "--wipe-partitions=never")
_GPT_SLOTS, _GPT_ENTRY, _MBR_SLOTS = 128, 128, 4

_MOVED = "The backup GPT table is not on the end of the device."
"""As after an image was written to a larger disk; the next write puts it there."""
_HARMLESS = re.compile(
    r"GPT PMBR size mismatch .*|The backup GPT table is not on the end of the device\..*"
    r"|MyLBA mismatch with real position at backup header\.|[0-9]+ errors? detected\."
    r"|Partition [0-9]+: (head|sector|cylinder) [0-9]+ greater than maximum.*"
    r"|Partition [0-9]+ does not start on physical sector boundary\."
    r"|Partition [0-9]+: (previous sectors|different physical/logical|cylinder boundary).*"
)
"""Warnings about the size of the disk, which a write mends, and about cylinders and heads, which nobody counts in."""
_HALF = re.compile(
    r"The (primary|backup) GPT table is corrupt, but the (primary|backup) appears OK, so that will be used\."
)
"""As sfdisk leaves it where it is killed; the next write puts that copy right."""


def read(hardware: ReadOnlySystem, disk: str, *, half: bool = False) -> Table:
    """The table of a disk; ProviderError where there is none, or one with which anything is wrong.

    `half`: whether a GPT may be damaged in one of its two copies, as after a write of ours that was cut off.
    """
    node = node_of(disk)
    said = hardware.query(["sfdisk", "--json", node])
    if not said.ok:
        raise ProviderError(
            f"{node} has no partition table that sfdisk can read", hint="`sfdisk --verify` may say more"
        )
    found = json.loads(said.stdout)["partitiontable"]
    warnings = (*said.stderr.splitlines(), *hardware.query(["sfdisk", "--verify", node]).stderr.splitlines())
    protecting = _protecting(hardware, node) if found["label"] == GPT else []
    wrong = _what_is_wrong(found, protecting, [line for line in warnings if not (half and _HALF.fullmatch(line))])
    if wrong:
        hint = "converge only changes tables with which nothing is wrong; look at it with `sfdisk --verify`"
        raise ProviderError(f"something is wrong with the partition table of {node}: {wrong}", hint=hint)
    return evolve(
        _table(hardware, disk, found, moved=any(_MOVED in line for line in warnings)),
        is_active=any(each.get("bootable") for each in protecting),
        is_half=any(_HALF.fullmatch(line) for line in warnings),
    )


def _protecting(hardware: ReadOnlySystem, node: str) -> list[dict[str, Any]]:
    """The entries of the MBR before a GPT: but for the one that covers the disk there are to be none."""
    said = hardware.query(["sfdisk", "--json", "--label-nested", MBR, node])
    found: list[dict[str, Any]] = json.loads(said.stdout)["partitiontable"].get("partitions", []) if said.ok else []
    return found


def _what_is_wrong(found: dict[str, Any], protecting: list[dict[str, Any]], warnings: list[str]) -> str:
    """Why a table is not to be changed; empty where it may be."""
    if found["label"] not in (GPT, MBR):
        return f"it is of the kind {found['label']}, neither GPT nor MBR"
    if found["label"] == MBR and any(each["type"] == PROTECTIVE for each in found.get("partitions", ())):
        return "it is a GPT that is damaged in both of its copies"
    if len(protecting) > 1:
        return "it is a GPT and an MBR of other partitions at once"
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
    """Bytes: one MiB, or what the disk would rather have, where that is a multiple."""
    wished = int((hardware.read(f"{disk}/queue/optimal_io_size") or b"0").split()[0])
    return wished if wished and wished % MIB == 0 else MIB


def dump(hardware: ReadOnlySystem, disk: str) -> bytes:
    """The table as sfdisk(8) takes it for input, without what the disk is called today."""
    node = node_of(disk)
    said = hardware.query(["sfdisk", "--dump", node]).require().stdout
    lines = [line.removeprefix(node) for line in said.splitlines() if not line.startswith("device:")]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def add(system: System, disk: str, table: Table, row: Row) -> None:
    words = {"start": str(row.start), "size": str(row.size), "type": row.type}
    if row.id:
        words |= {"uuid": row.id, "name": f'"{row.name}"'}
    fields = ", ".join(f"{name}={value}" for name, value in words.items())
    _edit(system, disk, table, f"--partno={row.number}", node_of(disk), given=fields)


def resize(system: System, disk: str, table: Table, row: Row) -> None:
    """Give the partition of a number its size."""
    _edit(system, disk, table, f"--partno={row.number}", node_of(disk), given=f"size={row.size}")


def delete(system: System, disk: str, table: Table, row: Row) -> None:
    _edit(system, disk, table, "--delete", node_of(disk), str(row.number))


def mend(system: System, disk: str, table: Table) -> None:
    """Have all of a table be as it was read: what a write of ours that was cut off may have left otherwise."""
    if table.is_half:  # any write puts the damaged copy right, also one that changes nothing
        resize(system, disk, table, table.rows[0])
    elif table.is_active:
        _activate(system, disk)


def _edit(system: System, disk: str, table: Table, *words: str, given: str = "") -> None:
    _run(system, *words, given=given)
    if table.is_active:  # each write of a GPT takes the mark away
        _activate(system, disk)


def _activate(system: System, disk: str) -> None:
    _run(system, "--activate", node_of(disk), "1")


def _run(system: System, *words: str, given: str = "") -> None:
    system.run([*_EDIT, *words], view="machine", timeout=60, stdin=f"{given}\n".encode()).require()
