"""One run at a time for each root."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from converge.errors import Locked
from converge.system.base import Root

LOCK = "/run/converge.lock"


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
