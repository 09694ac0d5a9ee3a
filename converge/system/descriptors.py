"""Acting through descriptors, which no link swapped in on the way can redirect."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from converge.formats.fstab import unescaped

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def make_folder_in(folder: int, name: str, mode: int) -> int:
    """Make a folder, durably, and return a descriptor of it.

    It has its mode from the start: a run after one that was killed here takes it as it is.
    """
    umask = os.umask(0)
    try:
        os.mkdir(name, mode, dir_fd=folder)
    finally:
        os.umask(umask)
    descriptor = os.open(name, OPEN_FOLDER, dir_fd=folder)
    os.fchmod(descriptor, mode)
    sync_folder(folder)
    return descriptor


def sync_folder(folder: int, name: str = ".") -> None:
    descriptor = os.open(name, OPEN_FOLDER, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def pinned(folder: int, name: str) -> Iterator[int]:
    """A descriptor of a thing of any kind, links included, without opening it."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def set_attributes(descriptor: int, *, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
    """Set owner and mode of a pinned thing; None leaves one as it is, set-user-ID bits included."""
    before, path = os.fstat(descriptor), _path_of(descriptor)
    kept = before.st_mode & 0o7777
    if (uid, gid) != (None, None):
        os.chown(path, -1 if uid is None else uid, -1 if gid is None else gid)
        # chown(2) drops set-user-ID and set-group-ID bits of files.
        mode = kept if mode is None and kept & 0o6000 and stat.S_ISREG(before.st_mode) else mode
    if mode is not None:
        os.chmod(path, mode)


def mounts_within(folder: int, name: str = ".") -> tuple[str, ...]:
    """The mount points at a thing (the empty text) and below it, relative to it; proc_pid_mountinfo(5).

    Only this table distinguishes two mounts of one file system: all their numbers are the same.
    """
    above = os.path.join(os.readlink(_path_of(folder)), "" if name == "." else f"{name}/")
    with open("/proc/self/mountinfo", "rb") as lines:
        points = [os.path.join(os.fsdecode(unescaped(line.split()[4])), "") for line in lines]
    return tuple(point.removeprefix(above).rstrip("/") for point in points if point.startswith(above))


def _path_of(descriptor: int) -> str:
    """A path that leads to exactly the thing that a descriptor is of: fchmod(2) and fchown(2) refuse O_PATH ones."""
    return f"/proc/self/fd/{descriptor}"
