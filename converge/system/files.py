"""Changing files and folders inside a root: atomically, durably, and never through a link swapped in on the way."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from attrs import frozen

from converge.errors import ProviderError, shown
from converge.system.access import temporary_name
from converge.system.changing import Changing
from converge.system.descriptors import make_folder_in, pinned, set_attributes, sync_folder
from converge.system.root import READ_LIMIT, Place, content, read_all
from converge.system.store import FOLDER, Store, address_of, path_of
from converge.system.sysroot.read_only import reaching_sysroot

NEW_FILE = 0o644
_TEMPORARY = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SIGNATURES_OF_CONTENT = frozenset(("security.ima", "security.evm"))


class Writing(Store, Changing):
    """Files, folders and links: made, changed and removed."""

    @reaching_sysroot()
    def write(
        self,
        path: str,
        data: bytes,
        *,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
        keep: bool = True,
    ) -> None:
        """Write a file atomically and durably; nothing happens if it has these bytes and attributes already.

        A link that the path names stays, and the file that it leads to is written. Missing folders are made. Owner,
        mode, extended attributes and ACLs of a file that is replaced are kept unless they are given, and its bytes go
        to the store unless `keep` is false (converge's own files).
        """
        wanted = _Attributes(mode, uid, gid)
        with self._new_place("write", path) as place:
            self._refuse_default_folder(place.path)
            if place.stat is None:
                _replace(place, data, None, wanted)
                return
            with content(place) as former:
                before = read_all(former, path, READ_LIMIT)
                if before == data and wanted.are_those_of(place.stat):
                    return
                if keep and before != data:
                    self.keep(before)
                _replace(place, data, former, wanted)

    def keep(self, data: bytes, address: str | None = None) -> str:
        """Put bytes into the store; `address` saves computing it again."""
        address = address or address_of(data)
        path = path_of(address)
        if path and self.kept(address) is None:
            for folder in (FOLDER, path.rpartition("/")[0]):
                self.make_folder(folder, mode=0o700)
            self.write(path, data, mode=0o600, keep=False)
        return address

    @reaching_sysroot()
    def append(self, path: str, data: bytes, *, sync: bool) -> None:
        """Add to the end of a file, made with mode 0600 if it is absent; `sync`: durable on return."""
        with self._new_place("write", path) as place:
            self._refuse_default_folder(place.path)
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

    @reaching_sysroot(follow=False)
    def remove(self, path: str, *, keep: bool = True) -> None:
        """Remove a file, or a link itself; its bytes go to the store. An absent one is fine; a folder is refused."""
        with self._place("remove", path, follow=False) as place:
            if place.stat is None:
                return
            if stat.S_ISDIR(place.stat.st_mode):
                raise ProviderError(f"{shown(path)} is a folder, which is never removed as a file")
            if keep and stat.S_ISREG(place.stat.st_mode):
                with content(place) as descriptor:
                    self.keep(read_all(descriptor, path, READ_LIMIT))
            with suppress(FileNotFoundError):
                os.unlink(place.name, dir_fd=place.folder)
            sync_folder(place.folder)

    @reaching_sysroot()
    def make_folder(self, path: str, *, mode: int = 0o755, uid: int | None = None, gid: int | None = None) -> None:
        """Make a folder and those above it, ours unless an owner is given; one that exists stays as it is.

        A new one has owner and mode at once.
        """
        with self._new_place("make", path) as place:
            if place.stat is None:
                _make_folder(place, _Attributes(mode, uid, gid))
            elif not stat.S_ISDIR(place.stat.st_mode):
                raise ProviderError(f"{shown(path)} exists and is not a folder")

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder. An absent one is fine."""
        with self._place("remove", path, follow=False) as place:
            if place.stat is not None:
                self._refuse_default_folder(place.path)
                os.rmdir(place.name, dir_fd=place.folder)
                sync_folder(place.folder)

    def make_link(self, path: str, target: str) -> None:
        """Make a symbolic link, and missing folders; one that leads elsewhere is replaced, anything else refused."""
        with self._new_place("make the link", path, follow=False) as place:
            self._refuse_default_folder(place.path)
            if place.stat is None:
                os.symlink(target, place.name, dir_fd=place.folder)
            elif not stat.S_ISLNK(place.stat.st_mode):
                raise ProviderError(f"{shown(path)} exists and is not a symbolic link")
            elif os.readlink(place.name, dir_fd=place.folder) != target:
                name = _free_temporary(place)
                os.symlink(target, name, dir_fd=place.folder)
                _put(name, place)
            sync_folder(place.folder)

    def sync_folder(self, path: str) -> None:
        """Have the names in a folder reach the disk, for other programs that wrote there. An absent one is fine."""
        with self._place("write", path) as place:
            if place.stat is not None:
                sync_folder(place.folder, place.name)

    @reaching_sysroot(follow=False)
    def set_owner(self, path: str, uid: int | None, gid: int | None) -> None:
        """Set owner and group of the thing itself, a link included; set-user-ID bits stay."""
        with self._place("change", path, follow=False) as place:
            _require(place, path)
            with pinned(place.folder, place.name) as descriptor:
                set_attributes(descriptor, uid=uid, gid=gid)

    @reaching_sysroot(follow=False)
    def set_mode(self, path: str, mode: int) -> None:
        """Set the mode of the thing itself; ProviderError for a link: `resolve` the path first to follow one."""
        with self._place("change", path, follow=False) as place:
            if stat.S_ISLNK(_require(place, path).st_mode):
                raise ProviderError(
                    f"{shown(path)} is a symbolic link, which has no mode", hint="name the file that it leads to"
                )
            with pinned(place.folder, place.name) as descriptor:
                set_attributes(descriptor, mode=mode)


def _require(place: Place, path: str) -> os.stat_result:
    if place.stat is None:
        raise ProviderError(f"{shown(path)} does not exist")
    return place.stat


@frozen
class _Attributes:
    """Owner and mode to set; None: those of the file that is replaced, or the defaults of a new one."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None

    def are_those_of(self, found: os.stat_result) -> bool:
        live = (found.st_mode & 0o7777, found.st_uid, found.st_gid)
        return all(want in (None, have) for want, have in zip((self.mode, self.uid, self.gid), live, strict=True))


def _replace(place: Place, data: bytes, former: int | None, wanted: _Attributes) -> None:
    with new_file(place) as (_, descriptor):
        _write_all(descriptor, data)
        _dress(descriptor, former, wanted)


@contextmanager
def new_file(place: Place) -> Iterator[tuple[str, int]]:
    """An empty file, by name and descriptor, which is put at a place at the end of the `with`, whole and durable.

    Its name until then follows from the place, so a killed run leaves at most one behind.
    """
    name = _free_temporary(place)
    descriptor = os.open(name, _TEMPORARY, 0o600, dir_fd=place.folder)
    try:
        yield name, descriptor
        os.fsync(descriptor)
        _put(name, place)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place.folder)
        raise
    finally:
        os.close(descriptor)
    sync_folder(place.folder)


def _free_temporary(place: Place) -> str:
    """The name of a thing that is made beside a place; one that a killed run has left there is removed."""
    name = temporary_name(place.name)
    try:
        os.unlink(name, dir_fd=place.folder)
    except IsADirectoryError:
        os.rmdir(name, dir_fd=place.folder)
    except FileNotFoundError:
        pass
    return name


def _put(name: str, place: Place) -> None:
    """Give a thing that was made beside a place the name there, and so replace the thing that has it."""
    os.rename(name, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _make_folder(place: Place, wanted: _Attributes) -> None:
    name = _free_temporary(place)
    descriptor = make_folder_in(place.folder, name, 0o700)
    try:
        _dress(descriptor, None, wanted)
        os.fsync(descriptor)
        _put(name, place)
    except BaseException:
        with suppress(OSError):
            os.rmdir(name, dir_fd=place.folder)
        raise
    finally:
        os.close(descriptor)
    sync_folder(place.folder)


def _dress(descriptor: int, former: int | None, wanted: _Attributes) -> None:
    """Give a new thing the attributes that are wanted, and otherwise those of the file that it replaces."""
    new = os.fstat(descriptor)
    before = new if former is None else os.fstat(former)
    uid = before.st_uid if wanted.uid is None else wanted.uid
    gid = before.st_gid if wanted.gid is None else wanted.gid
    if (uid, gid) != (new.st_uid, new.st_gid):
        os.fchown(descriptor, uid, gid)
    if former is not None:
        _copy_extended(former, descriptor)
    default = NEW_FILE if former is None else before.st_mode & 0o7777
    os.fchmod(descriptor, default if wanted.mode is None else wanted.mode)  # last: chown(2) drops set-user-ID bits


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
