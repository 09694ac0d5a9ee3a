"""Runs of converge, killed (SIGKILL) at a system call; strace(1) finds the calls, and delivers the signal.

A run is a process of its own, forked from one that has converge imported already: hundreds of them need no start.
"""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from attrs import frozen

from converge.cli import app

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
"""Opening a file for writing is not among them: its effect is complete at the next call, which is."""
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}
LOCKING = "flock"

REPOSITORY = Path(__file__).parents[2]
TIME_LIMIT = 60
"""Seconds, for a run that is traced with the programs that it starts."""

_T = TypeVar("_T")
_CALL = re.compile(r"(?:(?P<pid>\d+) +)?(?P<name>\w+)\(")
_STOPPED = "--- stopped by SIGSTOP"


@frozen
class Call:
    """A system call of a run: the `nth` of its name, counted from 1."""

    name: str
    nth: int
    what: str = ""
    """The call with its paths, as they are inside the root."""

    @property
    def kind(self) -> str:
        return KIND_OF[self.name]

    @property
    def injection(self) -> str:
        return f"{self.name}:when={self.nth}"


def trace(words: Sequence[str], root: Path) -> list[Call]:
    """Run to the end; the calls that change something, or wait for a program, from the lock on."""
    code = _traced(words, root)
    assert code == 0, _output(root).read_text()
    return _calls(root)


def kill(words: Sequence[str], root: Path, call: Call) -> list[Call]:
    """Run until just before a call; the calls until then, that one included."""
    code = _traced(words, root, f"--inject={call.injection}:signal=KILL")
    assert code == -signal.SIGKILL, (call, code, _output(root).read_text())
    return _calls(root)


def _traced(words: Sequence[str], root: Path, *options: str) -> int:
    """Only the process is followed, not its children: strace counts the calls of each process separately."""
    process = _stopped(words, root)
    names = ",".join((LOCKING, *KIND_OF))
    strace = ["strace", f"--attach={process}", "-y", "-s0", f"--output={_trace_of(root)}", f"--trace={names}", *options]
    with subprocess.Popen(strace, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr
        output = tracer.stderr.readline()
        os.kill(process, signal.SIGCONT)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        tracer.communicate()
    assert "attached" in output, output
    return code


def _stopped(words: Sequence[str], root: Path) -> int:
    """A stopped process that runs converge when it is continued."""
    process = os.fork()
    if not process:
        code = 1
        try:
            target = os.open(_output(root), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for output in (1, 2):
                os.dup2(target, output)
            os.kill(os.getpid(), signal.SIGSTOP)
            code = app.run(list(words))
            sys.stdout.flush()
        finally:
            os._exit(code)
    os.waitpid(process, os.WUNTRACED)
    return process


def _output(root: Path) -> Path:
    return root.with_name("output")


def _trace_of(root: Path) -> Path:
    return root.with_name("trace")


def _calls(root: Path) -> list[Call]:
    counts: Counter[str] = Counter()
    calls = []
    for line in _trace_of(root).read_text().splitlines():
        matched = _CALL.match(line)
        if matched is None:
            continue
        name = matched["name"]
        counts[name] += 1
        if counts[LOCKING] and name in KIND_OF and _matters(name, line, root):
            what = name if KIND_OF[name] == "subprocess" else _what(line, root)
            calls.append(Call(name, counts[name], what))
    return calls


def _matters(name: str, line: str, root: Path) -> bool:
    """A write elsewhere than below the root is the run's output; the number of polls for a program's end is random."""
    return f"{root}/" in line if name == "write" else "WNOHANG" not in line


def _what(line: str, root: Path) -> str:
    """The part that is the same in every run: without the root, the result, and the numbers of descriptors."""
    call = line.replace(str(root), "").rpartition(" = ")[0].rstrip()
    return re.sub(r"\b\d+(?=<|, )|0x[0-9a-f]+|fd/\d+", "", call)


def renames_within(words: Sequence[str]) -> list[Call]:
    """Run to the end; the renames of the programs that converge starts, as far as they are not its own as well.

    Calls are counted for each process by itself: the first one to make its nth is the one that is stopped there.
    """
    with _followed(words) as lines:
        matches = [matched for line in lines if (matched := _CALL.match(line))]
    converge = matches[0]["pid"]
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[Call, str] = {}
    for matched in matches:
        counts[matched["pid"], matched["name"]] += 1
        first.setdefault(Call(matched["name"], counts[matched["pid"], matched["name"]]), matched["pid"])
    return [call for call, process in first.items() if call.name in KINDS["rename"] and process != converge]


def kill_within(words: Sequence[str], call: Call) -> None:
    """Kill converge when a program that it started has just made a call; returns once none of them is left.

    The program is stopped there first: a signal that does not kill lets a call go on.
    """
    with _followed(words, f"--inject={call.injection}:signal=STOP") as lines:
        matched = _CALL.match(next(lines))
        assert matched
        assert any(_STOPPED in line for line in lines), call
        os.kill(int(matched["pid"]), signal.SIGKILL)
        for _ in lines:
            pass


@contextmanager
def _followed(words: Sequence[str], *options: str) -> Iterator[Iterator[str]]:
    """The renames of a run and of what it starts, as they happen; the first line is of converge itself.

    gpg closes every descriptor that it might have: the fewer these are, the less there is to trace.
    """
    names = ",".join(("execve", *KINDS["rename"]))
    reading, writing = os.pipe()
    strace = ["strace", "-f", "-s0", f"--output=/dev/fd/{writing}", f"--trace={names}", *options]
    with open(reading) as lines:
        process = subprocess.Popen(
            ["prlimit", "--nofile=256", "timeout", str(TIME_LIMIT), *strace, sys.executable, "-m", "converge", *words],
            cwd=REPOSITORY,
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        os.close(writing)
        try:
            yield lines
        finally:
            process.wait()


def counted(calls: Sequence[Call]) -> str:
    found = Counter(call.kind for call in calls)
    return ", ".join(f"{found[kind]} {kind}" for kind in KINDS if found[kind])


def evenly(things: Sequence[_T], count: int) -> list[_T]:
    """At most `count` of them, spread over all."""
    step = max(1.0, len(things) / count)
    return [things[int((at + 0.5) * step)] for at in range(min(count, len(things)))]
