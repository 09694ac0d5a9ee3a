"""Changing files and folders inside a root: atomically, durably, and never through a link swapped in on the way."""

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from attrs import frozen

from converge.errors import ProviderError, shown
from converge.system.root import (
    READ_LIMIT,
    Place,
    Root,
    content,
    make_folder_in,
    pinned,
    read_all,
    set_attributes,
    sync_folder,
)

NEW_FILE, NEW_FOLDER = 0o644, 0o755
_TEMPORARY = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LONG = struct.calcsize("l")
_GET_FLAGS, _SET_FLAGS, _NO_COPY_ON_WRITE = 0x80006601 | _LONG << 16, 0x40006602 | _LONG << 16, 0x00800000
"""Of ioctl_iflags(2); a request's number has the size of a long, and takes an int."""
_FIEMAP, _SHARED, _LAST, _SYNC = 0xC020660B, 0x2000, 0x1, 0x1
"""Of the kernel's filesystems/fiemap, in <linux/fiemap.h>."""
_MAP, _EXTENT, _EXTENTS = struct.Struct("=QQIIII"), struct.Struct("=QQQ16xI12x"), 64
_SIGNATURES_OF_CONTENT = frozenset(("security.ima", "security.evm"))

Keep = Callable[[bytes], object]


@frozen
class Attributes:
    """Owner and mode to set; None: as what is replaced has it, or as the defaults of a new file."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None

    def hold(self, found: os.stat_result) -> bool:
        """Whether a thing has them already."""
        live = (found.st_mode & 0o7777, found.st_uid, found.st_gid)
        return all(want in (None, have) for want, have in zip((self.mode, self.uid, self.gid), live, strict=True))


def write(
    root: Root, path: str, data: bytes, asked: Attributes, *, keep: Keep | None, folder_mode: int = NEW_FOLDER
) -> None:
    """Write a file atomically; nothing happens where it has these bytes and attributes already.

    A link that leads to a file stays, and what it leads to is written. Owner, mode, extended attributes and ACLs of
    what is replaced are kept unless asked otherwise; its bytes go to `keep`.
    """
    with root.place("write", path, make_parents=folder_mode) as place:
        root.refuse_default_folder(place.path)
        if place.stat is None:
            _replace(place, data, None, asked)
            return
        with content(place) as former:
            before = read_all(former, path, READ_LIMIT)
            if before == data and asked.hold(place.stat):
                return
            if keep and before != data:
                keep(before)
            _replace(place, data, former, asked)


def _replace(place: Place, data: bytes, former: int | None, asked: Attributes) -> None:
    with _temporary(place) as (name, descriptor):
        _write_all(descriptor, data)
        _dress(descriptor, former, asked)
        os.fsync(descriptor)
        os.rename(name, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    sync_folder(place.folder)


@contextmanager
def _temporary(place: Place) -> Iterator[tuple[str, int]]:
    """An empty file beside a place. Its name follows from the place, so a killed run leaves at most one behind."""
    name = _free_temporary(place)
    descriptor = os.open(name, _TEMPORARY, 0o600, dir_fd=place.folder)
    try:
        yield name, descriptor
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place.folder)
        raise
    finally:
        os.close(descriptor)


def _free_temporary(place: Place) -> str:
    """The name of what is made beside a place; what a killed run has left there is removed."""
    name = temporary_name(place.name)
    try:
        os.unlink(name, dir_fd=place.folder)
    except IsADirectoryError:
        os.rmdir(name, dir_fd=place.folder)
    except FileNotFoundError:
        pass
    return name


def temporary_name(name: str) -> str:
    """At most 255 bytes, as file names must be."""
    return f".{os.fsdecode(os.fsencode(name)[:200])}.converge-tmp"


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _dress(descriptor: int, former: int | None, asked: Attributes) -> None:
    """Give a new file the attributes asked for, and otherwise those of the file it replaces."""
    if former is None:
        _set_owner(descriptor, asked.uid, asked.gid)
        os.fchmod(descriptor, NEW_FILE if asked.mode is None else asked.mode)
        return
    before = os.fstat(former)
    _set_owner(
        descriptor,
        before.st_uid if asked.uid is None else asked.uid,
        before.st_gid if asked.gid is None else asked.gid,
    )
    _copy_extended(former, descriptor)
    os.fchmod(descriptor, before.st_mode & 0o7777 if asked.mode is None else asked.mode)


def _set_owner(descriptor: int, uid: int | None, gid: int | None) -> None:
    found = os.fstat(descriptor)
    wanted = (found.st_uid if uid is None else uid, found.st_gid if gid is None else gid)
    if wanted != (found.st_uid, found.st_gid):
        os.fchown(descriptor, *wanted)


def _copy_extended(source: int, target: int) -> None:
    """Copy extended attributes, in which ACLs are kept too (xattr(7)); signatures of the former bytes stay behind."""
    try:
        names = os.listxattr(source)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return
        raise
    for name in names:
        if name not in _SIGNATURES_OF_CONTENT:
            os.setxattr(target, name, os.getxattr(source, name))


def append(root: Root, path: str, data: bytes, *, sync: bool) -> None:
    """Add to the end of a file, made with mode 0600 where it is absent; `sync`: durable on return."""
    with root.place("write", path, make_parents=NEW_FOLDER) as place:
        root.refuse_default_folder(place.path)
        new = os.O_CREAT | os.O_EXCL if place.stat is None else 0
        descriptor = os.open(place.name, _APPEND | new, 0o600, dir_fd=place.folder)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ProviderError(f"{shown(path)} is not a regular file")
            _write_all(descriptor, data)
            if sync:
                os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            sync_folder(place.folder)


def remove(root: Root, path: str, *, keep: Keep | None) -> None:
    """Remove a file, or a link itself; its bytes go to `keep`. What is absent is fine."""
    with root.place("remove", path, follow=False) as place:
        if place.stat is None:
            return
        if stat.S_ISDIR(place.stat.st_mode):
            raise ProviderError(f"{shown(path)} is a folder, which is never removed as a file")
        if keep and stat.S_ISREG(place.stat.st_mode):
            with content(place) as descriptor:
                keep(read_all(descriptor, path, READ_LIMIT))
        with suppress(FileNotFoundError):
            os.unlink(place.name, dir_fd=place.folder)
        sync_folder(place.folder)


def allocate(root: Root, path: str, size: int, *, no_copy_on_write: bool, fill: Callable[[str], object]) -> None:
    """Make a file that only root can read and that has all its blocks, where there is nothing yet.

    `fill` is given its path while it has another name. `no_copy_on_write`: the file system is told to write in place,
    which can be done to an empty file only (chattr(1), attribute C).
    """
    with root.place("make", path, make_parents=NEW_FOLDER) as place:
        root.refuse_default_folder(place.path)
        if place.stat is not None:
            raise ProviderError(f"{shown(path)} is there already")
        with _temporary(place) as (name, descriptor):
            if no_copy_on_write:
                _write_in_place(descriptor)
            os.posix_fallocate(descriptor, 0, size)
            fill(f"{place.path.rpartition('/')[0]}/{name}")
            os.fsync(descriptor)
            os.rename(name, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
        sync_folder(place.folder)


def _write_in_place(descriptor: int) -> None:
    fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("i", _flags(descriptor) | _NO_COPY_ON_WRITE))


def _flags(descriptor: int) -> int:
    flags: int = struct.unpack("i", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(4)))[0]
    return flags


def is_written_in_place(root: Root, path: str, *, by_flag: bool) -> bool:
    """Whether what is written to a file goes to the blocks that it has: it shares none with a copy or a snapshot.

    `by_flag`: on a file system where it has to be marked for that.
    """
    with root.place("examine", path) as place, content(place) as descriptor:
        marked = not by_flag or bool(_flags(descriptor) & _NO_COPY_ON_WRITE)
        return marked and not any(flags & _SHARED for flags in _extents(descriptor))


def _extents(descriptor: int) -> Iterator[int]:
    """The flags of each extent of a file."""
    start, flags = 0, 0
    while not flags & _LAST:
        found = bytearray(
            _MAP.pack(start, (1 << 64) - 1 - start, _SYNC, 0, _EXTENTS, 0) + bytes(_EXTENT.size * _EXTENTS)
        )
        fcntl.ioctl(descriptor, _FIEMAP, found)
        count = _MAP.unpack_from(found)[3]
        if not count:
            return
        for number in range(count):
            logical, _, length, flags = _EXTENT.unpack_from(found, _MAP.size + number * _EXTENT.size)
            start = logical + length
            yield flags


def remove_folder(root: Root, path: str) -> None:
    """Remove an empty folder. What is absent is fine."""
    with root.place("remove", path, follow=False) as place:
        if place.stat is not None:
            root.refuse_default_folder(place.path)
            os.rmdir(place.name, dir_fd=place.folder)
            sync_folder(place.folder)


def make_folder(root: Root, path: str, mode: int, uid: int | None, gid: int | None) -> None:
    """Make a folder and those above it; one that is there stays as it is. A new one has owner and mode at once."""
    with root.place("make", path, make_parents=NEW_FOLDER) as place:
        if place.stat is None:
            _make_folder(place, Attributes(mode, uid, gid))
        elif not stat.S_ISDIR(place.stat.st_mode):
            raise ProviderError(f"{shown(path)} is there and is not a folder")


def _make_folder(place: Place, asked: Attributes) -> None:
    name = _free_temporary(place)
    descriptor = make_folder_in(place.folder, name, 0o700)
    try:
        _dress(descriptor, None, asked)
        os.fsync(descriptor)
        os.rename(name, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    except BaseException:
        with suppress(OSError):
            os.rmdir(name, dir_fd=place.folder)
        raise
    finally:
        os.close(descriptor)
    sync_folder(place.folder)


def make_link(root: Root, path: str, target: str) -> None:
    """Make a symbolic link, and the folders above it; one that leads elsewhere is replaced, anything else stays."""
    with root.place("make the link", path, follow=False, make_parents=NEW_FOLDER) as place:
        root.refuse_default_folder(place.path)
        if place.stat is None:
            os.symlink(target, place.name, dir_fd=place.folder)
        elif not stat.S_ISLNK(place.stat.st_mode):
            raise ProviderError(f"{shown(path)} is there and is no symbolic link")
        elif os.readlink(place.name, dir_fd=place.folder) != target:
            name = _free_temporary(place)
            os.symlink(target, name, dir_fd=place.folder)
            os.rename(name, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
        sync_folder(place.folder)


def sync(root: Root, path: str) -> None:
    """Have the names in a folder reach the disk. What is absent is fine."""
    with root.place("write", path) as place:
        if place.stat is not None:
            sync_folder(place.folder, place.name)


def set_on(root: Root, path: str, asked: Attributes) -> None:
    """Set owner and mode of a thing, without following a link that the path itself names."""
    with root.place("change", path, follow=False) as place:
        if place.stat is None:
            raise ProviderError(f"{shown(path)} is not there")
        if stat.S_ISLNK(place.stat.st_mode) and asked.mode is not None:
            raise ProviderError(f"{shown(path)} is a symbolic link, which has no mode", hint="name what it leads to")
        with pinned(place.folder, place.name) as descriptor:
            set_attributes(descriptor, mode=asked.mode, uid=asked.uid, gid=asked.gid)
