"""What is changed, owed and refused, by what is found; and what becomes of files, units and lines on a scratch root.

That it is made and removed: tests/laws. On the running kernel: tests/real/test_swap.py.
"""

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from converge.errors import Later, ProviderError
from converge.model import Change, EffectKind
from converge.providers.swap import swap
from converge.providers.swap.swap.base import Spec, State
from converge.system import System
from converge.system.unitfiles import CONFIG
from converge.values import UNITS
from tests.real.converging import converge, state_of

MIB, GIB = UNITS["MiB"], UNITS["GiB"]
PATH = "/var/swap/swapfile"
UNIT = f"{CONFIG}/var-swap-swapfile.swap"
LINK = f"{CONFIG}/swap.target.wants/var-swap-swapfile.swap"

FILE = State("present", size=2 * GIB, mode="0600", active=True, at_boot="unit", free=10 * GIB, total=100 * GIB)
NO_FILE = State("absent", active=False, free=10 * GIB, total=100 * GIB)
PARTITION = State(None, active=True, at_boot="unit")


def parse(**params: Any) -> Spec:
    return swap.parse(params)


def file(**params: Any) -> Spec:
    return parse(**{"path": PATH, "size": "2GiB", **params})


def partition(**params: Any) -> Spec:
    return parse(**{"device": "LABEL=swap", **params})


def wanted(spec: Spec, state: State) -> dict[str, Any]:
    return {change.field: change.after for change in swap.diff(spec, state)}


@pytest.mark.parametrize(
    ("params", "message", "hint"),
    [
        ({}, "a swap is a file or a partition", "say `path`, or `device`"),
        ({"path": PATH, "device": "LABEL=swap", "size": 1}, "a swap is a file or a partition", "and not both"),
        ({"path": PATH}, "a swap file has a size", "say `size`, or `percent`"),
        ({"path": PATH, "size": "1GiB", "percent": 5}, "a swap file has a size", "and not both"),
        ({"path": PATH, "size": "1GiB", "minimum": "1GiB"}, "are bounds of `percent`", "say `percent`"),
        ({"path": PATH, "percent": 5, "minimum": "2GiB", "maximum": "1GiB"}, "`minimum` is more", "exchange them"),
        ({"path": PATH, "size": 4096}, "4096 bytes is of no use", "1MiB at least"),
        ({"path": PATH, "percent": 5, "maximum": "5KiB"}, "4096 bytes is of no use", "1MiB at least"),
        ({"path": PATH, "size": "much"}, "'much' is no size", "such as 8GiB"),
        ({"device": "LABEL=swap", "percent": 5}, "`percent` is for a file", "see `swap-partition`"),
        ({"path": "swapfile", "size": "1GiB"}, "'swapfile' is no absolute path", "from the root on"),
        ({"path": "/var/a\nb", "size": "1GiB"}, r"no unit can name the path '/var/a\\nb'", "control characters"),
        ({"path": "/var/a\\", "size": "1GiB"}, "no unit can name the path", "backslash"),
        ({"path": "/var/a ", "size": "1GiB"}, "no unit can name the path", "blank"),
    ],
)
def test_parameters_that_contradict_each_other(params: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(ProviderError, match=message) as raised:
        parse(**params)
    assert hint in str(raised.value.hint)


def test_sizes_are_whole_pages() -> None:
    assert file(size=2 * GIB + 5).size == 2 * GIB


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"percent": 5}, 5 * GIB),
        ({"percent": 5, "minimum": "6GiB"}, 6 * GIB),
        ({"percent": 5, "maximum": "4GiB"}, 4 * GIB),
        ({"percent": 5, "minimum": "1GiB", "maximum": "8GiB"}, 5 * GIB),
    ],
)
def test_a_share_of_the_file_system_has_bounds(asked: dict[str, Any], expected: int) -> None:
    assert wanted(parse(path=PATH, **asked), NO_FILE)["size"] == expected


def test_a_share_is_whole_and_never_nothing() -> None:
    odd = evolve(NO_FILE, total=100 * GIB + 4096 * 33)
    assert wanted(parse(path=PATH, percent=3), odd)["size"] == 3 * GIB
    assert wanted(parse(path=PATH, percent=1), evolve(NO_FILE, total=MIB))["size"] == MIB


