"""Real runs of converge, killed (SIGKILL) at a system call; strace(1) finds the calls, and delivers the signal."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from attrs import frozen

KINDS = {
    "write": ("write", "pwrite64", "copy_file_range", "ftruncate"),
    "rename": ("rename", "renameat", "renameat2"),
    "fsync": ("fsync", "fdatasync"),
    "unlink": ("unlink", "unlinkat", "rmdir"),
    "mkdir": ("mkdir", "mkdirat"),
    "link": ("link", "linkat", "symlink", "symlinkat"),
    "chmod": ("chmod", "fchmod", "fchmodat"),
    "chown": ("chown", "fchown", "fchownat", "lchown"),
    "setxattr": ("setxattr", "fsetxattr", "lsetxattr"),
    "subprocess": ("vfork", "fork", "clone", "clone3", "pidfd_open", "wait4", "waitid"),
}
"""Opening a file for writing is none of them: what it leaves is there at the next call, which is one."""
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}
LOCKING = "flock"

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
TIME_LIMIT = 60

_T = TypeVar("_T")

_CALL = re.compile(r"(?:(?P<pid>\d+) +)?(?P<name>\w+)\((?P<rest>.*)")


@frozen
class Call:
    """A system call of a run: the `nth` of its name since the process began, counted from 1."""

    name: str
    nth: int
    what: str
    """The call with its paths, as they are inside the root."""

    @property
    def kind(self) -> str:
        return KIND_OF[self.name]


def apply(manifest: Path, root: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "converge", "apply", str(manifest), "--root", str(root), *words]


def trace(argv: Sequence[str], root: Path) -> list[Call]:
    """Run to the end; the calls that change something, or wait for a program, from the lock on."""
    run = _traced(argv, root)
    assert run.returncode == 0, run.stderr
    return _calls(root)


def kill(argv: Sequence[str], root: Path, call: Call) -> list[Call]:
    """Run until just before a call; the calls until then, that one included."""
    run = _traced(argv, root, f"--inject={call.name}:signal=KILL:when={call.nth}")
    assert run.returncode == -signal.SIGKILL, (call, run.returncode, run.stderr)
    return _calls(root)


def _traced(argv: Sequence[str], root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The process alone is followed, not its children: strace counts calls for each of those by itself."""
    names = ",".join((LOCKING, *KIND_OF))
    strace = ["strace", "-qq", "-y", "-s0", f"--output={_trace_of(root)}", f"--trace={names}", *options]
    return subprocess.run(
        [*strace, *argv],
        cwd=REPOSITORY,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )


def _trace_of(root: Path) -> Path:
    return root.with_name(f"{root.name}.trace")


def _calls(root: Path) -> list[Call]:
    counts: Counter[str] = Counter()
    calls = []
    locked = False
    for line in _trace_of(root).read_text().splitlines():
        matched = _CALL.match(line)
        if matched is None:
            continue
        name = matched["name"]
        counts[name] += 1
        if locked and name in KIND_OF and _counts(name, line, root):
            calls.append(Call(name, counts[name], _what(line, root)))
        locked = locked or name == LOCKING
    return calls


def _counts(name: str, line: str, root: Path) -> bool:
    """A write elsewhere than below the root is the run's output; how often a program's end is polled is chance."""
    return str(root) in line if name == "write" else "WNOHANG" not in line


def _what(line: str, root: Path) -> str:
    """What is the same in every run: without the root, the result, and the numbers of descriptors and processes."""
    call = line.replace(str(root), "").rpartition(" = ")[0].rstrip()
    return re.sub(r"\b\d+(?=<|, )|0x[0-9a-f]+", "", call)


def counted(calls: Sequence[Call]) -> str:
    found = Counter(call.kind for call in calls)
    return ", ".join(f"{found[kind]} {kind}" for kind in KINDS if found[kind])


def evenly(things: Sequence[_T], count: int) -> list[_T]:
    """At most `count` of them, spread over all."""
    step = max(1.0, len(things) / count)
    return [things[int((at + 0.5) * step)] for at in range(min(count, len(things)))]
