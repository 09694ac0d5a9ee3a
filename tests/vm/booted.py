"""A Debian system booted in a container (systemd-nspawn), with this checkout of converge in it.

It writes to memory, and has its own namespaces and control group: nothing is left when its `with` ends, and if the
tests are killed, only empty folders.

    with booted(tree(), {"etc/systemd/system/x.service": "…"}) as machine:
        machine.converge("apply", "/root/test.yaml")
        machine.reboot()
        assert machine.run(["systemctl", "is-active", "x.service"]).stdout == "active\n"
"""

import ctypes
import os
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from attrs import define

TOP = Path(__file__).parents[2]
INSIDE, LIBRARIES = "/opt/converge", "/opt/libraries"
"""The folders of the checkout, and of the libraries of the tests' own Python, in the machine."""
ENVIRONMENT = ("PATH=/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8", f"PYTHONPATH={INSIDE}:{LIBRARIES}")
PATIENCE = 60.0
"""Seconds for a boot."""

_PR_SET_PDEATHSIG = 1
_GROUPS = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd")]
"""The folders in which systemd looks for its control groups: one hierarchy, or several as in older systems."""

_T = TypeVar("_T")

_SETUP = r"""
set -eu
box=$1 seed=$2 tree=$3
shift 3
for group; do mkdir "$group"; echo 0 >"$group/cgroup.procs"; done
mount -t tmpfs -o mode=0755 box "$box"
mount -t tmpfs -o mode=0755 run /run
mkdir "$box/upper" "$box/work" "$box/root"
cp -a "$seed/." "$box/upper/"
mount -t overlay -o "lowerdir=$tree,upperdir=$box/upper,workdir=$box/work" box "$box/root"
again=133
while [ "$again" = 133 ]; do
    again=0
    systemd-nspawn --boot --register=no --keep-unit --machine=test --directory="$box/root" --private-network \
        --console=pipe --settings=no --link-journal=no --resolv-conf=off --timezone=off \
        --bind-ro="$CHECKOUT:/opt/converge" --bind-ro="$LIBRARIES:/opt/libraries" || again=$?
done
"""
"""Run as the first process of a PID namespace, so that the whole machine ends with it; 133 requests a reboot."""


@define
class Booted:
    """A machine while it runs; `leader` is its first process, as the host numbers it."""

    process: subprocess.Popen[bytes]
    console: Path
    leader: int = 0

    @property
    def root(self) -> Path:
        """The path of its `/` on the host; the host cannot follow an absolute link in it."""
        return Path(f"/proc/{self.leader}/root")

    def run(self, argv: Sequence[str], *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program in the machine to its end; `timeout` is in seconds."""
        enter = ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        words = [*enter, "--wd=/", "--", "env", "-i", *ENVIRONMENT, *argv]
        return subprocess.run(
            words, check=False, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )

    def converge(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run converge of this checkout with these words on its command line."""
        return self.run(["python3", "-m", "converge", *words])

    def systemctl(self, *words: str) -> str:
        """The output of systemctl, with any exit code."""
        return self.run(["systemctl", *words]).stdout.strip()

    def write(self, path: str, text: str) -> None:
        inside = self.root / path.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.write_text(text)

    def read(self, path: str) -> str:
        inside = self.root / path.lstrip("/")
        return inside.read_text() if inside.exists() else ""

    def reboot(self) -> None:
        former = self.leader
        self.systemctl("reboot")
        self.wait_for_boot(other_than=former)

    def wait_for_boot(self, other_than: int = 0) -> None:
        self.leader = self._until(lambda: self._leader(other_than), "a first process")
        self._until(lambda: self.systemctl("is-system-running") in ("running", "degraded"), "the end of the boot")

    def _until(self, answer: Callable[[], _T], what: str) -> _T:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := answer():
                return found
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.1)
                break
        raise AssertionError(f"waited for {what} in vain:\n{self.console.read_text(errors='replace')}")

    def _leader(self, other_than: int) -> int:
        """The machine's first process, or 0: it has a PID namespace inside the one of the processes that we started."""
        ours = _children(self.process.pid)
        outer = {"", *map(_pid_namespace, ours)}
        while ours:
            for found in ours:
                if found != other_than and _pid_namespace(found) not in outer:
                    return found
            ours = [child for parent in ours for child in _children(parent) if _pid_namespace(parent) in outer]
        return 0


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _pid_namespace(pid: int) -> str:
    with suppress(OSError):
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    return ""


@contextmanager
def booted(tree: Path, files: Mapping[str, str]) -> Iterator[Booted]:
    """A machine for the duration of a `with`; `files` are in it from the start, by their paths."""
    with tempfile.TemporaryDirectory(prefix="converge-vm-") as folder:
        box, seed, console = (Path(folder) / name for name in ("box", "seed", "console"))
        box.mkdir()
        seed.mkdir()
        for path, text in files.items():
            (seed / path).parent.mkdir(parents=True, exist_ok=True)
            (seed / path).write_text(text)
        groups = [each / Path(folder).name for each in _GROUPS if (each / "cgroup.procs").exists()]
        with console.open("wb") as log, _started(box, seed, tree, groups, log.fileno()) as process:
            machine = Booted(process, console)
            machine.wait_for_boot()
            yield machine


@contextmanager
def _started(box: Path, seed: Path, tree: Path, groups: Sequence[Path], log: int) -> Iterator[subprocess.Popen[bytes]]:
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    words = ["sh", "-c", _SETUP, "sh", *map(str, (box, seed, tree, *groups))]
    environment = {**os.environ, "CHECKOUT": str(TOP), "LIBRARIES": sysconfig.get_path("purelib")}
    process = subprocess.Popen(
        [*namespaces, "--", *words],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment,
        preexec_fn=_end_with_the_tests,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for group in groups:
            _remove_group(group)


def _end_with_the_tests() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _remove_group(group: Path) -> None:
    """Remove a control group and those below it; the kernel allows that after the last process has ended."""
    deadline = time.monotonic() + PATIENCE
    while group.exists() and time.monotonic() < deadline:
        for folder, _, __ in os.walk(group, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)
