"""zram's configuration on real devices: zram-generator reads it, and the commands of our unit are run as written.

The devices are hot-added for each test and removed after it. Units at a real boot: tests/vm/test_zram.py.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.providers.swap import zram
from converge.providers.swap.zram import generator
from converge.system import System
from tests.real.converging import converge
from tests.real.livebox import livebox, needs_livebox
from tests.real.loops import MIB, call, image, loop, needs_loops
from tests.real.zramdevices import added, algorithms, chosen, needs_zram, of, swap, swap_to

PROGRAM = Path(generator.PROGRAMS[0])

SIZES = (1173, 3072, 24576, 98304, 391, 1024, 4096)
"""In MiB: for memory of 782 MiB, 2, 16 and 64 GiB one and a half times as much; then half of it, at most 4 GiB."""

pytestmark = [
    needs_zram,
    pytest.mark.skipif(not Path("/usr/lib/systemd/systemd-makefs").exists(), reason="needs systemd"),
]
needs_generator = pytest.mark.skipif(not PROGRAM.exists(), reason="zram-generator is not installed")


@pytest.fixture
def device() -> Iterator[str]:
    with added() as name:
        yield name


@pytest.fixture
def system(tmp_path: Path) -> System:
    for name in ("etc", "var", "proc"):
        (tmp_path / name).mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 800768 kB\n")
    (tmp_path / "proc/cmdline").write_text("quiet\n")
    return System(str(tmp_path))


def set_up(system: System, device: str) -> None:
    """Do the work of the unit systemd-zram-setup@.service."""
    environment = {**os.environ, "ZRAM_GENERATOR_ROOT": system.root}
    done = subprocess.run(
        [PROGRAM, "--setup-device", device], env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def run_as_written(system: System, device: str, kind: str = "ExecStart") -> list[int]:
    """Run the commands of our unit as in systemd.service(5); returns the codes of those that must not fail."""
    text = (Path(system.root) / f"etc/systemd/system/converge-{device}.service").read_text()
    settings = dict(
        shlex.split(re.findall(r"^Environment=(.*)$", text, re.MULTILINE)[0])[i].split("=", 1) for i in range(3)
    )
    codes = []
    for command in re.findall(rf"^{kind}=(.*)$", text, re.MULTILINE):
        words = [re.sub(r"\$\{(\w+)\}", lambda found: settings[found[1]], word) for word in shlex.split(command)]
        may_fail, program = words[0].startswith("-"), words[0].removeprefix("-")
        if may_fail and not shutil.which(program):
            continue
        done = subprocess.run([program, *words[1:]], env={**os.environ, **settings}, check=False, capture_output=True)
        codes += [] if may_fail else [done.returncode]
    return codes


def configured(system: System, device: str, **params: object) -> None:
    converge(zram, system, device=device, **params)


@needs_generator
@pytest.mark.parametrize("size", SIZES)
def test_generator_makes_the_configured_device(size: int, system: System, device: str) -> None:
    system.write(generator.PROGRAMS[0], b"")
    configured(system, device, size=f"{size}MiB", algorithms=["lz4"])
    set_up(system, device)
    assert int(of(device, "disksize")) == size * MIB
    if "lz4" in algorithms(device):
        assert "[lz4]" in of(device, "comp_algorithm")
    assert call("blkid", "--probe", "--match-tag", "TYPE", "--output", "value", f"/dev/{device}").strip() == "swap"


@needs_generator
def test_generator_ignores_algorithm_missing_in_kernel(system: System, device: str) -> None:
    system.write(generator.PROGRAMS[0], b"")
    configured(system, device, size="64MiB", algorithms=["nonesuch"])
    set_up(system, device)
    assert int(of(device, "disksize")) == 64 * MIB


@needs_generator
@pytest.mark.parametrize(("limit", "expected"), [("1GiB", True), ("512MiB", False)])
def test_generator_makes_unit_only_below_the_limit(
    limit: str, expected: bool, system: System, device: str, tmp_path: Path
) -> None:
    """For a machine with 782 MiB, by the root's own /proc/meminfo. In a container it makes none and prints that."""
    system.write(generator.PROGRAMS[0], b"")
    configured(system, device, size="1173MiB", host_memory_limit=limit, priority=7)
    units = tmp_path / "units"
    units.mkdir()
    environment = {**os.environ, "ZRAM_GENERATOR_ROOT": system.root}
    done = subprocess.run([PROGRAM, str(units)], env=environment, check=False, capture_output=True, text=True)
    if "in a container" in done.stderr:
        pytest.skip("it makes no units in a container")
    made = units / f"dev-{device}.swap"
    assert made.exists() is expected, done.stderr
    assert not expected or "Priority=7" in made.read_text()


@needs_generator
def test_generator_ignores_a_device_of_size_zero(system: System, device: str, tmp_path: Path) -> None:
    system.write(generator.PROGRAMS[0], b"")
    system.write("/etc/systemd/zram-generator.conf", f"[{device}]\n".encode())
    configured(system, device, ensure="absent")
    units = tmp_path / "units"
    units.mkdir()
    environment = {**os.environ, "ZRAM_GENERATOR_ROOT": system.root}
    subprocess.run([PROGRAM, str(units)], env=environment, check=True, capture_output=True)
    assert not (units / f"dev-{device}.swap").exists()


