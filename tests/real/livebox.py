"""A live root to experiment on: converge runs at `/` of a running machine, and the host does not change.

A box has the host's files below and memory on top (overlayfs), and mount, UTS, IPC, network and PID namespaces of its
own. At the end of its `with` everything in it is gone, also if the tests are killed.

    with livebox() as box:
        (box.root / "etc/hostname").write_text("before\\n")
        assert box.converge("apply", manifest).returncode == 0
        assert box.run(["hostname"]).stdout == "after\\n"
        assert box.call(gethostname) == "after"

The changes of several runs add up. /run, /dev and /etc/converge are new and empty; the only network is a loopback.
Kernel settings that are shared with the host are read-only: /sys, and /proc/sys except /proc/sys/net. But a box does
not prevent a program from mounting devices, swapping or setting the clock: do not do this.
"""

import ctypes
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import pytest
from attrs import frozen

TOP = Path(__file__).parents[2]
NAMESPACES = ("mnt", "uts", "ipc", "net", "pid")

_P = ParamSpec("_P")
_T = TypeVar("_T")

_SETUP = r"""
set -eu
read -r holder rest < /proc/self/stat
echo "$holder"
mount -t tmpfs -o mode=0755 box "$1"
cd "$1"
shift
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work box root
for path; do mount --bind "$path" "root$path"; done
cd root
mount -t tmpfs -o mode=0755 run run
mount -t tmpfs -o mode=0755 dev dev
for device in null,3 zero,5 full,7 random,8 urandom,9; do mknod -m 0666 "dev/${device%,*}" c 1 "${device#*,}"; done
ln -s /proc/self/fd dev/fd
mkdir -m 1777 dev/shm run/lock
rm -rf etc/converge var/lib/converge
ip link set lo up
mount -t proc proc proc
mount --rbind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sys sys
pivot_root . .
umount -l .
exec chroot . sh -c 'echo ready; read -r end'
"""
"""The first process of the PID namespace: it prints its id on the host and, at the end of the setup, `ready`."""


def available() -> bool:
    """Whether boxes can be created here: it takes root, and a kernel that permits namespaces."""
    tools = ("unshare", "nsenter", "ip")
    if os.geteuid() != 0 or not all(map(shutil.which, tools)):
        return False
    return subprocess.run(["unshare", "--mount", "--net", "true"], check=False, capture_output=True).returncode == 0


needs_livebox = pytest.mark.skipif(not available(), reason="namespaces cannot be created here")


@frozen
class Livebox:
    """An open box. `root` is its `/` as a path on the host; there absolute links in it lead to the host's files."""

    holder: int
    root: Path

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str = "/",
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; `environment` is added to the tests' own, `timeout` is in seconds."""
        enter = ["nsenter", f"--target={self.holder}", "--mount", "--uts", "--ipc", "--net", "--pid", "--"]
        return subprocess.run(
            [*enter, "env", f"--chdir={cwd}", *argv],
            input=stdin,
            env={**os.environ, **(environment or {})},
            timeout=timeout,
            capture_output=True,
            check=False,
            text=True,
        )

    def converge(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run this checkout's converge with these words on its command line."""
        return self.run([sys.executable, "-m", "converge", *words], cwd=str(TOP))

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function in a process of its own in the box; return its result or raise its error (both by pickle)."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._call_here(lambda: function(*args, **kwargs), writing)
        os.close(writing)
        with open(reading, "rb") as answer:
            pickled = answer.read()
        _, status = os.waitpid(child, 0)
        assert pickled, f"the function ended without an answer: {os.waitstatus_to_exitcode(status)}"
        succeeded, outcome = pickle.loads(pickled)
        if not succeeded:
            raise outcome
        return outcome  # type: ignore[no-any-return]  # pickle does not know the type

    def _call_here(self, function: Callable[[], Any], writing: int) -> NoReturn:
        """In a child: enter the box and answer from a grandchild, because only children are in the PID namespace."""
        try:
            enter(self.holder)
            if grandchild := os.fork():
                _, status = os.waitpid(grandchild, 0)
                os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
            with open(writing, "wb") as answer:
                answer.write(_outcome(function))
            os._exit(0)
        except BaseException:  # noqa: BLE001  (a copy of the test process must not return into the test)
            traceback.print_exc()
            os._exit(1)


def _outcome(function: Callable[[], Any]) -> bytes:
    """Whether a function succeeded, and its result or its error, pickled."""
    try:
        return pickle.dumps((True, function()))
    except BaseException as error:  # noqa: BLE001  (the calling test gets every error)
        try:
            pickle.loads(pickled := pickle.dumps((False, error)))
        except Exception:  # noqa: BLE001  (many exceptions cannot be pickled)
            return pickle.dumps((False, RuntimeError(traceback.format_exc())))
        return pickled


def enter(process: int) -> None:
    """Enter the namespaces of a process (setns(2)); only children enter its PID namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptors = [os.open(f"/proc/{process}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in NAMESPACES]
    for descriptor in descriptors:
        if libc.setns(descriptor, 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "setns")
        os.close(descriptor)


@contextmanager
def livebox() -> Iterator[Livebox]:
    """A box for the time of a `with`."""
    unshare = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child"]
    with tempfile.TemporaryDirectory(prefix="livebox-") as folder:
        argv = [*unshare, "--", "sh", "-c", _SETUP, "sh", folder, *_on_other_file_systems()]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", text=True) as process:
            assert process.stdin
            assert process.stdout
            try:
                holder = int(process.stdout.readline())
                assert process.stdout.readline() == "ready\n", "the box could not be made"
                yield Livebox(holder, Path(f"/proc/{holder}/root"))
            finally:
                process.stdin.close()
                process.wait(60)


def _on_other_file_systems() -> list[str]:
    """The paths that a box needs and an overlay over `/` lacks, because it does not contain other mounts."""
    top = Path("/").stat().st_dev
    paths = (TOP, Path(sys.prefix), Path(sys.base_prefix), Path(tempfile.gettempdir()))
    return sorted({str(path) for path in paths if path.stat().st_dev != top})
