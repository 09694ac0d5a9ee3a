"""Changing what lies below a read-only /sysroot.

A booted ostree system may mount /sysroot read-only (`sysroot.readonly` in ostree.repo-config(5)), and /ostree leads
into it. As with ostree itself, a change is then made by a process with mounts of its own, among which /sysroot is
writable. Nobody else sees these, and they end with the process.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from converge.errors import ConvergeError, ProviderError
from converge.system.root import Root
from converge.system.sysroot.base import BIND, BOOT, PRIVATE, RECURSIVE, REMOUNT, SYSROOT, leave, mount


def is_read_only(root: Root, path: str, *, follow: bool = True) -> bool:
    """Whether a path of the live root leads below /sysroot, and that is mounted read-only."""
    if not root.live:
        return False
    with suppress(ConvergeError), root.place("examine", path, follow=follow) as place:
        return place.path.startswith(f"{SYSROOT}/") and bool(os.statvfs(SYSROOT).f_flag & os.ST_RDONLY)
    return False  # whoever acts on the path says what is wrong with it


def change(act: Callable[[Root], None]) -> None:
    """Let `act` change the live root by a way on which /sysroot is writable; its ProviderError is raised here.

    The process that does it inherits the lock. So where this one is killed meanwhile, the next run waits for it.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _act_apart(act, writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if told:
        message, hint = json.loads(told)
        raise ProviderError(message, hint=hint)
    if status:
        raise ProviderError(f"what was to change {SYSROOT} ended with code {os.waitstatus_to_exitcode(status)}")


def _act_apart(act: Callable[[Root], None], writing: int) -> NoReturn:
    """Act, tell what went wrong, and end without a trace of the process that this one was forked from."""
    code = 1
    try:
        _make_writable()
        act(Root("/"))
        code = 0
    except ConvergeError as error:
        _tell(writing, error.message, error.hint)
    except BaseException as error:  # noqa: BLE001  (nothing may return from here into the other process's code)
        _tell(writing, f"{type(error).__name__}: {error}", "this is a bug of converge: report it")
    finally:
        os._exit(code)


def _tell(writing: int, message: str, hint: str | None) -> None:
    os.write(writing, json.dumps([message, hint]).encode())


def _make_writable() -> None:
    """Give this process mounts of its own, cut /sysroot off from the others' and remount it; not its file system.

    So it is with /boot, where boot loader entries are.
    """
    try:
        leave()
        for flags in (RECURSIVE | PRIVATE, REMOUNT | BIND):
            mount(None, SYSROOT, flags)
            with suppress(OSError):  # it may be no mount
                mount(None, BOOT, flags)
    except OSError as error:
        raise ProviderError(
            f"{SYSROOT} is mounted read-only and cannot be made writable: {error.strerror}",
            hint="run converge as root, and in no container",
        ) from error
