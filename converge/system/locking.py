"""One run at a time for each root, and one program at a time for the account files of the live one."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from converge.errors import Later, Locked
from converge.system.changing import Changing

LOCK = "/run/converge.lock"
ACCOUNTS = "/etc/.pwd.lock"
PATIENCE = 15.0
"""Seconds that lckpwdf(3) waits for the lock of the account files."""
_PAUSE = 0.1  # seconds
_OPEN = os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def lock(system: Changing) -> Iterator[None]:
    """Hold the root's lock for the time of a `with`; Locked if another run holds it.

    It ends with the last process that has it open.
    """
    with system._new_place("lock", LOCK, follow=False) as place:  # noqa: SLF001  (the same door)
        descriptor = os.open(place.name, os.O_RDWR | _OPEN, 0o600, dir_fd=place.folder)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Locked("another run holds the lock", hint="wait until it has ended, then try again") from error
        system._lock = descriptor  # noqa: SLF001
        yield
    finally:
        system._lock = None  # noqa: SLF001
        os.close(descriptor)


class LockingAccounts(Changing):
    @contextmanager
    def lock_accounts(self) -> Iterator[None]:
        """On the live root, keep useradd(8), passwd(1) and the like off the account files for the time of a `with`.

        Later if one of them is at work for longer than lckpwdf(3) would wait. Under a foreign root converge is alone.
        """
        if self.root != "/":
            yield
            return
        with self._place("lock", ACCOUNTS, follow=False) as place:
            descriptor = os.open(place.name, os.O_WRONLY | _OPEN, 0o600, dir_fd=place.folder)
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
