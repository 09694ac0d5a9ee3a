"""Changes, debts and refusals by the state found; and the combined settings of zram-generator's files.

Configuration and removal: tests/laws. Real devices: tests/real/test_zram.py.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from converge.errors import Later, ProviderError
from converge.model import Change
from converge.providers.swap import swaps, zram
from converge.providers.swap.zram import Spec, State, generator, running
from converge.providers.swap.zram.running import Running
from converge.system import System
from converge.values import UNITS
from tests.real.converging import acting, converge, state_of

MIB, GIB = UNITS["MiB"], UNITS["GiB"]
OWN = "/etc/systemd/zram-generator.conf.d/90-converge-zram0.conf"
DEBIANS = "/etc/systemd/zram-generator.conf"
VENDORS_MAIN = "/usr/lib/systemd/zram-generator.conf"
VENDORS = "/usr/lib/systemd/zram-generator.conf.d/50-vendor.conf"

BARE = State("absent")
MADE = State("present", size=GIB, priority=100, through="zram-generator")
USED = evolve(MADE, running="1 GiB, lzo, priority 100", found=Running(GIB, "lzo", 100))


def spec(**params: Any) -> Spec:
    return zram.parse({"size": "1GiB", **params})


def wanted(declared: Spec, state: State) -> dict[str, Any]:
    return {change.field: change.after for change in changes_from(declared, state)}


def changes_from(declared: Spec, state: State) -> tuple[Change, ...]:
    """The changes from a state, on the machine of the fixture `have`."""
    machine: Any = None
    return acting(zram).changes(machine, declared, state)


Have = Callable[..., None]


@pytest.fixture
def have(monkeypatch: pytest.MonkeyPatch) -> Have:
    """A running machine with zram-generator; call the fixture for another machine."""

    def make_up(
        *,
        installed: bool = True,
        switched_off: bool = False,
        algorithms: tuple[str, ...] = ("lzo", "lz4"),
        memory: int | None = 8 * GIB,
    ) -> None:
        """`memory` None: a device cannot run here, or cannot run yet."""
        monkeypatch.setattr(generator, "is_installed", lambda _: installed)
        monkeypatch.setattr(generator, "is_switched_off", lambda _: switched_off)
        monkeypatch.setattr(running, "algorithms", lambda *_: algorithms)
        monkeypatch.setattr(running, "is_expected", lambda *_: memory is not None)
        monkeypatch.setattr(swaps, "memory", lambda _: memory)

    make_up()
    return make_up


@pytest.mark.parametrize("size", [{}, {"size": MIB - 1}])
def test_device_without_size_is_refused(size: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="`size` of zram0 must be at least 1 MiB") as raised:
        zram.parse(size)
    assert "memory.total" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("declared", "state", "expected"),
    [
        (
            spec(),
            BARE,
            {
                "ensure": "present",
                "size": GIB,
                "priority": 100,
                "through": "zram-generator",
                "running": "1 GiB, priority 100",
            },
        ),
        (spec(), MADE, {"running": "1 GiB, priority 100"}),
        (spec(), USED, {}),
        (spec(size="2GiB"), USED, {"size": 2 * GIB}),
        (spec(priority=7), USED, {"priority": 7}),
        (spec(), evolve(USED, size="ram / 2"), {"size": GIB}),
        (spec(algorithms=["zstd", "lz4"]), USED, {"algorithm": "lz4"}),
        (spec(host_memory_limit="4GiB"), MADE, {"host_memory_limit": 4 * GIB}),
        (spec(), evolve(MADE, host_memory_limit=4 * GIB), {}),
        (spec(host_memory_limit="8GiB"), evolve(MADE, host_memory_limit=8 * GIB), {"running": "1 GiB, priority 100"}),
        (spec(), evolve(MADE, host_memory_limit="ram"), {"running": "1 GiB, priority 100"}),
        (zram.parse({"ensure": "absent"}), USED, {"ensure": "absent"}),
        (zram.parse({"ensure": "absent"}), BARE, {}),
    ],
)
@pytest.mark.usefixtures("have")
def test_changes_are_those_expected(declared: Spec, state: State, expected: dict[str, Any]) -> None:
    assert wanted(declared, state) == expected


RUNS = {"running": "1 GiB, priority 100"}


@pytest.mark.parametrize(
    ("machine", "declared", "state", "expected"),
    [
        ({"memory": None}, spec(), MADE, {}),
        ({"switched_off": True}, spec(), MADE, {}),
        ({"switched_off": True, "installed": False}, spec(), evolve(MADE, through="unit"), RUNS),
        ({"installed": False}, spec(), USED, {"through": "unit"}),
        ({"memory": 9 * GIB}, spec(host_memory_limit="8GiB"), evolve(MADE, host_memory_limit=8 * GIB), {}),
    ],
)
def test_changes_depend_on_machine(
    machine: dict[str, Any], declared: Spec, state: State, expected: dict[str, Any], have: Have
) -> None:
    have(**machine)
    assert wanted(declared, state) == expected


def test_algorithm_with_unknown_kernel_list_is_the_first(have: Have) -> None:
    have(algorithms=(), memory=None)
    assert wanted(spec(algorithms=["zstd", "lz4"]), BARE)["algorithm"] == "zstd"


@pytest.mark.parametrize(
    ("declared", "state", "words"),
    [
        (spec(size="2GiB"), evolve(USED, size=2 * GIB), "; 2 GiB, lzo, priority 100 takes effect at the next boot"),
        (spec(priority=7), evolve(USED, priority=7), "; 1 GiB, lzo, priority 7 takes effect at the next boot"),
        (spec(algorithms=["lz4"]), evolve(USED, algorithm="lz4"), "; 1 GiB, lz4, priority 100 takes effect at the"),
        (spec(host_memory_limit="4GiB"), evolve(USED, host_memory_limit=4 * GIB), "; it is removed at the next boot"),
        (zram.parse({"ensure": "absent"}), evolve(BARE, running=USED.running, found=USED.found), "it is removed at"),
        (
            spec(),
            evolve(MADE, running="a file system at /var/tmp"),
            r"zram0 is in use \(a file system at /var/tmp\)",
        ),
    ],
)
@pytest.mark.usefixtures("have")
def test_device_in_use_waits_for_next_boot(declared: Spec, state: State, words: str) -> None:
    with pytest.raises(Later, match=words) as raised:
        changes_from(declared, state)
    assert raised.value.until == "reboot"


@pytest.mark.usefixtures("have")
def test_algorithms_missing_in_kernel_are_refused() -> None:
    with pytest.raises(ProviderError, match="not have any of the `algorithms` zstd, deflate") as raised:
        changes_from(spec(algorithms=["zstd", "deflate"]), BARE)
    assert "it has: lzo, lz4" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("derived", "message"),
    [
        (
            {"later": dict.fromkeys(("ensure", "size"), "/etc/x/99-own.conf")},
            "/etc/x/99-own.conf overrides /etc/systemd/.*: it configures zram0 as well",
        ),
        ({"taken": "/etc/x/tmp.conf"}, "/etc/x/tmp.conf configures zram0 for a file system"),
    ],
)
@pytest.mark.usefixtures("have")
def test_other_files_that_configure_device_are_refused(derived: dict[str, Any], message: str) -> None:
    for declared in (spec(size="2GiB"), zram.parse({"ensure": "absent"})):
        with pytest.raises(ProviderError, match=message) as raised:
            changes_from(declared, evolve(USED, **derived))
        assert raised.value.hint
    assert wanted(spec(), evolve(USED, **derived)) == {}


@pytest.fixture
def system(tmp_path: Path) -> System:
    """A root with zram-generator."""
    for name in ("etc", "var", "usr"):
        (tmp_path / name).mkdir()
    made = System(str(tmp_path))
    made.write(generator.PROGRAMS[0], b"", mode=0o755)
    return made


def found(system: System) -> dict[str, Any]:
    return state_of(zram, system, size="1GiB")


def own(system: System) -> str:
    return (system.read(OWN) or b"").decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[zram0]\n", {"size": None, "host_memory_limit": None, "priority": None}),
        ("[zram0]\nzram-size = 512\nswap-priority=-1\n", {"size": 512 * MIB, "priority": -1}),
        ("[zram0]\nzram-size = min(ram, 99)\nzram-size=7\n", {"size": 7 * MIB}),
        ("[zram0]\nhost-memory-limit = 512\nmemory-limit = none\n", {"host_memory_limit": None}),
        ("[zram0]\nmemory-limit = 512\n", {"host_memory_limit": 512 * MIB}),
        ("[zram0]\nzram-size = 7\nzram-fraction = 0.25\n", {"size": "ram * 0.25"}),
        ("[zram0]\nmax-zram-size = 512\n", {"size": "min(ram * 0.5, 512)"}),
        ("[zram0]\nzram-fraction=1\nmax-zram-size = none\n", {"size": "ram * 1"}),
    ],
)
def test_file_is_read_as_the_generator_reads_it(text: str, expected: dict[str, Any], system: System) -> None:
    system.write(DEBIANS, text.encode())
    state = found(system)
    assert {"ensure": "present", **expected}.items() <= state.items()


@pytest.mark.parametrize("text", ["", "[zram1]\n", "[zram0]\nzram-size=0\n", "[zram0]\nmax-zram-size = 0\n"])
def test_file_without_device_is_absent(text: str, system: System) -> None:
    system.write(DEBIANS, text.encode())
    assert found(system)["ensure"] == "absent"


def test_later_files_override_and_masks_hide(system: System) -> None:
    system.write(DEBIANS, b"[zram0]\nzram-size=1\n")
    system.write(VENDORS, b"[zram0]\nzram-size=2\n")
    assert found(system)["size"] == 2 * MIB
    system.make_link("/etc/systemd/zram-generator.conf.d/50-vendor.conf", "/dev/null")
    assert found(system)["size"] == MIB
    system.write(VENDORS_MAIN, b"[zram0]\nzram-size=4\n")
    system.remove(DEBIANS)
    assert found(system)["size"] == 4 * MIB
    system.make_link(DEBIANS, "/dev/null")
    assert found(system)["ensure"] == "absent"
    system.remove(DEBIANS)
    system.write(DEBIANS, b"[zram0]\nzram-size=1\n")
    system.write("/run/systemd/zram-generator.conf", b"[zram0]\nzram-size=3\n")  # from another boot
    assert found(system)["size"] == MIB


def test_obsolete_options_of_other_files_are_overridden(system: System) -> None:
    system.write(VENDORS, b"[zram0]\nzram-fraction = 1.5\n")
    converge(zram, system, size="1GiB", priority=7)
    assert found(system)["size"] == GIB
    assert own(system) == (
        "[zram0]\nzram-size = 1024\nswap-priority = 7\nzram-fraction = 1000000\nmax-zram-size = 1024\n"
    )
    converge(zram, system, ensure="absent")
    assert found(system)["ensure"] == "absent"
    system.remove(VENDORS)
    converge(zram, system, size="1GiB")
    assert own(system) == "[zram0]\nzram-size = 1024\nswap-priority = 100\n"


def test_device_for_file_system_is_refused(system: System) -> None:
    text = b"[zram0]\nmount-point = /var/compressed\nzram-size = 64\n"
    system.write("/etc/systemd/zram-generator.conf.d/10-tmp.conf", text)
    for params in ({"size": "1GiB"}, {"ensure": "absent"}):
        with pytest.raises(ProviderError, match=r"conf\.d/10-tmp\.conf configures zram0 for a file system"):
            converge(zram, system, **params)
    system.write("/etc/systemd/zram-generator.conf.d/10-tmp.conf", b"[zram0]\nfs-type=swap\n")
    converge(zram, system, size="1GiB")


def test_later_file_that_sets_size_is_refused(system: System) -> None:
    system.write("/etc/systemd/zram-generator.conf.d/99-mine.conf", b"[zram0]\nzram-fraction = 1.5\n")
    with pytest.raises(ProviderError, match=r"conf\.d/99-mine\.conf overrides .*: it configures zram0"):
        converge(zram, system, size="1GiB")
    system.write("/etc/systemd/zram-generator.conf.d/99-mine.conf", b"[zram1]\nzram-size = 1\n")
    converge(zram, system, size="1GiB")


def test_later_file_is_refused_only_for_declared_fields(system: System) -> None:
    """The other file decides on a field that is not declared."""
    system.write("/etc/systemd/zram-generator.conf.d/99-mine.conf", b"[zram0]\ncompression-algorithm = lz4\n")
    converge(zram, system, size="1GiB")
    assert (found(system)["size"], found(system)["algorithm"]) == (GIB, "lz4")
    converge(zram, system, size="2GiB", algorithms=["lz4"])
    with pytest.raises(ProviderError, match=r"conf\.d/99-mine\.conf overrides .*: it configures zram0"):
        converge(zram, system, size="2GiB", algorithms=["zstd"])
    converge(zram, system, ensure="absent")
    assert found(system)["ensure"] == "absent"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("quiet systemd.zram=0", True),
        ("systemd.zram=no", True),
        ("systemd.zram=0 systemd.zram", False),
        ("systemd.zram=1", False),
        ("systemd.zramfoo=0", False),
        ("", False),
    ],
)
def test_kernel_argument_turns_devices_off(arguments: str, expected: bool, system: System) -> None:
    system.write("/proc/cmdline", f"{arguments}\n".encode())
    assert generator.is_switched_off(system) is expected


def test_unit_edited_by_user_is_replaced(system: System) -> None:
    for program in generator.PROGRAMS:
        system.remove(program)
    converge(zram, system, size="1GiB")
    unit = "/etc/systemd/system/converge-zram0.service"
    text = system.read(unit) or b""
    system.write(unit, text.replace(b"Environment=", b"Environment=OTHER=1 "))
    assert found(system)["ensure"] == "absent"
    converge(zram, system, size="1GiB")
    assert system.read(unit) == text


def test_file_that_replaces_our_unit_has_only_declared_keys(system: System) -> None:
    for program in generator.PROGRAMS:
        system.remove(program)
    converge(zram, system, size="200MiB")
    system.write(generator.PROGRAMS[0], b"")
    converge(zram, system, size="200MiB")
    assert system.read(OWN) == b"[zram0]\nzram-size = 200\nswap-priority = 100\n"


def test_no_limit_is_written_if_another_file_has_one(system: System) -> None:
    """Our unit made the device on all machines; the generator must do the same."""
    for program in generator.PROGRAMS:
        system.remove(program)
    converge(zram, system, size="200MiB")
    system.write(generator.PROGRAMS[0], b"")
    system.write(DEBIANS, b"[zram0]\nhost-memory-limit = 4096\n")
    converge(zram, system, size="200MiB")
    assert b"host-memory-limit = none\n" in (system.read(OWN) or b"")