@pytest.mark.parametrize(
    ("spec", "state", "expected"),
    [
        (file(), NO_FILE, {"ensure": "present", "size": 2 * GIB, "mode": "0600", "active": True, "at_boot": "unit"}),
        (file(), evolve(FILE, mode="0644"), {"mode": "0600"}),
        (file(), FILE, {}),
        (file(size="3GiB"), FILE, {"size": 3 * GIB}),
        (file(priority=5), FILE, {"priority": 5}),
        (file(), evolve(FILE, priority=5, discard="once"), {}),
        (file(), evolve(FILE, active=False), {"active": True}),
        (file(), evolve(FILE, active=None), {}),
        (file(at_boot="fstab"), FILE, {"at_boot": "fstab"}),
        (file(at_boot="never"), FILE, {"at_boot": "never"}),
        (file(at_boot="never", priority=5, discard="once"), evolve(FILE, at_boot="never"), {}),
        (parse(path=PATH, ensure="absent"), FILE, {"ensure": "absent", "active": False, "at_boot": "never"}),
        (parse(path=PATH, ensure="absent"), NO_FILE, {}),
        (parse(path=PATH, ensure="absent"), evolve(NO_FILE, what="it is a folder"), {}),
        (partition(), PARTITION, {}),
        (partition(priority=-1), PARTITION, {"priority": -1}),
        (partition(ensure="absent"), PARTITION, {"active": False, "at_boot": "never"}),
        (partition(ensure="absent"), State(None, active=False, what="no partition has LABEL=swap"), {}),
    ],
)
def test_what_is_changed(spec: Spec, state: State, expected: dict[str, Any]) -> None:
    assert wanted(spec, state) == expected


@pytest.mark.parametrize(
    "spec",
    [
        file(size="1GiB"),
        file(size="3GiB"),
        file(priority=5),
        file(discard="once"),
        parse(path=PATH, ensure="absent"),
    ],
)
def test_a_swap_file_that_memory_would_not_hold_is_owed(spec: Spec) -> None:
    with pytest.raises(Later, match="memory would not hold") as raised:
        swap.diff(spec, evolve(FILE, full=True))
    assert raised.value.until == "idle"


def test_a_swap_partition_that_memory_would_not_hold_is_owed() -> None:
    for spec in (partition(ensure="absent"), partition(priority=3)):
        with pytest.raises(Later, match="LABEL=swap cannot be left now"):
            swap.diff(spec, evolve(PARTITION, full=True))


def test_what_needs_no_leave_is_done_however_full_it_is() -> None:
    assert wanted(file(at_boot="fstab"), evolve(FILE, full=True)) == {"at_boot": "fstab"}
    assert wanted(file(at_boot="never"), evolve(FILE, full=True)) == {"at_boot": "never"}


@pytest.mark.parametrize(
    ("asked", "free", "words"),
    [
        ({"size": "4GiB"}, 3 * GIB + 5, "would take 4 GiB, and there is room for 3 GiB"),
        ({"size": "4GiB", "keep_free": "1GiB"}, 4 * GIB, "would take 4 GiB and leave 1 GiB free, and there is"),
        ({"size": None, "percent": 50}, 40 * GIB, "would take 50 GiB"),
    ],
)
def test_a_file_for_which_there_is_no_room_is_owed(asked: dict[str, Any], free: int, words: str) -> None:
    with pytest.raises(Later, match=words) as raised:
        swap.diff(file(**asked), evolve(NO_FILE, free=free))
    assert raised.value.until == "room"


def test_a_file_shrinks_also_where_too_little_is_free() -> None:
    assert wanted(file(size="1GiB", keep_free="50GiB"), FILE) == {"size": GIB}
    with pytest.raises(Later):
        swap.diff(file(size="3GiB", keep_free="50GiB"), FILE)


def test_where_nothing_can_be_swapped_to_nothing_is_done() -> None:
    with pytest.raises(ProviderError, match="it is a folder") as raised:
        swap.diff(file(), evolve(NO_FILE, what="it is a folder"))
    assert "`path` or `device`" in str(raised.value.hint)
    assert wanted(file(), evolve(FILE, what="it would be on tmpfs")) == {}


@pytest.mark.parametrize("spec", [file(size="3GiB"), parse(path=PATH, ensure="absent")])
def test_what_the_machine_wakes_by_stays(spec: Spec) -> None:
    with pytest.raises(ProviderError, match="the machine wakes from hibernation by") as raised:
        swap.diff(spec, evolve(FILE, resumes=True))
    assert "`resume`" in str(raised.value.hint)


def test_what_the_machine_wakes_by_can_have_other_settings() -> None:
    assert wanted(file(priority=3), evolve(FILE, resumes=True)) == {"priority": 3}
    with pytest.raises(ProviderError, match="wakes from hibernation by LABEL=swap"):
        swap.diff(partition(ensure="absent"), evolve(PARTITION, resumes=True))


