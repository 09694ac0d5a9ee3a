"""What a run of converge, and whatever it starts, changes on the host; found by strace(1).

What bwrap starts sees private mounts, in which the same path is another place. So such processes are not watched here:
`writable` are the places that they can write to.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import define, field, frozen

from converge.system import System

OPENING = ("open", "openat", "openat2", "creat")
NAMING = (
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "rmdir"),
    *("mkdir", "mkdirat", "mknod", "mknodat", "chmod", "fchmodat", "chown", "lchown", "fchownat", "truncate"),
    *("setxattr", "lsetxattr", "removexattr", "lremovexattr", "utimensat", "utime", "utimes"),
    *("mount", "umount2", "pivot_root", "chroot"),
)
HOLDING = ("fchmod", "fchown", "ftruncate", "fallocate", "fsetxattr", "fremovexattr")
STARTING = ("fork", "vfork", "clone", "clone3", "execve")
REPOSITORY = Path(__file__).parents[2]
HARMLESS = re.compile(r"/dev/(null|tty|pts/\d+)|/memfd:.*|/proc/(self|\d+)/(uid_map|gid_map|setgroups|oom_score_adj)")

_LINE = re.compile(
    r"(?P<pid>\d+) +(?:<\.\.\. )?(?P<name>\w+)(?:\(| resumed>)(?P<rest>.*) = (?P<result>\d+)(?:<(?P<to>.*)>)?"
)
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<(?P<folder>[^>]*)>, )?"(?P<path>(?:[^"\\]|\\.)*)"')
_HELD = re.compile(r"\d+<(?P<path>[^>]*)>")
_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")


def changed(words: Iterable[str], trace: Path) -> tuple[int, set[str]]:
    """Run converge; its exit code, and the paths on the host that were opened for writing, or changed."""
    calls = ",".join((*OPENING, *NAMING, *HOLDING, *STARTING))
    strace = ["strace", "-f", "--seccomp-bpf", "-y", "-s4096", f"--output={trace}", f"--trace={calls}"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(Path.home()), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*strace, sys.executable, "-m", "converge", *words],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, _Watch().paths(trace.read_text().splitlines())


@define
class _Watch:
    """The processes that see the host as it is, and the descriptors that they hold."""

    on_host: set[str] = field(factory=set)
    sandboxing: set[str] = field(factory=set)
    held: dict[tuple[str, str], str] = field(factory=dict)

    def paths(self, lines: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for line in lines:
            self.on_host = self.on_host or {line.split()[0]}
            matched = _LINE.match(line)
            if matched and matched["pid"] in self.on_host:
                found |= {path for path in self._paths(matched) if not HARMLESS.fullmatch(path)}
        return found

    def _paths(self, call: re.Match[str]) -> Iterator[str]:
        pid, name, rest = call["pid"], call["name"], call["rest"]
        if name in STARTING:
            self._started(pid, name, rest, call["result"])
        elif name in OPENING:
            self.held[pid, call["result"]] = call["to"] or ""
            if _WRITING.search(rest):
                yield call["to"] or rest
        elif name in HOLDING and (held := _HELD.match(rest)):
            yield held["path"]
        elif name in NAMING:
            yield from (self._path(pid, matched) for matched in self._named(name, rest))

    def _started(self, pid: str, name: str, rest: str, child: str) -> None:
        """A process is on the host if its parent is and is not bwrap, which starts others only in its sandbox."""
        if name == "execve":
            if rest.startswith('"/usr/bin/bwrap"'):
                self.sandboxing.add(pid)
        elif pid not in self.sandboxing:
            self.on_host.add(child)

    def _named(self, name: str, rest: str) -> list[re.Match[str]]:
        """The first text of a new symbolic link is its target, not its path."""
        found = list(_PATH.finditer(rest))
        return found[1:] if name.startswith("symlink") else found

    def _path(self, pid: str, named: re.Match[str]) -> str:
        path = named["path"]
        if matched := re.fullmatch(r"/proc/self/fd/(\d+)", path):
            return self.held.get((pid, matched[1]), path)
        return os.path.normpath(os.path.join(named["folder"] or str(REPOSITORY), path))


@frozen
class Mount:
    """A mount that a program in the sandbox may write to; `thing` is the device and inode at its place."""

    kind: str
    device: str
    place: str
    thing: str


def writable(system: System) -> list[Mount]:
    mounts = system.run(["cat", "/proc/self/mountinfo"]).require().stdout
    found = [fields for fields in map(_fields, mounts.splitlines()) if "rw" in fields[3].split(",")]
    things = system.run(["stat", "--format=%d:%i", *(fields[2] for fields in found)]).require().stdout.split()
    return [Mount(kind, device, place, thing) for (kind, device, place, _), thing in zip(found, things, strict=True)]


def devices() -> set[str]:
    """Those of everything that is mounted on the host."""
    return {_fields(line)[1] for line in Path("/proc/self/mountinfo").read_text().splitlines()}


def _fields(line: str) -> tuple[str, str, str, str]:
    """Kind, device, place and options of a mount (proc(5), /proc/PID/mountinfo)."""
    before, _, after = line.partition(" - ")
    _, _, device, _, place, options = before.split()[:6]
    return after.split()[0], device, place, options
