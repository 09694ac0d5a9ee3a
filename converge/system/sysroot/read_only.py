"""Changing things below a read-only /sysroot.

A booted ostree system may mount /sysroot read-only (`sysroot.readonly` in ostree.repo-config(5)), and /ostree leads
into it. As with ostree itself, a change is then made by a process with mounts of its own, among which /sysroot is
writable. Nobody else sees these, and they end with the process.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Concatenate, NoReturn, ParamSpec, TypeAlias, TypeVar

from converge.errors import ConvergeError, ProviderError
from converge.system.changing import Changing
from converge.system.root import Root
from converge.system.sysroot.base import BIND, BOOT, PRIVATE, RECURSIVE, REMOUNT, SYSROOT, leave, mount

P = ParamSpec("P")
S = TypeVar("S", bound=Changing)
Change: TypeAlias = Callable[Concatenate[S, str, P], None]


def reaching_sysroot(*, follow: bool = True) -> Callable[[Change[S, P]], Change[S, P]]:
    """Have a method that changes the thing at a path do so also if the path leads below a read-only /sysroot.

    `follow`: whether it follows a link that the path itself names.
    """

    def decorate(change: Change[S, P]) -> Change[S, P]:
        @wraps(change)
        def reach(system: S, path: str, /, *args: P.args, **kwargs: P.kwargs) -> None:
            if system.root == "/" and is_read_only(system, path, follow=follow):
                change_apart(system, lambda: change(system, path, *args, **kwargs))
            else:
                change(system, path, *args, **kwargs)

        return reach

    return decorate


def is_read_only(system: Root, path: str, *, follow: bool = True) -> bool:
    """Whether a path of the live root leads below /sysroot, and that is mounted read-only."""
    with suppress(ConvergeError, OSError):
        below = system.resolve(path, follow=follow).startswith(f"{SYSROOT}/")
        return below and bool(os.statvfs(SYSROOT).f_flag & os.ST_RDONLY)
    return False  # the change itself fails for the same reason


def change_apart(system: Changing, act: Callable[[], None]) -> None:
    """Let `act` change the live root from a process in which /sysroot is writable; its ProviderError is raised here.

    The process inherits the lock. So if this one is killed meanwhile, the next run waits for it.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _act_apart(system, act, writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        report = pipe.read()
    _, status = os.waitpid(child, 0)
    if report:
        message, hint = json.loads(report)
        raise ProviderError(message, hint=hint)
    if status:
        raise ProviderError(f"the process to change {SYSROOT} ended with code {os.waitstatus_to_exitcode(status)}")


def _act_apart(system: Changing, act: Callable[[], None], writing: int) -> NoReturn:
    """Act, report an error, and end without a trace of the process that this one was forked from."""
    code, report = 1, None
    try:
        _make_writable()
        Root.__init__(system, "/")  # the descriptor that it had is of /sysroot as it is mounted for others
        act()
        code = 0
    except ConvergeError as error:
        report = (error.message, error.hint)
    except BaseException as error:  # noqa: BLE001  (nothing may return from here into the other process's code)
        report = (f"{type(error).__name__}: {error}", "this is a bug of converge: report it")
    finally:
        with suppress(BaseException):
            if report:
                os.write(writing, json.dumps(report).encode())
        os._exit(code)


def _make_writable() -> None:
    """Give this process mounts of its own, cut /sysroot off from the others' and remount it; not its file system.

    The same for /boot, where boot loader entries are.
    """
    try:
        leave()
        for flags in (RECURSIVE | PRIVATE, REMOUNT | BIND):
            mount(None, SYSROOT, flags)
            with suppress(OSError):  # it may not be a mount
                mount(None, BOOT, flags)
    except OSError as error:
        raise ProviderError(
            f"{SYSROOT} is mounted read-only and cannot be made writable: {error.strerror}",
            hint="run converge as root, and in no container",
        ) from error
