"""What is changed, owed and refused, by what is found; and what zram-generator's files come to, taken together.

That it is configured and removed: tests/laws. On real devices: tests/real/test_zram.py.
"""

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from converge.errors import Later, ProviderError
from converge.providers.swap import zram
from converge.providers.swap.zram import generator
from converge.providers.swap.zram.base import Running, Spec, State
from converge.system import System
from converge.values import UNITS
from tests.real.converging import converge, state_of

MIB, GIB = UNITS["MiB"], UNITS["GiB"]
OWN = "/etc/systemd/zram-generator.conf.d/90-converge-zram0.conf"
DEBIANS = "/etc/systemd/zram-generator.conf"
VENDORS_MAIN = "/usr/lib/systemd/zram-generator.conf"
VENDORS = "/usr/lib/systemd/zram-generator.conf.d/50-vendor.conf"

LIVE: dict[str, Any] = {"installed": "zram-generator", "algorithms": ("lzo", "lz4"), "memory": 8 * GIB}
"""What is derived on a machine that runs."""
BARE = State("absent", **LIVE)
MADE = State("present", size=GIB, priority=100, through="zram-generator", **LIVE)
USED = evolve(MADE, running="1 GiB, lzo, priority 100", found=Running(GIB, "lzo", 100))


def spec(**params: Any) -> Spec:
    return zram.parse({"size": "1GiB", **params})


def wanted(asked: Spec, state: State) -> dict[str, Any]:
    return {change.field: change.after for change in zram.diff(asked, state)}


@pytest.mark.parametrize("size", [{}, {"size": MIB - 1}])
def test_a_device_has_a_size(size: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="zram0 has a size of 1 MiB at least") as raised:
        zram.parse(size)
    assert "memory.total" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("asked", "state", "expected"),
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
        (spec(), evolve(MADE, memory=None), {}),
        (spec(size="2GiB"), USED, {"size": 2 * GIB}),
        (spec(priority=7), USED, {"priority": 7}),
        (spec(), evolve(USED, size="ram / 2"), {"size": GIB}),
        (spec(), evolve(USED, installed="unit"), {"through": "unit"}),
        (spec(algorithms=["zstd", "lz4"]), USED, {"algorithm": "lz4"}),
        (spec(algorithms=["zstd", "lz4"]), evolve(BARE, algorithms=(), memory=None), None),
        (spec(host_memory_limit="4GiB"), MADE, {"host_memory_limit": 4 * GIB}),
        (spec(), evolve(MADE, host_memory_limit=4 * GIB), {}),
        (spec(host_memory_limit="8GiB"), evolve(MADE, host_memory_limit=8 * GIB), {"running": "1 GiB, priority 100"}),
        (spec(), evolve(MADE, host_memory_limit="ram"), {"running": "1 GiB, priority 100"}),
        (zram.parse({"ensure": "absent"}), USED, {"ensure": "absent"}),
        (zram.parse({"ensure": "absent"}), BARE, {}),
    ],
)
def test_what_is_changed(asked: Spec, state: State, expected: dict[str, Any] | None) -> None:
    if expected is None:
        assert wanted(asked, state)["algorithm"] == "zstd"
    else:
        assert wanted(asked, state) == expected


@pytest.mark.parametrize(
    ("asked", "state", "words"),
    [
        (spec(size="2GiB"), evolve(USED, size=2 * GIB), "it is with 2 GiB, lzo, priority 100 from the next boot on"),
        (spec(priority=7), evolve(USED, priority=7), "with 1 GiB, lzo, priority 7 from the next boot on"),
        (spec(algorithms=["lz4"]), evolve(USED, algorithm="lz4"), "with 1 GiB, lz4, priority 100 from the next boot"),
        (spec(host_memory_limit="4GiB"), evolve(USED, host_memory_limit=4 * GIB), "it is gone after the next boot"),
        (zram.parse({"ensure": "absent"}), evolve(BARE, running=USED.running, found=USED.found), "it is gone after"),
        (spec(), evolve(MADE, running="a file system at /var/tmp"), "zram0 is in use with a file system at /var/tmp"),
    ],
)
def test_a_device_in_use_waits_for_the_next_boot(asked: Spec, state: State, words: str) -> None:
    with pytest.raises(Later, match=words) as raised:
        zram.diff(asked, state)
    assert raised.value.until == "reboot"


def test_an_algorithm_that_the_kernel_lacks() -> None:
    with pytest.raises(ProviderError, match="the kernel has none of zstd, deflate") as raised:
        zram.diff(spec(algorithms=["zstd", "deflate"]), BARE)
    assert "it has lzo, lz4" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("derived", "message"),
    [
        (
            {"later": dict.fromkeys(("ensure", "size"), "/etc/x/99-own.conf")},
            "/etc/x/99-own.conf says something of zram0, and comes after /etc/systemd",
        ),
        ({"taken": "/etc/x/tmp.conf"}, "/etc/x/tmp.conf has zram0 made for a file system"),
    ],
)
def test_what_others_have_decided_is_told_and_left(derived: dict[str, Any], message: str) -> None:
    for asked in (spec(size="2GiB"), zram.parse({"ensure": "absent"})):
        with pytest.raises(ProviderError, match=message) as raised:
            zram.diff(asked, evolve(USED, **derived))
        assert raised.value.hint
    assert wanted(spec(), evolve(USED, **derived)) == {}