@pytest.mark.parametrize(
    ("device", "node"),
    [
        ("LABEL=swap", "/dev/disk/by-label/swap"),
        ("PARTLABEL=my swap/2", "/dev/disk/by-partlabel/my\\x20swap\\x2f2"),
        ("UUID=1-2", "/dev/disk/by-uuid/1-2"),
        ("LABEL=ü=1", "/dev/disk/by-label/ü=1"),
    ],
)
def test_a_unit_names_a_partition_by_its_link(device: str, node: str) -> None:
    assert parse(device=device).node == node


def test_whoever_owns_the_path_meets_the_swap_file() -> None:
    claims = {(claim.kind, claim.thing, claim.field): claim.value for claim in swap.claims(file(priority=3))}
    assert claims["path", PATH, "ensure"] == "present"
    assert claims["path", PATH, "size"] == 2 * GIB
    assert claims["path", PATH, "priority"] == 3
    assert ("path", PATH, "discard") not in claims


@pytest.fixture
def system(tmp_path: Path) -> System:
    for name in ("etc", "var"):
        (tmp_path / name).mkdir()
    return System(str(tmp_path))


def fstab(system: System) -> str:
    return (system.read("/etc/fstab") or b"").decode()


def test_a_file_behind_a_link_is_the_one_that_is_made_anew_and_removed(system: System) -> None:
    converge(swap, system, path="/var/big/file", size="1MiB", at_boot="never")
    system.make_link("/var/home/swapfile", "../big/file")
    system.make_link("/home", "var/home")
    converge(swap, system, path="/home/swapfile", size="2MiB")
    assert system.read_link("/var/home/swapfile") == "../big/file"
    found = system.stat("/var/big/file")
    assert found is not None
    assert found.size == 2 * MIB
    assert system.list_folder(CONFIG) == ("swap.target.wants", "var-big-file.swap")
    converge(swap, system, path="/home/swapfile", ensure="absent")
    assert system.stat("/var/big/file") is None
    assert system.list_folder(CONFIG) == ("swap.target.wants",)


def test_what_a_killed_run_has_left_goes_with_the_file(system: System) -> None:
    system.write(system.unfinished(PATH), bytes(MIB))
    assert swap.inspect(system, file()).ensure == "absent"
    removal = parse(path=PATH, ensure="absent")
    assert wanted(removal, swap.inspect(system, removal)) == {"ensure": "absent"}
    converge(swap, system, path=PATH, ensure="absent")
    assert system.list_folder("/var/swap") == ()


@pytest.mark.parametrize("place", [PATH, f"{PATH}/photos"], ids=["file", "folder"])
def test_what_somebody_has_put_in_its_place_stays(system: System, place: str) -> None:
    system.write(system.unfinished(PATH), bytes(MIB))
    system.write(place, b"precious")
    converge(swap, system, path=PATH, ensure="absent")
    assert system.read(place) == b"precious"
    assert system.list_folder("/var/swap") == ("swapfile",)


def test_a_mask_is_taken_away_and_not_written_through(system: System) -> None:
    system.make_link(UNIT, "/dev/null")
    assert state_of(swap, system, path=PATH, size="1MiB")["at_boot"] == "never"
    converge(swap, system, path=PATH, size="1MiB")
    assert system.read_link(UNIT) is None
    assert system.stat("/dev/null") is None


def test_a_masked_unit_hides_a_line(system: System) -> None:
    system.make_link(UNIT, "/dev/null")
    system.write("/etc/fstab", f"{PATH} none swap sw 0 0\n".encode())
    assert state_of(swap, system, path=PATH, size="1MiB")["at_boot"] == "never"


@pytest.mark.parametrize("what", ["What=/dev/sda5\n", "", "What=/var/swap/\\\n swapfile\n"])
def test_a_unit_that_systemd_refuses_is_mended(what: str, system: System) -> None:
    system.write(UNIT, f"[Unit]\nDescription=mine\n\n[Swap]\n{what}TimeoutSec=5\n".encode())
    system.make_link(LINK, UNIT)
    assert state_of(swap, system, path=PATH, size="1MiB")["at_boot"] == "never"
    converge(swap, system, path=PATH, size="1MiB")
    text = (system.read(UNIT) or b"").decode()
    assert f"What={PATH}\n" in text
    assert "TimeoutSec=5" in text
    assert "Description=mine" in text


