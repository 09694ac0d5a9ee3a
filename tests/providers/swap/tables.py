"""Partition tables for tests: written by hand, and drawn."""

from hypothesis import strategies as st

from converge.providers.swap.partition_table.table import GPT, MBR, SWAP, Row, Table

MIB = 1 << 20
ID = "4D701CB1-1F24-774E-BED0-E4B9A67F4B41"
LINUX, RECOVERY = "0FC63DAF-8483-4772-8E79-3D69D8477DE4", "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC"
TYPES = {GPT: (LINUX, RECOVERY, SWAP[GPT]), MBR: ("83", "27", SWAP[MBR])}


def table(*rows: Row, label: str = GPT, last: int = 20446, sector: int = 512, slots: int = 128) -> Table:
    return Table(label, ID, sector, 34, last, slots, MIB // sector, rows)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Table, int]:
    """A table with gaps and its numbers in any order, and the number of one of its partitions."""
    label = draw(st.sampled_from([GPT, MBR]))
    slots = draw(st.integers(4, 16)) if label == GPT else 4
    numbers = draw(st.permutations(range(1, slots + 1)))[: draw(st.integers(1, slots))]
    place, rows = 34, []
    for number in numbers:
        start = place + draw(st.integers(0, 20_000))
        size = draw(st.integers(1, 20_000))
        kind, name = draw(st.sampled_from(TYPES[label])), f"name {number}" if label == GPT else ""
        rows.append(Row(number, start, size, kind, name))
        place = start + size
    last = place + draw(st.integers(0, 20_000))
    sector = draw(st.sampled_from([512, 4096]))
    in_order = sorted(rows, key=lambda row: row.number)
    return table(*in_order, label=label, last=last, sector=sector, slots=slots), draw(st.sampled_from(numbers))
