"""One run at a time for each root, and one program at a time for the account files of the live one."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from converge.errors import Later, Locked
from converge.system.root import Root

LOCK = "/run/converge.lock"
ACCOUNTS = "/etc/.pwd.lock"
PATIENCE = 15.0
"""Seconds that lckpwdf(3) waits for the lock of the account files."""
_PAUSE = 0.1  # seconds


@contextmanager
def lock(root: Root) -> Iterator[None]:
    """Hold the root's lock; Locked where another run holds it. It ends with the last process that has it open."""
    with root.place("lock", LOCK, follow=False, make_parents=0o755) as place:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(place.name, flags, 0o600, dir_fd=place.folder)
    try:
        _take(descriptor)
        root.lock = descriptor
        yield
    finally:
        root.lock = None
        os.close(descriptor)


def _take(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Locked("another run holds the lock", hint="wait until it has ended, then try again") from error


@contextmanager
def lock_accounts(root: Root) -> Iterator[None]:
    """Hold the lock of lckpwdf(3), as all that change accounts do; none under a foreign root, where we work alone."""
    if not root.live:
        yield
        return
    with root.place("lock", ACCOUNTS, follow=False) as place:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(place.name, flags, 0o600, dir_fd=place.folder)
    try:
        _wait_for(descriptor, time.monotonic() + PATIENCE)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, deadline: float) -> None:
    """Take a lock of the kind that lckpwdf(3) takes. `deadline` is monotonic."""
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            if time.monotonic() >= deadline:
                raise Later(f"another program is changing accounts: it holds {ACCOUNTS}", "idle") from error
            time.sleep(_PAUSE)
        else:
            return
