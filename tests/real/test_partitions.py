"""sfdisk makes exactly the planned changes on tables of all shapes: entries are changed one by one in place."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from converge.errors import ProviderError
from converge.providers.swap.partition_table import sfdisk
from converge.providers.swap.partition_table.table import (
    GPT,
    Row,
    Table,
    gap_end,
    grown,
    swap_behind,
    with_swap,
    without,
)
from converge.system import ReadOnlySystem, System, disks
from tests.providers.swap.tables import ID, MIB, tables
from tests.real.loops import image, loop
from tests.real.partitioned import needs_disks, run

pytestmark = [needs_disks, pytest.mark.vm]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    """The place in sysfs of a disk that is larger than any drawn table."""
    with loop(image(tmp_path / "disk.img", 400 * MIB)) as device:
        found = disks.device_at(ReadOnlySystem("/"), device)
        assert found
        yield found


def write(disk: str, table: Table) -> Table:
    """Replace the disk's table; returns the new one as read."""
    node = disks.node_of(disk)
    head = f"label: gpt\nlabel-id: {ID}\nfirst-lba: 34\n" if table.label == GPT else "label: dos\n"
    lines = [
        f"{node}p{row.number} : start={row.start}, size={row.size}, type={row.type}"
        + (f', name="{row.name}"' if row.name else "")
        for row in table.rows
    ]
    run(
        "sfdisk",
        "--quiet",
        "--no-reread",
        "--no-tell-kernel",
        "--wipe=always",
        node,
        stdin="\n".join((head, *lines, "")),
    )
    return sfdisk.read(ReadOnlySystem("/"), disk)


def by_number(table: Table) -> dict[int, Row]:
    return {row.number: row for row in table.rows}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=tables())
def test_table_after_changes_is_the_planned_one(drawn: tuple[Table, int], disk: str) -> None:
    system = System("/")
    drawn_table, root = drawn
    before = write(disk, drawn_table)
    swap = swap_behind(before, before.row(root))
    try:
        planned, made = (without(before, swap.number), None) if swap else with_swap(before, root, 3 * MIB, "swap")
    except ProviderError:
        return
    if made:
        sfdisk.add(system, disk, before, made)
    elif swap:
        sfdisk.delete(system, disk, before, swap)
    assert by_number(sfdisk.read(system, disk)) == by_number(planned)
    after = grown(planned, root, gap_end(planned, planned.row(root)))
    sfdisk.resize(system, disk, after, after.row(root))
    assert by_number(sfdisk.read(system, disk)) == by_number(after)
