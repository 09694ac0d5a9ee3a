"""Decisions by the state found, and obstacles. Real disks: tests/real/test_swap_partition.py."""

from typing import Any

import pytest
from attrs import evolve

from converge.errors import ConvergeError, Later, ProviderError
from converge.model import Change
from converge.providers.swap import partition as swap_partition
from converge.providers.swap.partition import Spec, State
from converge.providers.swap.partition.layout import Layout, Use
from converge.providers.swap.partition_table.begun import Begun
from converge.providers.swap.partition_table.table import GPT, SWAP, Row, Table, listing
from converge.providers.swap.sizes import MIB
from tests.real.converging import acting

ID = "4D701CB1-1F24-774E-BED0-E4B9A67F4B41"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
ROOT, BEHIND = Row(1, 2048, 65536, LINUX), Row(2, 67584, 20480, SWAP[GPT])
ABSENT = swap_partition.parse({"ensure": "absent"})
PRESENT = swap_partition.parse({"size": "8MiB"})


def changes_from(spec: Spec, state: State) -> tuple[Change, ...]:
    """The changes from a state; nothing else is read."""
    machine: Any = None
    return acting(swap_partition).changes(machine, spec, state)


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
    return State(ensure, size, made.use.label, root, made.begun is not None, listing(table), "", made)


def use(**fields: Any) -> Use:
    return evolve(Use("/dev/sda2", "swap", "swap"), **fields)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "`size` is required unless `ensure: absent`"),
        ({"size": 4096}, "`size` is too small for a swap partition: 4096 bytes"),
        ({"size": "4 parsecs"}, "'4 parsecs' is not a size"),
        ({"ensure": "absent", "size": "4GiB"}, "`size` cannot be used with `ensure: absent`"),
        ({"ensure": "absent", "grow_root": True}, "`grow_root` cannot be used with `ensure: absent`"),
    ],
)
def test_contradictory_parameters_are_refused(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ProviderError, match=words) as caught:
        swap_partition.parse(params)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("state", "words", "until"),
    [
        (found(use=use(full=True)), "/dev/sda2 cannot be turned off now: memory cannot hold", "idle"),
        (found(use=use(busy="/dev/dm-0 is on it")), "/dev/sda2 is in use: /dev/dm-0 is on it", "idle"),
        (found(use=use(resumes=True)), "/dev/sda2 is needed to wake the machine from hibernation", None),
        (found(use=use(content="swsuspend")), "/dev/sda2 contains swsuspend, which would be lost", None),
        (found(use=use(content="crypto_LUKS")), "/dev/sda2 contains crypto_LUKS, which would be lost", None),
        (found(rigid="cannot grow: its type is f2fs"), "its type is f2fs", None),
        (found(locked="/dev/sda is read-only"), "is read-only", None),
        (found(stale="/dev/sda3 is missing"), "has an outdated table of /dev/sda: /dev/sda3 is missing", "reboot"),
    ],
)
def test_obstacles_to_removal_are_reported(state: State, words: str, until: str | None) -> None:
    with pytest.raises(ConvergeError, match=words) as caught:
        changes_from(ABSENT, state)
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
def test_obstacles_without_swap_partition_do_not_matter(state: State) -> None:
    assert changes_from(ABSENT, state) == ()


def test_partition_without_swap_is_not_formatted() -> None:
    """A swap that is encrypted with a new key at each boot has unknown contents."""
    assert changes_from(PRESENT, found(use=use(label=None, content=""))) == ()


def test_swap_added_when_root_cannot_grow_but_need_not() -> None:
    spec = swap_partition.parse({"size": "8MiB", "grow_root": False})
    assert [each.field for each in changes_from(spec, found(ROOT, rigid="f2fs"))] == [
        "ensure",
        "size",
        "label",
        "table",
    ]


@pytest.mark.parametrize(
    ("spec", "state", "reason"),
    [
        (PRESENT, found(ROOT, elsewhere="/dev/sda5"), "/dev/sda5 exists, but not directly behind the root"),
        (ABSENT, found(ROOT, elsewhere="/dev/sda5"), "/dev/sda5 is not directly behind the root partition"),
        (PRESENT, found(elsewhere="/dev/sda5"), ""),
        (ABSENT, found(ROOT), ""),
        (swap_partition.parse({"size": "8MiB", "free_at_least": "1GiB"}), found(ROOT), "are free behind the root"),
        (swap_partition.parse({"size": "8MiB", "free_at_least": "1GiB"}), found(), ""),
    ],
)
def test_idle_gives_the_reason(spec: Any, state: State, reason: str) -> None:
    idle = swap_partition.idle(spec, state)
    assert reason in idle
    assert bool(idle) == bool(reason)
    assert not idle or changes_from(spec, state) == ()


def begun(end: int | None, ensure: str = "absent") -> Begun:
    return Begun(ID, ROOT.start, ensure, end, False, "sha256:0")


def test_unfinished_growth_is_finished() -> None:
    changes = {each.field: each.after for each in changes_from(ABSENT, found(ROOT, begun=begun(88063)))}
    assert changes["root_size"] == (88064 - 2048) * 512
    assert changes["unfinished"] is False


@pytest.mark.parametrize(
    "note",
    [begun(None), begun(100), begun(ROOT.end), begun(200_000), begun(88063, "present")],
    ids=["no growth", "before", "reached", "beyond", "for a new one"],
)
def test_unfinished_growth_that_is_obsolete_is_dropped(note: Begun) -> None:
    assert changes_from(ABSENT, found(ROOT, begun=note)) == (Change("unfinished", True, False),)


def test_declared_state_overrides_unfinished_change() -> None:
    """The product was changed in the meantime."""
    changes = {each.field: each.after for each in changes_from(PRESENT, found(ROOT, begun=begun(131038)))}
    assert changes["ensure"] == "present"
    assert changes["size"] == 8 * MIB
    assert changes["root_size"] == (131072 - 2048 - 16384 - 2048) * 512
