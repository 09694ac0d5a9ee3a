"""Running programs: argument lists, a fixed environment, a time limit, and under a foreign root a sandbox around them.

A program ends with converge, even where that is killed. In the sandbox it may be tied too late for that: bwrap ties it
only once it has made the sandbox. So it holds the lock with us, and is never at work beside the next run.
"""

import ctypes
import errno
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from attrs import define, field, frozen

from converge.errors import ProviderError, shown
from converge.system.commands.sandbox import BESIDE, HOME, View, sandbox
from converge.system.root import MIB, CommandMissing, CommandResult, CommandTimeout, Root

OUTPUT_LIMIT = 4 * MIB
GRACE = 5.0
"""Seconds that a program has to end by itself once its time is over."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOME_LIVE = "/run/converge/home"

_PR_SET_PDEATHSIG = 1
"""prctl(2)."""

_ROOT = "{root}"

OnOutput = Callable[[str], None]


def run(
    root: Root,
    argv: Sequence[str],
    *,
    timeout: float,
    writes: bool,
    on_output: OnOutput | None = None,
    view: View = "data",
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    cwd: str = "/",
    reads: Sequence[str] = (),
) -> CommandResult:
    """Run a program to its end, whatever its exit code.

    `timeout` is in seconds; CommandTimeout when it is over. `on_output` gets each line, and each stretch between
    carriage returns, as it comes. `writes`: whether the sandbox lets it change the root. `environment` comes on top of
    the fixed one, `stdin` is all that the program can read from there. `cwd` is a folder of what the view shows as `/`.
    """
    if view == "machine":
        root = Root("/")
    if view in ("beside", "entered"):
        argv = [word.replace(_ROOT, "/" if root.live else BESIDE) for word in argv]
    _require_program(argv[0], None if root.live or view != "inside" else root)
    _require_folder(cwd, root)
    if not root.live:
        _require_program("bwrap")
    fixed = {"LC_ALL": "C.UTF-8", "PATH": PATH, "HOME": HOME_LIVE if root.live else HOME}
    wrapped = [*(() if root.live else sandbox(root, writes=writes, view=view, cwd=cwd, reads=reads)), *argv]
    if root.live:
        os.makedirs(HOME_LIVE, mode=0o700, exist_ok=True)
    kept_open = () if root.live or root.lock is None else (root.lock,)
    start = _Start(wrapped, {**fixed, **(environment or {})}, kept_open, cwd if root.live else "/", polite=root.live)
    with _started(start, stdin) as process:
        stdout, stderr = _Stream(on_output), _Stream(on_output)
        if not _drain(process, stdout, stderr, time.monotonic() + timeout):
            raise CommandTimeout(f"'{shown(' '.join(argv))}' took longer than {timeout:g} seconds and was ended")
        said = [_as_in_root(stream.text(), root, view) for stream in (stdout, stderr)]
        return CommandResult(tuple(argv), process.returncode, *said)


def _as_in_root(text: str, root: Root, view: View) -> str:
    """What a program says that was given the root beside the host: with paths as they are inside the root."""
    return text.replace(f"{BESIDE}/", "/") if view == "beside" and not root.live else text


def _require_program(name: str, root: Root | None = None) -> None:
    """ProviderError where the host, or the root if one is given, has no such program."""
    if root is None:
        found = shutil.which(name, path=PATH)
    else:
        paths = [name] if "/" in name else [f"{folder}/{name}" for folder in PATH.split(":")]
        found = next((path for path in paths if root.stat(path, follow=True)), None)
    if found is None:
        raise CommandMissing(f"the program '{shown(name)}' is not there", hint="install the package that has it")


def _require_folder(path: str, root: Root) -> None:
    found = None if path == "/" else root.stat(path, follow=True)
    if path != "/" and (found is None or found.kind != "directory"):
        raise ProviderError(
            f"there is no folder {shown(path)} to run a program in", hint="let another resource make it"
        )


def _tied_to(parent: int) -> Callable[[], None]:
    """What ties a child to its parent before it becomes a program: it dies with it, even where that is killed."""
    libc = ctypes.CDLL(None)

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return tie


@frozen
class _Start:
    """What a program is started with.

    `kept_open` are descriptors that it gets too. `polite`: whether it is asked to end before it is made to; what is in
    a sandbox would not hear it.
    """

    argv: list[str]
    environment: Mapping[str, str]
    kept_open: Sequence[int]
    cwd: str
    polite: bool


@contextmanager
def _started(start: _Start, stdin: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a session of its own, none of which is left afterwards."""
    _require_program(start.argv[0])
    with _readable(stdin) as given:
        process = _popen(start, given)
    with process:
        try:
            yield process
        finally:
            _end(process, polite=start.polite)


@contextmanager
def _readable(data: bytes) -> Iterator[int]:
    """A descriptor that bytes are read from; they are in memory only."""
    descriptor = os.memfd_create("converge-stdin") if data else os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if data:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(data)
            os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _popen(start: _Start, stdin: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            start.argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=start.environment,
            cwd=start.cwd,
            start_new_session=True,
            pass_fds=start.kept_open,
            preexec_fn=_tied_to(os.getpid()),  # there are no other threads, which might hold a lock as this one forks
        )
    except OSError as error:
        hint = "a script begins with #! and its interpreter" if error.errno == errno.ENOEXEC else None
        raise ProviderError(f"cannot run '{shown(start.argv[0])}': {error.strerror}", hint=hint) from error


def _end(process: subprocess.Popen[bytes], *, polite: bool) -> None:
    """End the program's whole group, politely first where the program itself still runs."""
    if polite and process.poll() is None:
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
