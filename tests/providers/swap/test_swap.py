"""Changes, debts and refusals by the state found; and files, units and lines on a scratch root.

Making and removing: tests/laws. The running kernel: tests/real/test_swap.py.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from converge.errors import Later, ProviderError
from converge.model import Change, EffectKind
from converge.providers.swap import swap
from converge.providers.swap.swap.spec import Spec, State
from converge.system import System, disks
from converge.system.unitfiles import CONFIG
from converge.values import UNITS
from tests.real.converging import acting, converge, state_of

MIB, GIB = UNITS["MiB"], UNITS["GiB"]
PATH = "/var/swap/swapfile"
UNIT = f"{CONFIG}/var-swap-swapfile.swap"
LINK = f"{CONFIG}/swap.target.wants/var-swap-swapfile.swap"

FILE = State("present", size=2 * GIB, mode="0600", active=True, at_boot="unit", free=10 * GIB)
NO_FILE = State("absent", active=False, free=10 * GIB)
PARTITION = State(None, active=True, at_boot="unit")


def parse(**params: Any) -> Spec:
    return swap.parse(params)


def file(**params: Any) -> Spec:
    return parse(**{"path": PATH, "size": "2GiB", **params})


def partition(**params: Any) -> Spec:
    return parse(**{"device": "LABEL=swap", **params})


def wanted(spec: Spec, state: State) -> dict[str, Any]:
    return {change.field: change.after for change in changes_from(spec, state)}


def changes_from(spec: Spec, state: State) -> tuple[Change, ...]:
    """The changes from a state; apart from it only the size of the file system is read."""
    machine: Any = None
    return acting(swap).changes(machine, spec, state)


Resize = Callable[[int], None]


@pytest.fixture
def resize(monkeypatch: pytest.MonkeyPatch) -> Resize:
    """Set the size of the file system, which is 100 GiB at first."""

    def set_total(total: int) -> None:
        monkeypatch.setattr(disks, "space", lambda *_: disks.Space(total, 10 * GIB))

    set_total(100 * GIB)
    return set_total


@pytest.mark.parametrize(
    ("params", "message", "hint"),
    [
        ({}, "either `path` or `device` is required, not both", "set `path` for a swap file, or `device`"),
        ({"path": PATH, "device": "LABEL=swap", "size": 1}, "either `path` or `device`", "set `path`"),
        ({"path": PATH}, "either `size` or `percent` is required for a swap file, not both", "set `size`"),
        ({"path": PATH, "size": "1GiB", "percent": 5}, "either `size` or `percent` is required", "or `percent`"),
        ({"path": PATH, "size": "1GiB", "minimum": "1GiB"}, "`maximum` require `percent`", "add `percent`"),
        ({"path": PATH, "percent": 5, "minimum": "2GiB", "maximum": "1GiB"}, "`minimum` is larger", "exchange the two"),
        ({"path": PATH, "size": 4096}, "`size` is too small for a swap file: 4096 bytes", "to at least 1MiB"),
        ({"path": PATH, "percent": 5, "maximum": "5KiB"}, "`maximum` is too small .* 4096 bytes", "to at least 1MiB"),
        ({"path": PATH, "size": "much"}, "'much' is not a size", "such as 8GiB"),
        ({"device": "LABEL=swap", "percent": 5}, "`percent` cannot be used with `device`", "only `swap-partition`"),
        ({"path": "swapfile", "size": "1GiB"}, "'swapfile' is not an absolute path", "write the whole path"),
        (
            {"path": "/var/a\nb", "size": "1GiB"},
            r"a systemd unit cannot contain the path '/var/a\\nb'",
            "control characters",
        ),
        ({"path": "/var/a\\", "size": "1GiB"}, "unit cannot contain the path", "backslash"),
        ({"path": "/var/a ", "size": "1GiB"}, "unit cannot contain the path", "a space"),
    ],
)
def test_contradictory_parameters_are_refused(params: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(ProviderError, match=message) as raised:
        parse(**params)
    assert hint in str(raised.value.hint)


def test_sizes_are_whole_pages() -> None:
    assert file(size=2 * GIB + 5).size == 2 * GIB


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"percent": 5}, 5 * GIB),
        ({"percent": 5, "minimum": "6GiB"}, 6 * GIB),
        ({"percent": 5, "maximum": "4GiB"}, 4 * GIB),
        ({"percent": 5, "minimum": "1GiB", "maximum": "8GiB"}, 5 * GIB),
    ],
)
@pytest.mark.usefixtures("resize")
def test_percent_has_bounds(params: dict[str, Any], expected: int) -> None:
    assert wanted(parse(path=PATH, **params), NO_FILE)["size"] == expected


def test_percent_gives_whole_mib_and_at_least_one(resize: Resize) -> None:
    resize(100 * GIB + 4096 * 33)
    assert wanted(parse(path=PATH, percent=3), NO_FILE)["size"] == 3 * GIB
    resize(MIB)
    assert wanted(parse(path=PATH, percent=1), NO_FILE)["size"] == MIB


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
        (parse(path=PATH, ensure="absent"), evolve(NO_FILE, unusable="it is a folder"), {}),
        (partition(), PARTITION, {}),
        (partition(priority=-1), PARTITION, {"priority": -1}),
        (partition(ensure="absent"), PARTITION, {"active": False, "at_boot": "never"}),
        (partition(ensure="absent"), State(None, active=False, unusable="no partition has LABEL=swap"), {}),
    ],
)
def test_changes_are_those_expected(spec: Spec, state: State, expected: dict[str, Any]) -> None:
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
def test_file_too_full_for_memory_is_owed(spec: Spec) -> None:
    with pytest.raises(Later, match="memory cannot hold the data swapped out to it") as raised:
        changes_from(spec, evolve(FILE, full=True))
    assert raised.value.until == "idle"


def test_partition_too_full_for_memory_is_owed() -> None:
    for spec in (partition(ensure="absent"), partition(priority=3)):
        with pytest.raises(Later, match="LABEL=swap cannot be turned off now"):
            changes_from(spec, evolve(PARTITION, full=True))


def test_full_file_is_configured_without_turning_it_off() -> None:
    assert wanted(file(at_boot="fstab"), evolve(FILE, full=True)) == {"at_boot": "fstab"}
    assert wanted(file(at_boot="never"), evolve(FILE, full=True)) == {"at_boot": "never"}


@pytest.mark.parametrize(
    ("params", "free", "words"),
    [
        ({"size": "4GiB"}, 3 * GIB + 5, "requires 4 GiB: 3 GiB are available"),
        (
            {"size": "4GiB", "keep_free": "1GiB"},
            4 * GIB,
            "requires 4 GiB, and `keep_free` 1 GiB: 4 GiB are available",
        ),
        ({"size": None, "percent": 50}, 40 * GIB, "requires 50 GiB"),
    ],
)
@pytest.mark.usefixtures("resize")
def test_file_with_too_little_space_is_owed(params: dict[str, Any], free: int, words: str) -> None:
    with pytest.raises(Later, match=words) as raised:
        changes_from(file(**params), evolve(NO_FILE, free=free))
    assert raised.value.until == "room"


def test_file_shrinks_although_too_little_is_free() -> None:
    assert wanted(file(size="1GiB", keep_free="50GiB"), FILE) == {"size": GIB}
    with pytest.raises(Later):
        changes_from(file(size="3GiB", keep_free="50GiB"), FILE)


def test_unusable_place_is_refused() -> None:
    with pytest.raises(ProviderError, match="it is a folder") as raised:
        changes_from(file(), evolve(NO_FILE, unusable="it is a folder"))
    assert "`path` or `device`" in str(raised.value.hint)
    assert wanted(file(), evolve(FILE, unusable="it would be on tmpfs")) == {}


@pytest.mark.parametrize("spec", [file(size="3GiB"), parse(path=PATH, ensure="absent")])
def test_file_needed_for_hibernation_stays(spec: Spec) -> None:
    with pytest.raises(ProviderError, match="is needed to wake the machine from hibernation") as raised:
        changes_from(spec, evolve(FILE, resumes=True))
    assert "`resume`" in str(raised.value.hint)


def test_swap_needed_for_hibernation_changes_its_settings() -> None:
    assert wanted(file(priority=3), evolve(FILE, resumes=True)) == {"priority": 3}
    with pytest.raises(ProviderError, match="LABEL=swap is needed to wake the machine from hibernation"):
        changes_from(partition(ensure="absent"), evolve(PARTITION, resumes=True))


@pytest.mark.parametrize(
    ("device", "node"),
    [
        ("LABEL=swap", "/dev/disk/by-label/swap"),
        ("PARTLABEL=my swap/2", "/dev/disk/by-partlabel/my\\x20swap\\x2f2"),
        ("UUID=1-2", "/dev/disk/by-uuid/1-2"),
        ("LABEL=ü=1", "/dev/disk/by-label/ü=1"),
    ],
)
def test_unit_names_partition_by_its_link(device: str, node: str) -> None:
    assert parse(device=device).node == node


def test_claims_of_file_are_on_its_path() -> None:
    claims = {
        (claim.thing.kind, claim.thing.key, claim.field): claim.value for claim in acting(swap).claims(file(priority=3))
    }
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


def test_file_behind_link_is_recreated_and_removed(system: System) -> None:
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


def test_file_of_killed_run_is_removed_too(system: System) -> None:
    system.write(system.unfinished(PATH), bytes(MIB))
    assert swap.inspect(system, file()).ensure == "absent"
    removal = parse(path=PATH, ensure="absent")
    assert wanted(removal, swap.inspect(system, removal)) == {"ensure": "absent"}
    converge(swap, system, path=PATH, ensure="absent")
    assert system.list_folder("/var/swap") == ()


@pytest.mark.parametrize("place", [PATH, f"{PATH}/photos"], ids=["file", "folder"])
def test_other_file_in_its_place_stays(system: System, place: str) -> None:
    system.write(system.unfinished(PATH), bytes(MIB))
    system.write(place, b"precious")
    converge(swap, system, path=PATH, ensure="absent")
    assert system.read(place) == b"precious"
    assert system.list_folder("/var/swap") == ("swapfile",)


def test_mask_is_removed_and_not_written_through(system: System) -> None:
    system.make_link(UNIT, "/dev/null")
    assert state_of(swap, system, path=PATH, size="1MiB")["at_boot"] == "never"
    converge(swap, system, path=PATH, size="1MiB")
    assert system.read_link(UNIT) is None
    assert system.stat("/dev/null") is None


def test_masked_unit_hides_line(system: System) -> None:
    system.make_link(UNIT, "/dev/null")
    system.write("/etc/fstab", f"{PATH} none swap sw 0 0\n".encode())
    assert state_of(swap, system, path=PATH, size="1MiB")["at_boot"] == "never"


@pytest.mark.parametrize("what", ["What=/dev/sda5\n", "", "What=/var/swap/\\\n swapfile\n"])
def test_unit_that_systemd_refuses_is_fixed(what: str, system: System) -> None:
    system.write(UNIT, f"[Unit]\nDescription=mine\n\n[Swap]\n{what}TimeoutSec=5\n".encode())
    system.make_link(LINK, UNIT)
    assert state_of(swap, system, path=PATH, size="1MiB")["at_boot"] == "never"
    converge(swap, system, path=PATH, size="1MiB")
    text = (system.read(UNIT) or b"").decode()
    assert f"What={PATH}\n" in text
    assert "TimeoutSec=5" in text
    assert "Description=mine" in text


def test_unit_required_by_another_is_found_and_removed(system: System) -> None:
    converge(swap, system, path=PATH, size="1MiB", at_boot="never")
    system.write(UNIT, f"[Swap]\nWhat={PATH}\nPriority=3\nOptions=pri=4\n".encode())
    required = f"{CONFIG}/swap.target.requires/var-swap-swapfile.swap"
    system.make_link(required, UNIT)
    state = state_of(swap, system, path=PATH, size="1MiB")
    assert (state["at_boot"], state["priority"]) == ("unit", 4)
    converge(swap, system, path=PATH, ensure="absent")
    assert system.read_link(required) is None
    assert system.read(UNIT) is None


def test_vendor_unit_is_overridden_by_ours(system: System) -> None:
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
def test_line_of_user_stays_but_starts_nothing(before: str, state: str, after: str, system: System) -> None:
    system.write("/etc/fstab", f"# mine\n{before}".encode())
    assert state_of(swap, system, path=PATH, ensure="absent")["at_boot"] == state
    converge(swap, system, path=PATH, ensure="absent")
    assert fstab(system) == f"# mine\n{after}"


def test_unit_overrides_line_of_user(system: System) -> None:
    """systemd uses the unit, so the user's line for the same swap may stay."""
    line = f"{PATH} none swap sw,pri=3 0 0\n"
    system.write("/etc/fstab", line.encode())
    converge(swap, system, path=PATH, size="1MiB", priority=5)
    assert state_of(swap, system, path=PATH, size="1MiB")["at_boot"] == "unit"
    assert fstab(system) == line
    converge(swap, system, path=PATH, size="1MiB", at_boot="fstab")
    assert fstab(system) == f"{PATH} none swap sw,pri=5 0 0\n"
    assert system.read(UNIT) is None