def test_a_unit_that_something_else_wants_is_found_and_let_go(system: System) -> None:
    converge(swap, system, path=PATH, size="1MiB", at_boot="never")
    system.write(UNIT, f"[Swap]\nWhat={PATH}\nPriority=3\nOptions=pri=4\n".encode())
    required = f"{CONFIG}/swap.target.requires/var-swap-swapfile.swap"
    system.make_link(required, UNIT)
    state = state_of(swap, system, path=PATH, size="1MiB")
    assert (state["at_boot"], state["priority"]) == ("unit", 4)
    converge(swap, system, path=PATH, ensure="absent")
    assert system.read_link(required) is None
    assert system.read(UNIT) is None


def test_a_unit_of_the_vendors_is_covered_by_ours(system: System) -> None:
    system.write("/usr/lib/systemd/system/var-swap-swapfile.swap", f"[Swap]\nWhat={PATH}\n".encode())
    converge(swap, system, path=PATH, size="1MiB", priority=3)
    assert b"Priority=3" in (system.read(UNIT) or b"")


@pytest.mark.parametrize(
    ("before", "state", "after"),
    [
        (f"{PATH} none swap sw,pri=3 0 0\n", "fstab", f"{PATH} none swap sw,pri=3,noauto 0 0\n"),
        (f"{PATH} none swap noauto 0 0\n", "never", f"{PATH} none swap noauto 0 0\n"),
        (f"{PATH} none swap x-converge 0 0\n", "fstab", ""),
    ],
)
def test_a_foreign_line_stays_but_starts_nothing(before: str, state: str, after: str, system: System) -> None:
    system.write("/etc/fstab", f"# mine\n{before}".encode())
    assert state_of(swap, system, path=PATH, ensure="absent")["at_boot"] == state
    converge(swap, system, path=PATH, ensure="absent")
    assert fstab(system) == f"# mine\n{after}"


def test_a_line_and_a_unit_at_once(system: System) -> None:
    """The unit is what systemd goes by: a foreign line for the same may stay."""
    line = f"{PATH} none swap sw,pri=3 0 0\n"
    system.write("/etc/fstab", line.encode())
    converge(swap, system, path=PATH, size="1MiB", priority=5)
    assert state_of(swap, system, path=PATH, size="1MiB")["at_boot"] == "unit"
    assert fstab(system) == line
    converge(swap, system, path=PATH, size="1MiB", at_boot="fstab")
    assert fstab(system) == f"{PATH} none swap sw,pri=5 0 0\n"
    assert system.read(UNIT) is None


def test_a_line_may_name_a_partition_by_its_link(system: System) -> None:
    system.write("/etc/fstab", b"/dev/disk/by-label/swap none swap sw 0 0\n")
    assert state_of(swap, system, device="LABEL=swap")["at_boot"] == "fstab"


def test_systemd_is_told_whenever_what_it_reads_changes(system: System) -> None:
    for params in ({}, {"priority": 3}, {"priority": 3, "discard": "once"}, {"at_boot": "fstab"}):
        spec = parse(path=PATH, size="1MiB", **params)
        changes = swap.diff(spec, swap.inspect(system, spec))
        assert [effect.kind for effect in swap.apply(system, spec, changes)] == [EffectKind.DAEMON_RELOAD]


def test_what_lies_in_etc_is_the_deployments(system: System) -> None:
    domains = swap.domains(system, parse(path="/etc/swapfile", size="1MiB"))
    assert set(domains.values()) == {"deployment"}
    assert swap.domains(system, file())["size"] == "machine"


def test_no_boot_waits_for_a_partition_that_is_gone_or_fails_for_a_file(tmp_path: Path) -> None:
    """As after a rollback, whose older /etc knows swaps that are no more."""
    system = System(str(tmp_path))
    converge(swap, system, path="/var/swap/one", size="1MiB")
    converge(swap, system, device="LABEL=old")
    converge(swap, system, device="LABEL=older", at_boot="fstab")
    file, partition = (f"{CONFIG}/{name}.swap" for name in ("var-swap-one", "dev-disk-by\\x2dlabel-old"))
    assert b"\nConditionPathExists=/var/swap/one\n" in (system.read(file) or b"")
    assert b"\nDefaultDependencies=no\n" in (system.read(partition) or b"")
    assert b"swap nofail,x-converge " in (system.read("/etc/fstab") or b"")


def test_a_file_that_others_can_read_is_closed_to_them(system: System) -> None:
    """As older scripts leave it; it is the same file then."""
    converge(swap, system, path=PATH, size="1MiB")
    system.set_mode(PATH, 0o644)
    before = system.stat(PATH)
    assert converge(swap, system, path=PATH, size="1MiB") == (Change("mode", "0644", "0600"),)
    after = system.stat(PATH)
    assert before is not None
    assert after is not None
    assert (before.inode, after.inode, after.mode) == (after.inode, before.inode, 0o600)