@pytest.fixture
def system(tmp_path: Path) -> System:
    """With zram-generator."""
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
def test_what_a_file_says(text: str, expected: dict[str, Any], system: System) -> None:
    system.write(DEBIANS, text.encode())
    state = found(system)
    assert {"ensure": "present", **expected}.items() <= state.items()


@pytest.mark.parametrize("text", ["", "[zram1]\n", "[zram0]\nzram-size=0\n", "[zram0]\nmax-zram-size = 0\n"])
def test_no_device(text: str, system: System) -> None:
    system.write(DEBIANS, text.encode())
    assert found(system)["ensure"] == "absent"


def test_later_files_rule_and_a_mask_hides_one(system: System) -> None:
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
    system.write("/run/systemd/zram-generator.conf", b"[zram0]\nzram-size=3\n")  # of another boot
    assert found(system)["size"] == MIB


def test_obsolete_options_of_others_do_not_win(system: System) -> None:
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


def test_a_device_for_a_file_system_is_left_alone(system: System) -> None:
    text = b"[zram0]\nmount-point = /var/compressed\nzram-size = 64\n"
    system.write("/etc/systemd/zram-generator.conf.d/10-tmp.conf", text)
    for params in ({"size": "1GiB"}, {"ensure": "absent"}):
        with pytest.raises(ProviderError, match=r"conf\.d/10-tmp\.conf has zram0 made for a file system"):
            converge(zram, system, **params)
    system.write("/etc/systemd/zram-generator.conf.d/10-tmp.conf", b"[zram0]\nfs-type=swap\n")
    converge(zram, system, size="1GiB")


def test_a_file_behind_ours(system: System) -> None:
    system.write("/etc/systemd/zram-generator.conf.d/99-mine.conf", b"[zram0]\nzram-fraction = 1.5\n")
    with pytest.raises(ProviderError, match=r"conf\.d/99-mine\.conf says something of zram0"):
        converge(zram, system, size="1GiB")
    system.write("/etc/systemd/zram-generator.conf.d/99-mine.conf", b"[zram1]\nzram-size = 1\n")
    converge(zram, system, size="1GiB")


def test_a_file_behind_ours_that_says_something_else(system: System) -> None:
    """What is not asked for is left to it; what is asked for is not to be had."""
    system.write("/etc/systemd/zram-generator.conf.d/99-mine.conf", b"[zram0]\ncompression-algorithm = lz4\n")
    converge(zram, system, size="1GiB")
    assert (found(system)["size"], found(system)["algorithm"]) == (GIB, "lz4")
    converge(zram, system, size="2GiB", algorithms=["lz4"])
    with pytest.raises(ProviderError, match=r"conf\.d/99-mine\.conf says something of zram0"):
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
def test_a_kernel_argument_forbids_devices(arguments: str, expected: bool, system: System) -> None:
    system.write("/proc/cmdline", f"{arguments}\n".encode())
    assert generator.is_switched_off(system) is expected


def test_a_unit_that_somebody_edited_is_no_longer_ours(system: System) -> None:
    for program in generator.PROGRAMS:
        system.remove(program)
    converge(zram, system, size="1GiB")
    unit = "/etc/systemd/system/converge-zram0.service"
    text = system.read(unit) or b""
    system.write(unit, text.replace(b"Environment=", b"Environment=OTHER=1 "))
    assert found(system)["ensure"] == "absent"
    converge(zram, system, size="1GiB")
    assert system.read(unit) == text


def test_a_unit_of_ours_leaves_no_trace_in_the_file_that_replaces_it(system: System) -> None:
    for program in generator.PROGRAMS:
        system.remove(program)
    converge(zram, system, size="200MiB")
    system.write(generator.PROGRAMS[0], b"")
    converge(zram, system, size="200MiB")
    assert system.read(OWN) == b"[zram0]\nzram-size = 200\nswap-priority = 100\n"


def test_no_limit_is_said_where_another_file_has_one(system: System) -> None:
    """A device that our unit made on all machines is still made on all."""
    for program in generator.PROGRAMS:
        system.remove(program)
    converge(zram, system, size="200MiB")
    system.write(generator.PROGRAMS[0], b"")
    system.write(DEBIANS, b"[zram0]\nhost-memory-limit = 4096\n")
    converge(zram, system, size="200MiB")
    assert b"host-memory-limit = none\n" in (system.read(OWN) or b"")