def test_line_may_name_partition_by_its_link(system: System) -> None:
    system.write("/etc/fstab", b"/dev/disk/by-label/swap none swap sw 0 0\n")
    assert state_of(swap, system, device="LABEL=swap")["at_boot"] == "fstab"


def test_changed_boot_configuration_reloads_systemd(system: System) -> None:
    for params in ({}, {"priority": 3}, {"priority": 3, "discard": "once"}, {"at_boot": "fstab"}):
        spec = parse(path=PATH, size="1MiB", **params)
        changes = acting(swap).changes(system, spec, swap.inspect(system, spec))
        assert [effect.kind for effect in swap.apply(system, spec, changes)] == [EffectKind.DAEMON_RELOAD]


def test_file_in_etc_belongs_to_deployment(system: System) -> None:
    domains = swap.domains(system, parse(path="/etc/swapfile", size="1MiB"))
    assert set(domains.values()) == {"deployment"}
    assert swap.domains(system, file())["size"] == "machine"


def test_boot_with_missing_swap_neither_waits_nor_fails(tmp_path: Path) -> None:
    """As after a rollback: an older /etc has swaps that were removed."""
    system = System(str(tmp_path))
    converge(swap, system, path="/var/swap/one", size="1MiB")
    converge(swap, system, device="LABEL=old")
    converge(swap, system, device="LABEL=older", at_boot="fstab")
    file, partition = (f"{CONFIG}/{name}.swap" for name in ("var-swap-one", "dev-disk-by\\x2dlabel-old"))
    assert b"\nConditionPathExists=/var/swap/one\n" in (system.read(file) or b"")
    assert b"\nDefaultDependencies=no\n" in (system.read(partition) or b"")
    assert b"swap nofail,x-converge " in (system.read("/etc/fstab") or b"")


def test_file_readable_by_others_gets_private_mode(system: System) -> None:
    """Older scripts made such files. The file itself is kept."""
    converge(swap, system, path=PATH, size="1MiB")
    system.set_mode(PATH, 0o644)
    before = system.stat(PATH)
    assert converge(swap, system, path=PATH, size="1MiB") == (Change("mode", "0644", "0600"),)
    after = system.stat(PATH)
    assert before is not None
    assert after is not None
    assert (before.inode, after.inode, after.mode) == (after.inode, before.inode, 0o600)
