"""Running programs: argument lists, a fixed environment, a time limit, and under a foreign root a sandbox around them.

A program ends with converge, even where that is killed. In the sandbox it may be tied too late for that: bwrap ties it
only once it has made the sandbox. So it holds the lock with us, and is never at work beside the next run.

The sandbox (bubblewrap) is the host's programs with the root's data: the host is read-only and without its /var, /tmp,
/run, /home and /root; the root's own /var, /boot, /ostree, /sysroot, /etc/flatpak and /etc/ostree stand at their
places. So a program such as flatpak works on the root by its ordinary paths and can write nowhere else.
"""

import ctypes
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from attrs import define, field

from converge.errors import ProviderError
from converge.system.base import MIB, CommandResult, CommandTimeout, Root, shown

OUTPUT_LIMIT = 4 * MIB
GRACE = 5.0
"""Seconds that a program has to end by itself once its time is over."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOME_LIVE, HOME_SANDBOX = "/run/converge/home", "/tmp/home"  # noqa: S108  (private to the sandbox)

_PR_SET_PDEATHSIG = 1
"""prctl(2)."""

OnOutput = Callable[[str], None]

_FROM_ROOT = ("var", "boot", "ostree", "sysroot")
_FROM_ROOT_ETC = ("flatpak", "ostree")
_PRIVATE = frozenset((*_FROM_ROOT, "etc", "run", "tmp", "dev", "proc", "sys", "home", "root", "lost+found"))
_RESOLVERS = ("/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf")
_HOST_ETC = "/.etc"


def run(
    root: Root, argv: Sequence[str], *, timeout: float, on_output: OnOutput | None = None, writes: bool
) -> CommandResult:
    """Run a program to its end, whatever its exit code.

    `timeout` is in seconds; CommandTimeout when it is over. `on_output` gets each line, and each stretch between
    carriage returns, as it comes. `writes`: whether the sandbox lets it change the root.
    """
    _require_program(argv[0])
    environment = {"LC_ALL": "C.UTF-8", "PATH": PATH, "HOME": HOME_LIVE if root.live else HOME_SANDBOX}
    wrapped = [*(() if root.live else sandbox(root, writes=writes)), *argv]
    if root.live:
        os.makedirs(HOME_LIVE, mode=0o700, exist_ok=True)
    kept_open = () if root.live or root.lock is None else (root.lock,)
    with _started(wrapped, environment, kept_open) as process:
        stdout, stderr = _Stream(on_output), _Stream(on_output)
        if not _drain(process, stdout, stderr, time.monotonic() + timeout):
            raise CommandTimeout(f"'{shown(' '.join(argv))}' took longer than {timeout:g} seconds and was ended")
        return CommandResult(tuple(argv), process.returncode, stdout.text(), stderr.text())


def _require_program(name: str) -> None:
    if shutil.which(name, path=PATH) is None:
        raise ProviderError(f"the program '{shown(name)}' is not there", hint="install the package that has it")


def _tied_to(parent: int) -> Callable[[], None]:
    """What ties a child to its parent before it becomes a program: it dies with it, even where that is killed."""
    libc = ctypes.CDLL(None)

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return tie


@contextmanager
def _started(
    argv: list[str], environment: dict[str, str], kept_open: Sequence[int]
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a session of its own, none of which is left afterwards."""
    _require_program(argv[0])
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd="/",
        start_new_session=True,
        pass_fds=kept_open,
        preexec_fn=_tied_to(os.getpid()),  # there are no other threads, which might hold a lock as this one forks
    )
    with process:
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program's whole group, politely first where the program itself still runs."""
    if process.poll() is None:
        _signal_group(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    _signal_group(process, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@define
class _Stream:
    """One output of a program: its first bytes up to the limit, and its lines as they come."""

    on_output: OnOutput | None
    pieces: list[bytes] = field(factory=list)
    room: int = OUTPUT_LIMIT
    line: bytes = b""

    def add(self, piece: bytes) -> None:
        self.pieces.append(piece[: self.room])
        self.room -= len(self.pieces[-1])
        if self.on_output:
            *complete, self.line = (self.line + piece).replace(b"\r", b"\n").split(b"\n")
            self.line = self.line[-OUTPUT_LIMIT:]
            for line in complete:
                self._tell(line)

    def end(self) -> None:
        self._tell(self.line)
        self.line = b""

    def _tell(self, line: bytes) -> None:
        if self.on_output and line.strip():
            self.on_output(line.decode("utf-8", "replace"))

    def text(self) -> str:
        return b"".join(self.pieces).decode("utf-8", "surrogateescape")


def _drain(process: subprocess.Popen[bytes], stdout: _Stream, stderr: _Stream, deadline: float) -> bool:
    """Read both outputs until the program ends; False where the deadline (monotonic) comes first.

    It is the program's end that counts, not that of its outputs, which a daemon that it left behind may hold open.
    """
    end = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(end, selectors.EVENT_READ)
            for pipe, stream in ((process.stdout, stdout), (process.stderr, stderr)):
                if pipe:
                    selector.register(pipe, selectors.EVENT_READ, stream)
            while end in selector.get_map():
                if not _take(selector, deadline - time.monotonic()):
                    return False
            while selector.get_map() and time.monotonic() < deadline and _take(selector, 0):
                pass
    finally:
        os.close(end)
    stdout.end()
    stderr.end()
    process.wait()
    return True


def _take(selector: selectors.BaseSelector, wait: float) -> bool:
    """Read once from each output that has something; False where nothing came within `wait` seconds."""
    ready = selector.select(max(0.0, wait))
    for key, _ in ready:
        piece = os.read(key.fd, 65536) if key.data else b""
        if piece:
            key.data.add(piece)
        else:
            selector.unregister(key.fileobj)
    return bool(ready)


def sandbox(root: Root, *, writes: bool) -> list[str]:
    """The bubblewrap command line that goes before a program's own (bwrap(1))."""
    return [
        *("bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc"),
        *(() if os.geteuid() == 0 else ("--unshare-user", "--uid", "0", "--gid", "0")),
        *_host_folders(),
        *_host_etc(),
        *_root_folders(root, "--bind" if writes else "--ro-bind"),
        *("--proc", "/proc", "--dev", "/dev", "--ro-bind", "/sys", "/sys"),
        *("--tmpfs", "/run", "--tmpfs", "/tmp", "--dir", HOME_SANDBOX),  # noqa: S108  (private to the sandbox)
        *(word for path in _RESOLVERS for word in ("--ro-bind-try", path, path)),
        *("--remount-ro", "/", "--chdir", "/", "--"),
    ]


def _host_folders() -> Iterator[str]:
    for entry in sorted(os.scandir("/"), key=lambda entry: entry.name):
        if entry.name in _PRIVATE:
            continue
        if entry.is_symlink():
            yield from ("--symlink", os.readlink(entry.path), entry.path)
        elif entry.is_dir():
            yield from ("--ro-bind-try", entry.path, entry.path)


def _host_etc() -> Iterator[str]:
    """The host's /etc as links to a read-only copy of it, so that the root's folders can stand among them.

    The copy is as deep as /etc is, so that relative links in it lead where they led.
    """
    yield from ("--ro-bind", "/etc", _HOST_ETC, "--dir", "/etc")
    for entry in sorted(os.scandir("/etc"), key=lambda entry: entry.name):
        if entry.name not in _FROM_ROOT_ETC:
            target = os.readlink(entry.path) if entry.is_symlink() else f"{_HOST_ETC}/{entry.name}"
            yield from ("--symlink", target, entry.path)


def _root_folders(root: Root, bind: str) -> Iterator[str]:
    """What is not there is empty and cannot be written, so that nothing gets lost in it."""
    for path in (*(f"/{name}" for name in _FROM_ROOT), *(f"/etc/{name}" for name in _FROM_ROOT_ETC)):
        found = root.stat(path, follow=True)
        if found and found.kind == "directory":
            yield from (bind, root.on_host(path), path)
        else:
            yield from ("--dir", path)
