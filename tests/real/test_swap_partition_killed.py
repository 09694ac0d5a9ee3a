"""Power failures: a program that changes the disk is killed together with converge, and the next run must finish.

Shims in front of the real programs count the changes of the disk. One of them kills converge after the real program has
ended, or after the program was killed (by strace) at one of its writes, so that a table is only partly written.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from converge.providers.swap import partition as swap_partition
from converge.system import System, commands
from tests.real.converging import changes_of, converge, state_of
from tests.real.partitioned import GPT_ID, LINUX, RECOVERY, SWAP, Blueprint, Disk, attached, image, needs_disks

pytestmark = [
    needs_disks,
    pytest.mark.vm,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace"),
]

GPT = f"label: gpt\nlabel-id: {GPT_ID}\n\n"
MBR = "label: dos\nlabel-id: 0x12345678\n\n"
PRESENT, ABSENT = {"size": "8MiB"}, {"ensure": "absent"}
RUNS = {
    "made on a GPT": (
        Blueprint(
            f"{GPT}start=2048, size=65536, type={LINUX}, uuid={GPT_ID}\nstart=122880, type={RECOVERY}, uuid={RECOVERY}",
            64,
            {1: "xfs"},
        ),
        PRESENT,
    ),
    "made on an MBR": (
        Blueprint(f"{MBR}start=2048, size=65536, type=83\nstart=122880, type=27", 64, {1: "xfs"}),
        PRESENT,
    ),
    "removed from a GPT": (
        Blueprint(
            f"{GPT}start=2048, size=65536, type={LINUX}, uuid={GPT_ID}\n"
            f"start=67584, size=20000, type={SWAP}, uuid={SWAP}\nstart=122880, type={RECOVERY}, uuid={RECOVERY}",
            64,
            {1: "xfs", 2: "swap"},
            active=True,
        ),
        ABSENT,
    ),
    "removed from an MBR": (
        Blueprint(
            f"{MBR}start=2048, size=65536, type=83\nstart=67584, size=20000, type=82\nstart=122880, type=27",
            64,
            {1: "xfs", 2: "swap"},
        ),
        ABSENT,
    ),
}
CHANGING = ("flock", "addpart", "resizepart", "mkswap", "sfdisk", "xfs_growfs", "swapoff")
WRITES = 6
"""How often sfdisk syncs a GPT to the disk: twice for each copy, for the protective MBR, and at the end."""

_SHIM = """\
#!/bin/sh
case "$*" in *--json*|*--dump*|*--verify*) exec {real} "$@";; esac
count=$(($(cat {folder}/count) + 1))
echo $count >{folder}/count
echo "{name} $*" >>{folder}/log
[ $count = {turn} ] || exec {real} "$@"
if [ {write} = 0 ]; then {real} "$@"
else strace -f -qq -o /dev/null -e trace=fsync --inject=fsync:signal=KILL:when={write} {real} "$@"; fi
kill -KILL $PPID
"""


def shims(folder: Path, turn: int, write: int) -> str:
    """Put shims into a folder; returns the search path for programs. `write` 0: the program is not killed."""
    folder.mkdir()
    (folder / "count").write_text("0")
    (folder / "log").write_text("")
    for name in CHANGING:
        real = shutil.which(name, path=commands.PATH)
        (folder / name).write_text(_SHIM.format(real=real, folder=folder, name=name, turn=turn, write=write))
        (folder / name).chmod(0o755)
    return f"{folder}:{commands.PATH}"


def killed(root: Path, params: dict[str, Any], path: str) -> bool:
    """Run converge in its own process; returns whether it was killed."""
    child = os.fork()
    if child == 0:
        try:
            commands.PATH = path
            converge(swap_partition, System(str(root)), **params)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == -signal.SIGKILL


@contextmanager
def attempt(folder: Path, made: tuple[Path, Blueprint]) -> Iterator[tuple[Disk, Path]]:
    with attached(made) as disk, disk.mounted(folder / "root") as root:
        (root / "var").mkdir(exist_ok=True)
        yield disk, root


def ending(disk: Disk, root: Path, params: dict[str, Any]) -> tuple[Any, ...]:
    """Everything that the next run must bring about."""
    state = state_of(swap_partition, System(str(root)), **params)
    space = os.statvfs(root)
    assert not changes_of(swap_partition, System(str(root)), **params)
    return (
        state,
        disk.first_sector(),
        disk.table(),
        disk.kernel(),
        space.f_blocks * space.f_frsize,
        sorted(root.rglob("*.json")),
    )


@pytest.mark.parametrize("reboot", [False, True], ids=["at once", "after a boot"])
@pytest.mark.parametrize("within", [False, True], ids=["between programs", "within sfdisk"])
@pytest.mark.parametrize("name", RUNS)
def test_run_killed_anywhere_is_finished_by_next_run(name: str, within: bool, reboot: bool, tmp_path: Path) -> None:
    """After a boot the kernel knows exactly the partitions in the table."""
    blueprint, params = RUNS[name]
    with attempt(tmp_path, image(tmp_path / "undisturbed.img", blueprint)) as (disk, root):
        assert not killed(root, params, shims(tmp_path / "shims", 0, 0))
        programs = (tmp_path / "shims/log").read_text().splitlines()
        expected = ending(disk, root, params)
    damaged, points = 0, list(places(programs, within=within))
    assert len(points) >= (WRITES * 2 if within else 5)
    for turn, write in points:
        point = f"{write} in {turn}, {programs[turn - 1]}"
        made = image(tmp_path / f"{turn}-{write}.img", blueprint)
        with ExitStack() as undo:
            disk, root = undo.enter_context(attempt(tmp_path, made))
            assert killed(root, params, shims(tmp_path / f"{turn}-{write}", turn, write)), point
            damaged += is_damaged(disk)
            if reboot:
                undo.close()
                disk, root = undo.enter_context(attempt(tmp_path, made))
            converge(swap_partition, System(str(root)), **params)
            assert ending(disk, root, params) == expected, point
            assert not is_damaged(disk)
    assert damaged >= (4 if within and "GPT" in name else 0)


def places(programs: list[str], *, within: bool) -> Iterator[tuple[int, int]]:
    """The programs to kill, from 1, and the write at which they are killed; 0: only converge is killed."""
    for turn, program in enumerate(programs, 1):
        if not within:
            yield turn, 0
        elif program.startswith("sfdisk"):
            yield from ((turn, write) for write in range(1, WRITES + 1))


def is_damaged(disk: Disk) -> bool:
    done = subprocess.run(["sfdisk", "--verify", disk.node], check=False, capture_output=True, text=True)
    return "is corrupt, but" in done.stderr
