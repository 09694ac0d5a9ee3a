"""What is decided by what was found, and what stands in the way. Real disks: tests/real/test_swap_partition.py."""

from typing import Any

import pytest
from attrs import evolve

from converge.errors import ConvergeError, Later, ProviderError
from converge.model import Change
from converge.providers.swap import partition as swap_partition
from converge.providers.swap.partition.base import Layout, State, Use
from converge.providers.swap.partition_table.base import GPT, MIB, SWAP, Row, Table, told
from converge.providers.swap.partition_table.begun import Begun

ID = "4D701CB1-1F24-774E-BED0-E4B9A67F4B41"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
ROOT, BEHIND = Row(1, 2048, 65536, LINUX), Row(2, 67584, 20480, SWAP[GPT])
ABSENT = swap_partition.parse({"ensure": "absent"})
PRESENT = swap_partition.parse({"size": "8MiB"})


def found(*rows: Row, **layout: Any) -> State:
    table = Table(GPT, ID, 512, 2048, 131038, 128, 2048, rows or (ROOT, BEHIND))
    swap = next((row for row in table.rows if table.is_swap(row)), None)
    known: dict[str, Any] = {
        "node": "/dev/sda",
        "table": table,
        "dump": b"",
        "root": 1,
        "begun": None,
        "elsewhere": "",
        "locked": "",
        "stale": "",
        "rigid": "",
        "use": Use("/dev/sda2", "swap", "swap") if swap else Use(),
    }
    made = Layout(**{**known, **layout})
    size = table.bytes_of(swap.size) if swap else None
    ensure = "present" if swap else "absent"
    root = table.bytes_of(table.row(1).size)
    return State(ensure, size, made.use.label, root, made.begun is not None, told(table), "", made)


def use(**fields: Any) -> Use:
    return evolve(Use("/dev/sda2", "swap", "swap"), **fields)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "a swap partition has a size"),
        ({"size": 4096}, "of 4096 bytes is of no use"),
        ({"size": "4 parsecs"}, "'4 parsecs' is no size"),
        ({"ensure": "absent", "size": "4GiB"}, "`size` is for a swap partition that is wanted"),
        ({"ensure": "absent", "grow_root": True}, "`grow_root` is for a swap partition that is wanted"),
    ],
)
def test_parameters_that_make_no_sense(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ProviderError, match=words) as caught:
        swap_partition.parse(params)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("state", "words", "until"),
    [
        (found(use=use(full=True)), "/dev/sda2 cannot be left now: memory would not hold", "idle"),
        (found(use=use(busy="/dev/dm-0 is on it")), "/dev/sda2 is in use: /dev/dm-0 is on it", "idle"),
        (found(use=use(resumes=True)), "the machine wakes from hibernation by /dev/sda2", None),
        (found(use=use(content="swsuspend")), "/dev/sda2 holds swsuspend, which would be lost", None),
        (found(use=use(content="crypto_LUKS")), "/dev/sda2 holds crypto_LUKS, which would be lost", None),
        (found(rigid="the root file system is of the kind f2fs"), "of the kind f2fs", None),
        (found(locked="/dev/sda can only be read"), "can only be read", None),
        (found(stale="/dev/sda3 is in no table"), "does not know the table of /dev/sda as it is", "reboot"),
    ],
)
def test_what_keeps_one_from_being_taken_away(state: State, words: str, until: str | None) -> None:
    with pytest.raises(ConvergeError, match=words) as caught:
        swap_partition.diff(ABSENT, state)
    assert getattr(caught.value, "until", None) == until
    assert until or caught.value.hint
    assert isinstance(caught.value, Later) == bool(until)


@pytest.mark.parametrize(
    "state",
    [
        found(ROOT, rigid="f2fs", locked="read-only", stale="something"),
        found(ROOT, Row(2, 67584, 63455, LINUX), elsewhere="/dev/sda5"),
    ],
)
def test_where_there_is_none_nothing_stands_in_the_way(state: State) -> None:
    assert swap_partition.diff(ABSENT, state) == ()


def test_one_without_a_swap_is_not_formatted() -> None:
    """Who encrypts it anew at each boot leaves nothing there that anybody could know."""
    assert swap_partition.diff(PRESENT, found(use=use(label=None, content=""))) == ()


def test_a_root_that_cannot_grow_gets_one_all_the_same_if_it_need_not_grow() -> None:
    spec = swap_partition.parse({"size": "8MiB", "grow_root": False})
    assert [each.field for each in swap_partition.diff(spec, found(ROOT, rigid="f2fs"))] == [
        "ensure",
        "size",
        "label",
        "table",
    ]


@pytest.mark.parametrize(
    ("spec", "state", "reason"),
    [
        (PRESENT, found(ROOT, elsewhere="/dev/sda5"), "/dev/sda5 is not directly behind the root partition, but it is"),
        (ABSENT, found(ROOT, elsewhere="/dev/sda5"), "/dev/sda5 is not directly behind the root partition"),
        (PRESENT, found(elsewhere="/dev/sda5"), ""),
        (ABSENT, found(ROOT), ""),
        (swap_partition.parse({"size": "8MiB", "free_at_least": "1GiB"}), found(ROOT), "are free behind the root"),
        (swap_partition.parse({"size": "8MiB", "free_at_least": "1GiB"}), found(), ""),
    ],
)
def test_why_nothing_is_done(spec: Any, state: State, reason: str) -> None:
    said = swap_partition.idle(spec, state)
    assert reason in said
    assert bool(said) == bool(reason)
    assert not said or swap_partition.diff(spec, state) == ()


def begun(end: int | None, ensure: str = "absent") -> Begun:
    return Begun(ID, ROOT.start, ensure, end, False, "sha256:0")


def test_a_growth_that_was_begun_is_finished() -> None:
    changes = {each.field: each.after for each in swap_partition.diff(ABSENT, found(ROOT, begun=begun(88063)))}
    assert changes["root_size"] == (88064 - 2048) * 512
    assert changes["unfinished"] is False


@pytest.mark.parametrize(
    "note",
    [begun(None), begun(100), begun(ROOT.end), begun(200_000), begun(88063, "present")],
    ids=["no growth", "before", "come to", "beyond", "of one that was to be made"],
)
def test_one_that_leads_nowhere_any_more_is_only_forgotten(note: Begun) -> None:
    assert swap_partition.diff(ABSENT, found(ROOT, begun=note)) == (Change("unfinished", True, False),)


def test_what_is_wanted_counts_more_than_what_was_begun() -> None:
    """The product has changed its mind meanwhile."""
    changes = {each.field: each.after for each in swap_partition.diff(PRESENT, found(ROOT, begun=begun(131038)))}
    assert changes["ensure"] == "present"
    assert changes["size"] == 8 * MIB
    assert changes["root_size"] == (131072 - 2048 - 16384 - 2048) * 512
