"""Changes of a table: the few cases that really happen, and properties of any table."""

from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from converge.errors import ProviderError
from converge.providers.swap.partition_table.table import (
    GPT,
    MBR,
    SWAP,
    Row,
    Table,
    behind,
    free_behind,
    gap_end,
    grown,
    listing,
    swap_behind,
    swap_elsewhere,
    with_swap,
    without,
)
from tests.providers.swap.tables import LINUX, MIB, RECOVERY, table, tables


@pytest.mark.parametrize("label", [GPT, MBR])
@pytest.mark.parametrize("third", [(), (Row(3, 20447, 33, "27"),)], ids=["last", "before another"])
def test_swap_removed_root_takes_its_place(label: str, third: tuple[Row, ...]) -> None:
    found = table(Row(1, 2048, 10240, LINUX), Row(2, 12288, 8159, SWAP[label]), *third, label=label, last=20479)
    swap = swap_behind(found, found.row(1))
    assert swap is not None
    after = grown(without(found, swap.number), 1, swap.end)
    assert after.rows == (Row(1, 2048, 18399, LINUX), *third)
    assert after.row(1).end == 20446


def test_swap_added_before_next_partition_root_grows() -> None:
    gib, last = (1 << 30) // 512, 500 * (1 << 30) // 512
    recovery = Row(2, last - 10 * gib, 10 * gib + 1, RECOVERY)
    found = table(Row(1, 2048, 16 * gib, LINUX), recovery, last=last)
    after, swap = with_swap(found, 1, 4 << 30, "swap")
    assert (swap.number, swap.size, swap.end, swap.name) == (3, 4 * gib, recovery.start - 1, "swap")
    assert grown(after, 1, swap.start - 1).rows == (
        evolve(found.row(1), size=swap.start - 2048),
        recovery,
        swap,
    )


def test_new_partition_gets_free_number() -> None:
    found = table(Row(1, 2048, 2048, LINUX), Row(3, 16384, 10, RECOVERY))
    assert with_swap(found, 1, MIB, "swap")[1].number == 2


def test_full_table_is_refused() -> None:
    rows = (Row(number, 2048 * number, 2048, "83") for number in range(1, 5))
    with pytest.raises(ProviderError, match="the partition table is full: it has 4 partitions already"):
        with_swap(table(*rows, label=MBR, slots=4), 4, MIB, "swap")


def test_too_little_space_is_refused_with_the_free_size() -> None:
    with pytest.raises(ProviderError, match="8 MiB do not fit behind the root partition: 3 MiB are free"):
        with_swap(table(Row(1, 2048, 10240, LINUX), Row(2, 18432, 10, RECOVERY)), 1, 8 * MIB, "swap")


def test_logical_partitions_are_not_behind_another() -> None:
    found = table(
        *(Row(1, 63, 1000, "83"), Row(2, 4096, 8192, "f"), Row(5, 5000, 100, "82"), Row(6, 6000, 100, "83")),
        label=MBR,
        slots=4,
    )
    assert behind(found, found.row(1)) == found.row(2)
    assert swap_behind(found, found.row(1)) is None
    assert swap_elsewhere(found, found.row(1)) == found.row(5)


def test_partition_does_not_grow_over_another() -> None:
    with pytest.raises(ProviderError, match="another partition is in the way"):
        grown(table(Row(1, 2048, 10, LINUX), Row(2, 4096, 10, LINUX)), 1, 4096)


@pytest.mark.parametrize(
    ("first", "row", "next_start", "end"),
    [
        (34, Row(1, 3000, 50, LINUX), 3051, 3049),
        (34, Row(1, 3000, 50, LINUX), 3052, 3051),
        (2048, Row(1, 34, 1, "83"), 2050, 34),
        (2048, Row(1, 34, 1, "83"), 2051, 2050),
    ],
    ids=["one sector", "two sectors", "before the first sector", "beyond it"],
)
def test_gap_counts_free_space_as_sfdisk_does(first: int, row: Row, next_start: int, end: int) -> None:
    found = evolve(table(row, Row(2, next_start, 10, LINUX)), first=first)
    assert gap_end(found, row) == end


def test_listing_has_columns_in_disk_order() -> None:
    rows = (Row(1, 2048, 10240, LINUX, "root"), Row(2, 20440, 7, RECOVERY), Row(10, 12288, 8152, "no-such-type"))
    assert listing(table(*rows)) == (
        '  1   2048 - 12287     5.0 MiB  Linux, "root"',
        " 10  12288 - 20439     4.0 MiB  no-such-type",
        "  2  20440 - 20446     3.5 KiB  Windows recovery",
    )


def assert_sound(found: Table) -> None:
    """Partitions do not overlap, and lie inside the bounds of the table."""
    rows = sorted(found.rows, key=lambda row: row.start)
    assert all(row.size > 0 and found.first <= row.start and row.end <= found.last for row in rows)
    assert all(one.end < next_.start for one, next_ in pairwise(rows))
    assert len({row.number for row in rows}) == len(rows)


@given(tables(), st.integers(1, 16), st.booleans())
def test_adding_swap_changes_only_root(drawn: tuple[Table, int], mib: int, grow: bool) -> None:
    found, root = drawn
    try:
        after, swap = with_swap(found, root, mib * MIB, "swap")
    except ProviderError:
        # Alignment may take up to a grain on either side.
        too_little = free_behind(found, found.row(root)) < (mib + 2) * found.grain
        assert too_little or len(found.rows) == found.slots
        return
    after = grown(after, root, swap.start - 1) if grow else after
    assert_sound(after)
    assert swap.start % found.grain == swap.size % found.grain == 0
    assert swap.size * found.sector >= mib * MIB
    assert swap.end + found.grain > gap_end(found, found.row(root))
    assert swap_behind(after, after.row(root)) == swap
    assert after.row(root).start == found.row(root).start
    untouched = {row for row in found.rows if row.number != root}
    assert set(after.rows) - {swap, after.row(root)} == untouched
    assert not grow or behind(after, after.row(root)) == swap


@given(tables())
def test_removing_swap_changes_only_the_one_before(drawn: tuple[Table, int]) -> None:
    found, _ = drawn
    for row in found.rows:
        swap = swap_behind(found, row)
        if swap:
            freed = without(found, swap.number)
            end = min(swap.end, gap_end(freed, row))
            after = grown(freed, row.number, end)
            assert_sound(after)
            larger = evolve(row, size=end - row.start + 1)
            untouched = {each for each in found.rows if each not in (row, swap)}
            assert set(after.rows) == {larger, *untouched}


@given(tables(), st.integers(0, 200_000))
def test_partition_never_shrinks_or_moves(drawn: tuple[Table, int], end: int) -> None:
    found, root = drawn
    end = min(end, gap_end(found, found.row(root)))
    after = grown(found, root, end)
    assert_sound(after)
    assert after.row(root).start == found.row(root).start
    assert after.row(root).end == max(end, found.row(root).end)
