"""Swap files and partitions on the running kernel: made, grown, shrunk, moved and removed while in use.

Each test has a box in which converge runs on the live root, with its own disk mounted there.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from converge.providers.swap import swap
from converge.system import System
from converge.system.unitfiles import escaped
from converge.testing.interrupted import CutOffError, Interrupted
from tests.real import zramdevices
from tests.real.converging import changes_of
from tests.real.livebox import Livebox, livebox, needs_livebox
from tests.real.loops import MIB, call, image, loop, make_file_system, mounted, needs_loops
from tests.real.zramdevices import needs_zram

pytestmark = [needs_livebox, needs_loops]

SIZES = {"ext4": 200, "xfs": 320, "btrfs": 320}
"""MiB."""
PLACE = f"/mnt/disk{os.getpid()}"
"""Different for each test process, because swaps belong to the kernel, not to the box."""
FILE = f"{PLACE}/swapfile"
UNIT = f"{escaped(FILE)}.swap"


@frozen
class Machine:
    """A box with a disk at PLACE."""

    box: Livebox
    device: str

    def converge(self, verb: str, *resources: str, code: int = 0) -> str:
        """Apply or plan resources of type swap, given by the text of their `with`."""
        lines = [f"  s{n}: {{type: swap, apply: always, with: {{{text}}}}}" for n, text in enumerate(resources)]
        text = "\n".join(["converge: 1", "product: test", "resources:", *lines, ""])
        (self.box.root / "root/test.yaml").write_text(text)
        done = self.box.converge(verb, "/root/test.yaml", *(["--detailed-exitcode"] if verb == "plan" else []))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def swaps(self) -> dict[str, tuple[int, int]]:
        """The swaps on the disk: size in MiB and priority; /proc/swaps and `swapon --show` must agree."""
        lines = [line.split() for line in self._output("cat", "/proc/swaps").splitlines()[1:]]
        found = {_plain(line[0], r"\\([0-7]{3})", 8): (int(line[2]) // 1024, int(line[4])) for line in lines}
        shown = self._output("swapon", "--show=PRIO,NAME", "--noheadings", "--raw").splitlines()
        names = {_plain(line.partition(" ")[2], r"\\x([0-9a-f]{2})", 16): int(line.split()[0]) for line in shown}
        found = {path: value for path, value in found.items() if path.startswith(PLACE)}
        names = {path: priority for path, priority in names.items() if path.startswith(PLACE)}
        assert names == {path: priority for path, (_, priority) in found.items()}
        return found

    def size(self, path: str = FILE) -> int:
        return (self.box.root / path.lstrip("/")).stat().st_size // MIB

    def there(self, path: str) -> bool:
        return os.path.lexists(self.box.root / path.lstrip("/"))

    def _output(self, *words: str) -> str:
        return self.box.run(words).stdout


def _plain(text: str, pattern: str, base: int) -> str:
    """A path without its escapes, which write special bytes as numbers."""
    return re.sub(pattern.encode(), lambda found: bytes([int(found[1], base)]), text.encode()).decode()


@contextmanager
def machine(folder: Path, kind: str, *options: str) -> Iterator[Machine]:
    disk = image(folder / "disk.img", SIZES[kind] * MIB)
    make_file_system(kind, str(disk))
    with loop(disk) as device, livebox() as box:
        number = device.removeprefix("/dev/loop")
        mount = f"mknod {device} b 7 {number} && mkdir -p {PLACE} && mount {' '.join(options)} {device} {PLACE}"
        assert box.run(["sh", "-c", mount]).returncode == 0
        made = Machine(box, device)
        try:
            yield made
        finally:
            with mounted(device, folder / "again", *options) as again:
                for path in filter(Path.is_file, again.rglob("*")):
                    subprocess.run(["swapoff", str(path)], check=False, capture_output=True)


@pytest.mark.parametrize("kind", list(SIZES))
def test_swap_file_is_made_resized_moved_and_removed(kind: str, tmp_path: Path) -> None:
    with machine(tmp_path, kind) as made:
        made.converge("apply", f"path: {FILE}, size: 64MiB, priority: 5")
        assert made.swaps() == {FILE: (63, 5)}
        assert made.size() == 64
        made.converge("plan", f"path: {FILE}, size: 64MiB, priority: 5")
        for size in (96, 32):
            printed = made.converge("apply", f"path: {FILE}, size: {size}MiB, priority: 5")
            assert f"-> {size} MiB" in printed
            assert made.swaps() == {FILE: (size - 1, 5)}
        made.converge("apply", f"path: {FILE}, size: 32MiB, priority: 7")
        assert made.swaps() == {FILE: (31, 7)}
        elsewhere = f"{PLACE}/other/swapfile"
        moved = (f"path: {FILE}, ensure: absent", f"path: {elsewhere}, size: 32MiB, priority: 7")
        made.converge("apply", *moved)
        assert made.swaps() == {elsewhere: (31, 7)}
        assert not made.there(FILE)
        made.converge("plan", *moved)
        made.converge("apply", f"path: {elsewhere}, ensure: absent")
        assert made.swaps() == {}
        assert not made.there(elsewhere)
        assert not list((made.box.root / "etc/systemd/system").glob("**/mnt-disk*.swap"))


def test_file_that_shares_blocks_is_recreated(tmp_path: Path) -> None:
    """As a file in a snapshot, which the kernel refuses."""
    with machine(tmp_path, "btrfs") as made:
        made.converge("apply", f"path: {FILE}, size: 32MiB")
        made.box.run(["swapoff", FILE])
        assert made.box.run(["btrfs", "subvolume", "snapshot", PLACE, f"{PLACE}/snap"]).returncode == 0
        printed = made.converge("plan", f"path: {FILE}, size: 32MiB", code=2)
        assert re.search(r"^ {8}size +0 B +-> 32 MiB$", printed, re.MULTILINE)
        made.converge("apply", f"path: {FILE}, size: 32MiB")
        assert list(made.swaps()) == [FILE]
        made.converge("apply", f"path: {FILE}, ensure: absent")
        made.box.run(["sh", "-c", f"truncate -s 32M {FILE} && fallocate -l 32M {FILE} && mkswap {FILE}"])
        made.converge("apply", f"path: {FILE}, size: 32MiB")  # made by a user, without the flag
        assert list(made.swaps()) == [FILE]


def test_swap_turned_off_is_turned_on_again(tmp_path: Path) -> None:
    with machine(tmp_path, "ext4") as made:
        made.converge("apply", f"path: {FILE}, size: 16MiB")
        made.box.run(["swapoff", FILE])
        assert re.search(r"\n {8}active +false +-> true\n", made.converge("plan", f"path: {FILE}, size: 16MiB", code=2))
        made.converge("apply", f"path: {FILE}, size: 16MiB")
        assert list(made.swaps()) == [FILE]


def test_swap_file_has_lower_priority_than_zram(tmp_path: Path) -> None:
    control = Path("/sys/class/zram-control")
    if not control.exists():
        pytest.skip("this kernel does not support zram")
    number = (control / "hot_add").read_text().strip()
    with ExitStack() as undo:
        undo.callback(lambda: (control / "hot_remove").write_text(number))
        Path(f"/sys/block/zram{number}/disksize").write_text("16M")
        call("mkswap", f"/dev/zram{number}")
        call("swapon", "--priority=100", f"/dev/zram{number}")
        undo.callback(call, "swapoff", f"/dev/zram{number}")
        with machine(tmp_path, "ext4") as made:
            made.converge("apply", f"path: {FILE}, size: 16MiB, priority: 10")
            lines = [line.split() for line in made.box.run(["cat", "/proc/swaps"]).stdout.splitlines()[1:]]
            priorities = {line[0]: int(line[4]) for line in lines}
            assert priorities[f"/dev/zram{number}"] > priorities[FILE]


def test_older_etc_gets_its_unit_and_file_stays(tmp_path: Path) -> None:
    """As after a rollback: /etc, with its ledger, is the former one, but the disk is not."""
    with machine(tmp_path, "ext4") as made:
        wanted = f"path: {FILE}, size: 16MiB, priority: 3"
        made.converge("apply", wanted)
        before = (made.box.root / FILE.lstrip("/")).stat()
        for path in (f"system/{UNIT}", f"system/swap.target.wants/{UNIT}"):
            (made.box.root / "etc/systemd" / path).unlink()
        (made.box.root / "etc/converge/ledger.json").unlink()
        printed = made.converge("apply", wanted)
        assert re.search(r'^ {8}at_boot +"never" +-> "unit"$', printed, re.MULTILINE)
        assert "\n        size  " not in printed
        after = (made.box.root / FILE.lstrip("/")).stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        assert list(made.swaps()) == [FILE]


def test_unit_is_accepted_by_systemd(tmp_path: Path) -> None:
    with machine(tmp_path, "ext4") as made:
        path = f"{PLACE}/a b-ü%.swap"
        made.converge("apply", f"path: '{path}', size: 16MiB, priority: 3, discard: once")
        name = f"{escaped(path)}.swap"
        assert made.box.run(["systemd-escape", "--path", "--suffix=swap", path]).stdout.strip() == name
        verified = made.box.run(["systemd-analyze", "verify", f"/etc/systemd/system/{name}"])
        assert verified.stderr == ""
        assert made.box.run(["systemctl", "--root=/", "is-enabled", name]).stdout.strip() == "enabled"


def test_line_of_fstab_is_accepted_by_swapon(tmp_path: Path) -> None:
    with machine(tmp_path, "ext4") as made:
        path = f"{PLACE}/a b"
        (made.box.root / "etc/fstab").write_text("# none yet\n")
        made.converge("apply", f"path: '{path}', size: 16MiB, priority: 3, discard: pages, at_boot: fstab")
        made.box.run(["swapoff", path])
        assert made.swaps() == {}
        assert made.box.run(["swapon", "--all"]).returncode == 0
        assert list(made.swaps().values()) == [(15, 3)]


def test_partition_is_used_by_its_label(tmp_path: Path) -> None:
    with loop(image(tmp_path / "swap.img", 16 * MIB)) as device, machine(tmp_path, "ext4") as made:
        made.box.run(["mknod", device, "b", "7", device.removeprefix("/dev/loop")])
        failed = made.converge("apply", "device: LABEL=converge-test", code=4)
        assert "no partition has LABEL=converge-test" in failed
        call("mkfs.ext4", "-q", "-L", "converge-test", device)
        failed = made.converge("apply", "device: LABEL=converge-test", code=4)
        assert "is not a swap: it contains ext4" in failed
        call("mkswap", "--label", "converge-test", device)
        try:
            made.converge("apply", "device: LABEL=converge-test, priority: 4")
            assert f"{device} " in made.box.run(["cat", "/proc/swaps"]).stdout
            made.converge("plan", "device: LABEL=converge-test, priority: 4")
            (made.box.root / "run/cmdline").write_text("resume=LABEL=converge-test\n")
            made.box.run(["mount", "--bind", "/run/cmdline", "/proc/cmdline"])
            failed = made.converge("apply", "device: LABEL=converge-test, ensure: absent", code=4)
            assert "is needed to wake the machine from hibernation" in failed
            made.box.run(["umount", "/proc/cmdline"])
            made.converge("apply", "device: LABEL=converge-test, ensure: absent")
            assert f"{device} " not in made.box.run(["cat", "/proc/swaps"]).stdout
        finally:
            subprocess.run(["swapoff", device], check=False, capture_output=True)


BY_UDEV = """\
set -e
rm -rf "$1" /dev/disk
mknod "$1" b 7 "${1#/dev/loop}"
mkdir -p /dev/disk/by-label /dev/disk/by-uuid
ln -s "$1" '/dev/disk/by-label/converge\\x202'
ln -s "$1" /dev/disk/by-uuid/8e5b8a56-1f5c-4f0e-9c7e-0c8f6e0a7a11
printf '%s\\n' "$2" >/etc/fstab
"""


def test_line_with_other_name_of_partition_is_found(tmp_path: Path) -> None:
    """Installers write such lines. If they stayed, each boot would wait for a missing partition."""
    with loop(image(tmp_path / "swap.img", 16 * MIB)) as device, machine(tmp_path, "ext4") as made:
        call("mkswap", "--label", "converge 2", "--uuid", "8e5b8a56-1f5c-4f0e-9c7e-0c8f6e0a7a11", device)
        for name in ("UUID=8e5b8a56-1f5c-4f0e-9c7e-0c8f6e0a7a11", r"LABEL=converge\0402", device):
            line = f"{name} none swap sw 0 0"
            assert made.box.run(["sh", "-c", BY_UDEV, "sh", device, line]).returncode == 0
            printed = made.converge("plan", "device: 'LABEL=converge 2', at_boot: fstab", code=2)
            assert "at_boot" not in printed
            made.converge("apply", "device: 'LABEL=converge 2', ensure: absent")
            assert (made.box.root / "etc/fstab").read_text() == f"{name} none swap sw,noauto 0 0\n"


@pytest.mark.parametrize(
    ("kind", "options", "wanted", "code", "message"),
    [
        ("ext4", (), "size: 4GiB", 0, "requires 4 GiB: "),
        ("ext4", (), "size: 16MiB, keep_free: 1GiB", 0, "requires 16 MiB, and `keep_free` 1 GiB: "),
        ("ext4", ("-o", "ro"), "size: 16MiB", 4, "mounted read-only"),
    ],
    ids=["full disk", "less than keep_free", "read-only"],
)
def test_disk_without_space_or_read_only_stays(
    kind: str, options: tuple[str, ...], wanted: str, code: int, message: str, tmp_path: Path
) -> None:
    with machine(tmp_path, kind, *options) as made:
        printed = made.converge("apply", f"path: {FILE}, {wanted}", code=code)
        assert message in printed
        assert made.swaps() == {}
        assert os.listdir(made.box.root / PLACE.lstrip("/")) == ["lost+found"]


def test_file_of_killed_run_does_not_count_as_used_space(tmp_path: Path) -> None:
    """It has all of its blocks already, and the disk is too small for two."""
    with machine(tmp_path, "ext4") as made:
        left = made.box.root / PLACE.lstrip("/") / ".swapfile.converge-tmp"
        with left.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 120 * MIB)
        made.converge("apply", f"path: {FILE}, size: 120MiB")
        assert made.swaps() == {FILE: (119, made.swaps()[FILE][1])}
        assert not left.exists()


def test_priority_applies_without_at_boot(tmp_path: Path) -> None:
    with machine(tmp_path, "ext4") as made:
        made.converge("apply", f"path: {FILE}, size: 16MiB, at_boot: never, priority: 8")
        assert made.swaps() == {FILE: (15, 8)}


def test_file_behind_link_is_recreated_and_removed(tmp_path: Path) -> None:
    with machine(tmp_path, "ext4") as made:
        made.box.run(["ln", "-s", PLACE, "/disk"])
        made.converge("apply", "path: /disk/swapfile, size: 16MiB")
        made.converge("apply", "path: /disk/swapfile, size: 32MiB")
        assert list(made.swaps()) == [FILE]
        assert made.box.run(["systemctl", "--root=/", "is-enabled", UNIT]).stdout == "enabled\n"
        made.converge("apply", "path: /disk/swapfile, ensure: absent")
        assert made.swaps() == {}
        assert not made.there(FILE)


def test_file_needed_for_hibernation_stays(tmp_path: Path) -> None:
    with machine(tmp_path, "ext4") as made:
        uuid = call("blkid", "--probe", "--match-tag", "UUID", "--output", "value", made.device).strip()
        made.converge("apply", f"path: {FILE}, size: 16MiB")
        before, arguments = made.swaps(), made.box.root / "run/cmdline"
        arguments.write_text("\n")
        assert made.box.run(["mount", "--bind", "/run/cmdline", "/proc/cmdline"]).returncode == 0
        for others in (f"resume={made.device}", "resume_offset=34816", f"resume=UUID={uuid} resume=/dev/sdz9"):
            arguments.write_text(f"{others}\n")
            made.converge("plan", f"path: {FILE}, ensure: absent", code=2)
        for ours in (f"resume={made.device} resume_offset=34816", f"quiet resume_offset=1 resume=UUID={uuid}"):
            arguments.write_text(f"{ours}\n")
            for wanted in ("size: 32MiB", "ensure: absent"):
                printed = made.converge("apply", f"path: {FILE}, {wanted}", code=4)
                assert "is needed to wake the machine from hibernation" in printed
                assert made.swaps() == before


def test_failed_resize_makes_the_old_size_again(tmp_path: Path) -> None:
    with machine(tmp_path, "ext4") as made:
        made.converge("apply", f"path: {FILE}, size: 16MiB, priority: 5")
        failing = made.box.root / "usr/local/sbin/mkswap"
        failing.write_text("#!/bin/sh\nrm /usr/local/sbin/mkswap; echo out of luck >&2; exit 1\n")
        failing.chmod(0o755)
        assert "out of luck" in made.converge("apply", f"path: {FILE}, size: 32MiB, priority: 5", code=4)
        assert made.swaps() == {FILE: (15, 5)}
        assert sorted(os.listdir(made.box.root / PLACE.lstrip("/"))) == ["lost+found", "swapfile"]


def test_failed_change_of_boot_keeps_the_swap_in_use(tmp_path: Path) -> None:
    with machine(tmp_path, "ext4") as made:
        made.converge("apply", f"path: {FILE}, size: 16MiB, priority: 5")
        assert made.box.run(["mount", "--bind", "-o", "ro", "/etc/systemd", "/etc/systemd"]).returncode == 0
        assert "read-only" in made.converge("apply", f"path: {FILE}, size: 16MiB, priority: 6", code=4)
        assert made.swaps() == {FILE: (15, 5)}


STEPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "made": ({"ensure": "absent"}, {"size": 16 * MIB, "priority": 5}),
    "grown, and moved to fstab": ({"size": 16 * MIB}, {"size": 32 * MIB, "priority": 5, "at_boot": "fstab"}),
    "used otherwise": ({"size": 16 * MIB, "at_boot": "fstab"}, {"size": 16 * MIB, "discard": "once", "priority": 5}),
    "removed": ({"size": 16 * MIB, "at_boot": "fstab"}, {"ensure": "absent"}),
}


@pytest.mark.vm
@pytest.mark.parametrize("name", list(STEPS))
def test_interrupted_change_is_finished_by_next_run(name: str, tmp_path: Path) -> None:
    before, after = STEPS[name]
    with machine(tmp_path, "ext4") as made:
        limit = 0
        while made.box.call(_cut_off, before, after, limit):
            assert made.box.call(_changes_left, after) == []
            assert {path: size[1] for path, size in made.swaps().items()} == ({FILE: 5} if "size" in after else {})
            limit += 1
        assert limit >= 3


def _cut_off(before: dict[str, Any], after: dict[str, Any], limit: int) -> bool:
    """Change the state, interrupted before one of the changes, and then again; False if nothing was interrupted."""
    for params in ({"ensure": "absent"}, before):
        _apply(params, System("/"))
    try:
        _apply(after, Interrupted("/", limit))
    except CutOffError:
        _apply(after, System("/"))
        return True
    return False


def _apply(params: dict[str, Any], system: System) -> None:
    spec = swap.parse({"path": FILE, **params})
    swap.apply(system, spec, changes_of(swap, system, path=FILE, **params))


def _changes_left(params: dict[str, Any]) -> list[str]:
    return [change.field for change in changes_of(swap, System("/"), path=FILE, **params)]


def test_other_file_at_the_path_is_refused(tmp_path: Path) -> None:
    with machine(tmp_path, "ext4") as made:
        (made.box.root / FILE.lstrip("/")).write_text("a letter\n")
        assert "exists and is not a swap file" in made.converge("apply", f"path: {FILE}, size: 16MiB", code=4)
        assert (made.box.root / FILE.lstrip("/")).read_text() == "a letter\n"


def test_file_system_without_swap_files_is_refused(tmp_path: Path) -> None:
    with machine(tmp_path, "ext4") as made:
        failed = made.converge("apply", "path: /run/swapfile, size: 16MiB", code=4)
        assert "the file system of /run/swapfile (tmpfs) does not support swap files" in failed
        assert not made.there("/run/swapfile")


@needs_zram
def test_swap_too_full_for_memory_is_not_turned_off(tmp_path: Path) -> None:
    """The data is really swapped out; a file mounted on /proc/meminfo claims that little memory is left."""
    group = Path(f"/sys/fs/cgroup/memory/converge-test-{os.getpid()}")
    if not group.parent.joinpath("memory.limit_in_bytes").exists():
        pytest.skip("this kernel does not have the memory controller of version 1")
    if len(Path("/proc/swaps").read_text().splitlines()) > 1:
        pytest.skip("this machine swaps elsewhere as well, and would hold it there")
    with machine(tmp_path, "ext4") as made, ExitStack() as undo:
        made.converge("apply", f"path: {FILE}, size: 96MiB")
        group.mkdir()
        undo.callback(group.rmdir)
        fed = undo.enter_context(hungry(group))
        (made.box.root / "run/meminfo").write_text("MemTotal: 100000 kB\nMemAvailable: 1024 kB\n")
        assert made.box.run(["mount", "--bind", "/run/meminfo", "/proc/meminfo"]).returncode == 0
        with zramdevices.added() as zram:
            zramdevices.swap_to(zram, "1G", priority=0)  # does not count, because it is in memory as well
            for wanted in (f"path: {FILE}, size: 32MiB", f"path: {FILE}, ensure: absent"):
                assert "memory cannot hold the data swapped out" in made.converge("apply", wanted)
                assert made.swaps() == {FILE: (95, made.swaps()[FILE][1])}
                assert made.size() == 96
        assert made.box.run(["umount", "/proc/meminfo"]).returncode == 0
        # This time the kernel itself refuses.
        assert "memory cannot hold the data swapped out" in made.converge("apply", f"path: {FILE}, size: 32MiB")
        assert made.size() == 96
        fed.kill()
        fed.wait()
        made.converge("apply", f"path: {FILE}, size: 32MiB")
        assert made.size() == 32


@contextmanager
def hungry(group: Path) -> Iterator[subprocess.Popen[str]]:
    """A program with 48 MiB of data, of which 16 may be in memory."""
    (group / "memory.limit_in_bytes").write_text("16M")
    code = "import os; data = bytearray(os.urandom(48 << 20)); print('fed', flush=True); input()"
    argv = ["sh", "-c", f'echo $$ >{group}/cgroup.procs; exec "$@"', "sh", sys.executable, "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "fed\n"
            yield process
        finally:
            process.kill()
            process.wait()


def test_run_killed_while_making_file_is_finished(tmp_path: Path) -> None:
    """SIGKILL while the file still has its temporary name: the next run finishes it and leaves nothing behind."""
    with machine(tmp_path, "ext4") as made:
        wanted = f"path: {FILE}, size: 64MiB"
        (made.box.root / "usr/local/sbin/mkswap").write_text("#!/bin/sh\ntouch /run/here; sleep 60\n")
        (made.box.root / "usr/local/sbin/mkswap").chmod(0o755)
        made.converge("plan", wanted, code=2)
        argv = ["nsenter", f"--target={made.box.holder}", "--mount", "--pid", "--", sys.executable, "-m", "converge"]
        process = subprocess.Popen([*argv, "apply", "/root/test.yaml"], stdout=subprocess.DEVNULL)
        while not made.there("/run/here"):
            assert process.poll() is None
        made.box.run(["pkill", "-KILL", "-f", "converge apply"])
        process.wait()
        (made.box.root / "usr/local/sbin/mkswap").unlink()
        assert not made.there(FILE)
        made.converge("apply", wanted)
        assert list(made.swaps()) == [FILE]
        assert sorted(os.listdir(made.box.root / PLACE.lstrip("/"))) == ["lost+found", "swapfile"]