@needs_generator
def test_generator_uses_our_size_despite_obsolete_options(system: System, device: str, tmp_path: Path) -> None:
    system.write(generator.PROGRAMS[0], b"")
    system.write("/etc/systemd/zram-generator.conf", f"[{device}]\nzram-fraction = 1.0\n".encode())
    configured(system, device, size="64MiB")
    set_up(system, device)
    assert int(of(device, "disksize")) == 64 * MIB
    configured(system, device, ensure="absent")
    units = tmp_path / "units"
    units.mkdir()
    environment = {**os.environ, "ZRAM_GENERATOR_ROOT": system.root}
    subprocess.run([PROGRAM, str(units)], env=environment, check=True, capture_output=True)
    assert list(units.iterdir()) == []


@pytest.mark.parametrize("size", SIZES)
def test_our_unit_makes_the_configured_device(size: int, system: System, device: str) -> None:
    configured(system, device, size=f"{size}MiB", priority=9)
    assert run_as_written(system, device, "ExecCondition") == [0]
    assert run_as_written(system, device) == [0, 0, 0, 0]
    assert int(of(device, "disksize")) == size * MIB
    assert swap(device)[-1] == "9"


@pytest.mark.parametrize(
    ("declared", "expected"), [(["lzo"], "lzo"), (["nonesuch", "lzo", "lzo-rle"], "lzo"), (["nonesuch"], None)]
)
def test_our_unit_uses_the_first_algorithm_in_kernel(
    declared: list[str], expected: str | None, system: System, device: str
) -> None:
    default = chosen(device)
    if expected not in (None, *algorithms(device)):
        pytest.skip(f"this kernel does not have {expected}")
    configured(system, device, size="64MiB", algorithms=declared)
    assert run_as_written(system, device) == [0, 0, 0, 0]
    assert chosen(device) == (expected or default)


def test_our_unit_recreates_a_device_turned_off(system: System, device: str) -> None:
    for size in (64, 96):
        configured(system, device, size=f"{size}MiB")
        assert run_as_written(system, device) == [0, 0, 0, 0]
        assert int(of(device, "disksize")) == size * MIB
        call("swapoff", f"/dev/{device}")


@needs_loops
def test_swap_on_disk_stays_with_lower_priority(system: System, device: str, tmp_path: Path) -> None:
    with loop(image(tmp_path / "disk.img", 16 * MIB)) as disk:
        call("mkswap", disk)
        call("swapon", disk)
        try:
            before = swap(disk)
            configured(system, device, size="64MiB")
            assert run_as_written(system, device) == [0, 0, 0, 0]
            assert swap(disk) == before
            assert int(swap(device)[-1]) > int(before[-1])
        finally:
            call("swapoff", disk)


def test_our_unit_keeps_a_device_in_use(system: System, device: str) -> None:
    """Even if systemd did not check the condition."""
    swap_to(device, "16M", priority=3)
    before = swap(device)
    configured(system, device, size="64MiB")
    assert run_as_written(system, device, "ExecCondition") == [1]
    codes = run_as_written(system, device)
    assert 0 not in codes[1:]
    assert swap(device) == before
    assert int(of(device, "disksize")) == 16 * MIB


def test_our_unit_keeps_a_device_with_other_contents(system: System, device: str) -> None:
    Path(f"/sys/block/{device}/disksize").write_text("16M")
    call("mkfs.ext4", "-q", f"/dev/{device}")
    configured(system, device, size="64MiB")
    assert run_as_written(system, device)[1] != 0
    assert int(of(device, "disksize")) == 16 * MIB


def test_our_unit_is_accepted_by_systemd(system: System) -> None:
    configured(system, "zram0", size="64MiB", algorithms=["zstd"], host_memory_limit="8GiB")
    unit = Path(system.root) / "etc/systemd/system/converge-zram0.service"
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ConditionMemory=<=8589934592" in unit.read_text()
    enabled = ["systemctl", f"--root={system.root}", "is-enabled", unit.name]
    assert subprocess.run(enabled, check=False, capture_output=True, text=True).stdout.strip() == "enabled"


@needs_livebox
def test_device_that_cannot_be_made_is_not_started() -> None:
    """It is configured nevertheless, because kernel arguments may change."""
    manifest = "converge: 1\nproduct: test\nresources:\n"
    manifest += "  zram: {type: zram, apply: always, with: {device: zram99, size: 1GiB}}\n"
    with livebox() as box:
        (box.root / "root/test.yaml").write_text(manifest)
        (box.root / "run/systemd/system").mkdir(parents=True)
        (box.root / "usr/lib/systemd/system-generators").mkdir(exist_ok=True)
        (box.root / "usr/lib/systemd/system-generators/zram-generator").touch()
        assert "\n        running  " in box.converge("plan", "/root/test.yaml").stdout
        (box.root / "run/systemd/container").write_text("lxc\n")
        assert "\n        running  " not in box.converge("plan", "/root/test.yaml").stdout
        (box.root / "run/systemd/container").unlink()
        (box.root / "run/cmdline").write_text("quiet systemd.zram=0\n")
        assert box.run(["mount", "--bind", "/run/cmdline", "/proc/cmdline"]).returncode == 0
        printed = box.converge("plan", "/root/test.yaml").stdout
        assert "\n        running  " not in printed
        assert "1 GiB" in printed
