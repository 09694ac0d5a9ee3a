"""Running programs: argument lists, a fixed environment, a time limit, and under a foreign root a sandbox around them.

A program ends with converge, even if that is killed. In the sandbox it may be tied too late for that: bwrap ties it
only once it has made the sandbox. So it holds the lock with us, and is never at work beside the next run.
"""

import ctypes
import errno
import json
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
from converge.model import Secret
from converge.system.access import Looking
from converge.system.commands.sandbox import BESIDE, HOME, sandbox
from converge.system.root import MIB, CommandMissing, CommandResult, CommandTimeout
from converge.system.running import Command, Given, OnOutput

OUTPUT_LIMIT = 4 * MIB
GRACE = 5.0
"""Seconds that a program has to end by itself once its time is over."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOME_LIVE = "/run/converge/home"

_PR_SET_PDEATHSIG = 1
"""prctl(2)."""

_ROOT = "{root}"


@frozen
class _Start:
    """A program as it is started, with its sandbox if it has one.

    `kept_open` are descriptors that it gets too. `polite`: whether it gets a signal to end before it is killed; that
    would not reach a program in a sandbox.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    stdin: bytes
    kept_open: Sequence[int]
    cwd: str
    polite: bool


def run(root: Looking, command: Command, *, on_output: OnOutput | None, lock: int | None) -> CommandResult:
    """Run a program to its end, whatever its exit code; `lock` is the root's lock, if it is held, by its descriptor."""
    if command.view == "machine":
        root = Looking("/")
    argv, live = command.argv, root.root == "/"
    if command.view in ("beside", "entered"):
        argv = [word.replace(_ROOT, "/" if live else BESIDE) for word in argv]
    _require_program(argv[0], None if live or command.view != "inside" else root)
    folder = root.stat(command.cwd)
    if folder is None or folder.kind != "directory":
        hint = "let another resource make it"
        raise ProviderError(f"the working folder {shown(command.cwd)} is missing", hint=hint)
    with _started(_unwrapped(argv, command) if live else _sandboxed(argv, command, root, lock)) as process:
        stdout, stderr = _Stream(on_output), _Stream(on_output)
        if not _drain(process, stdout, stderr, time.monotonic() + command.timeout):
            limit = f"{command.timeout:g} seconds"
            raise CommandTimeout(f"'{shown(' '.join(argv))}' took longer than {limit} and was ended")
        output = [stream.text() for stream in (stdout, stderr)]
        if command.view == "beside" and not live:  # paths as they are inside the root
            output = [text.replace(f"{BESIDE}/", "/") for text in output]
        return CommandResult(tuple(argv), process.returncode, *output)


def _unwrapped(argv: Sequence[str], command: Command) -> _Start:
    os.makedirs(HOME_LIVE, mode=0o700, exist_ok=True)
    environment = _environment(command, HOME_LIVE)
    return _Start(argv, environment, _input(command.stdin), (), command.cwd, polite=True)


def _sandboxed(argv: Sequence[str], command: Command, root: Looking, lock: int | None) -> _Start:
    _require_program("bwrap")
    wrapped = [*sandbox(root, command), *argv]
    kept_open = () if lock is None else (lock,)
    return _Start(wrapped, _environment(command, HOME), _input(command.stdin), kept_open, "/", polite=False)


def _environment(command: Command, home: str) -> dict[str, str]:
    given = {name: _text(value) for name, value in command.environment.items()}
    return {"LC_ALL": "C.UTF-8", "PATH": PATH, "HOME": home, **given}


def _input(stdin: Given) -> bytes:
    if isinstance(stdin, Mapping):
        return json.dumps({name: _text(value) for name, value in stdin.items()}).encode()
    return stdin if isinstance(stdin, bytes) else _text(stdin).encode()


def _text(value: str | Secret) -> str:
    return value if isinstance(value, str) else value.reveal()


def _require_program(name: str, root: Looking | None = None) -> None:
    """ProviderError if the host, or the root if one is given, lacks a program."""
    if root is None:
        found = shutil.which(name, path=PATH)
    else:
        paths = [name] if "/" in name else [f"{folder}/{name}" for folder in PATH.split(":")]
        found = next((path for path in paths if root.stat(path)), None)
    if found is None:
        raise CommandMissing(f"the program '{shown(name)}' is missing", hint="install the package that has it")


@contextmanager
def _started(start: _Start) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a session of its own, none of which is left afterwards."""
    _require_program(start.argv[0])
    with _readable(start.stdin) as stdin:
        process = _popen(start, stdin)
    with process:
        try:
            yield process
        finally:
            _end(process, polite=start.polite)


@contextmanager
def _readable(data: bytes) -> Iterator[int]:
    """A descriptor to read bytes from; they are in memory only."""
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
            preexec_fn=_tie_to(os.getpid()),  # there are no other threads, which might hold a lock as this one forks
        )
    except OSError as error:
        hint = "a script begins with #! and its interpreter" if error.errno == errno.ENOEXEC else None
        raise ProviderError(f"cannot run '{shown(start.argv[0])}': {error.strerror}", hint=hint) from error


def _tie_to(parent: int) -> Callable[[], None]:
    """A function for a child to call before it becomes a program: it dies with its parent, even if that is killed."""
    libc = ctypes.CDLL(None)

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return tie


def _end(process: subprocess.Popen[bytes], *, polite: bool) -> None:
    """End the program's whole group, politely first if the program itself still runs."""
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
                self._pass_on(line)

    def end(self) -> None:
        self._pass_on(self.line)
        self.line = b""

    def _pass_on(self, line: bytes) -> None:
        if self.on_output and line.strip():
            self.on_output(line.decode("utf-8", "replace"))

    def text(self) -> str:
        return b"".join(self.pieces).decode("utf-8", "surrogateescape")


def _drain(process: subprocess.Popen[bytes], stdout: _Stream, stderr: _Stream, deadline: float) -> bool:
    """Read both outputs until the program ends; False if the deadline (monotonic) comes first.

    The program's end counts, not that of its outputs, which a daemon that it left behind may hold open.
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
    """Read once from each output that has something; False if nothing came within `wait` seconds."""
    ready = selector.select(max(0.0, wait))
    for key, _ in ready:
        piece = os.read(key.fd, 65536) if key.data else b""
        if piece:
            key.data.add(piece)
        else:
            selector.unregister(key.fileobj)
    return bool(ready)
