"""Moving things by rename(2), and deleting them for good: by descriptors, following no link and crossing no mount."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from attrs import define, field, frozen

from converge.errors import ProviderError, shown
from converge.system.changing import Changing
from converge.system.descriptors import OPEN_FOLDER, mounts_within, sync_folder
from converge.system.root import OtherFileSystem, Place

_RENAME_NOREPLACE = 1  # <linux/fs.h>


@frozen
class _Folder:
    """A folder that is held, its resolved path, and the names that were in it when it was opened."""

    descriptor: int
    path: str
    names: list[str]


class Moving(Changing):
    """Moving and deleting whole things."""

    def move(self, source: str, target: str) -> None:
        """Move a thing of any kind but a link, and make missing folders; nothing at `target` is replaced.

        It is at one of the two places at any time. OtherFileSystem if that cannot be.
        """
        with self._place("move", source, follow=False) as old:
            found = _require_movable(old, source)
            if stat.S_ISLNK(found.st_mode):
                raise ProviderError(f"{shown(source)} is a symbolic link, which is never moved")
            self._refuse_departure(old.path)
            with self._new_place("move to", target, follow=False) as new:
                self._refuse_arrival(old.path, new.path)
                _rename(old.folder, old.name, new.folder, new.name, target)
                if not os.path.samestat(os.stat(new.name, dir_fd=new.folder, follow_symlinks=False), found):
                    _rename(new.folder, new.name, old.folder, old.name, source)
                    raise ProviderError(f"something else took the place of {shown(source)} meanwhile")
                sync_folder(new.folder)
            sync_folder(old.folder)

    def move_contents(self, source: str, target: str, *, replace: bool = False) -> None:
        """Move everything in a folder into another existing one; a link is not a folder.

        If something cannot be moved, all stays. `replace`: things with the same names in `target` are deleted for good
        first; otherwise they are a ProviderError.
        """
        with self._opened("empty", source) as old, self._opened("fill", target) as new:
            for name in old.names:
                self._refuse_departure(f"{old.path}/{name}")
                self._refuse_arrival(f"{old.path}/{name}", f"{new.path}/{name}")
            moved: list[str] = []
            try:
                for name in old.names:
                    if replace and name in new.names:
                        _delete(new.descriptor, name)
                    _rename(old.descriptor, name, new.descriptor, name, f"{target}/{name}")
                    moved.append(name)
            except BaseException:
                with suppress(OSError, ProviderError):
                    for name in moved:
                        _rename(new.descriptor, name, old.descriptor, name, f"{source}/{name}")
                raise
            sync_folder(new.descriptor)
            sync_folder(old.descriptor)

    def delete(self, path: str) -> None:
        """Delete a thing of any kind for good, with all that it holds; no link is followed. An absent one is fine.

        If something is mounted in it, that is a ProviderError before anything is deleted.
        """
        with self._place("delete", path, follow=False) as place:
            if place.stat is not None:
                _require_movable(place, path)
                self._refuse_departure(place.path)
                _delete(place.folder, place.name)
                sync_folder(place.folder)

    def delete_contents(self, path: str) -> None:
        """Delete everything in a folder for good, in the same way; a link is not a folder."""
        with self._opened("empty", path) as folder:
            for name in folder.names:
                self._refuse_departure(f"{folder.path}/{name}")
            for name in folder.names:
                _delete(folder.descriptor, name)
            sync_folder(folder.descriptor)

    @contextmanager
    def _opened(self, doing: str, path: str) -> Iterator[_Folder]:
        with self._place(doing, path, follow=False) as place:
            if place.stat is None:
                raise ProviderError(f"{shown(path)} does not exist")
            descriptor = os.open(place.name, OPEN_FOLDER, dir_fd=place.folder)
            try:
                _refuse_mounts([point for point in mounts_within(descriptor) if point], path)
                yield _Folder(descriptor, place.path.rstrip("/"), sorted(os.listdir(descriptor)))
            finally:
                os.close(descriptor)

    def _refuse_departure(self, path: str) -> None:
        """Refuse to take away a folder that /usr/etc has as well."""
        if self.is_default_folder(path):
            found = self.stat(path, follow=False)
            if found is not None and found.kind == "directory":
                self._refuse_default_folder(path)

    def _refuse_arrival(self, source: str, target: str) -> None:
        """Refuse to put anything but a folder where /usr/etc has one, at any depth."""
        found = self.stat(source, follow=False)
        if found is None or not self.is_default_folder(target):
            return
        if found.kind != "directory":
            self._refuse_default_folder(target)
        with self._opened("examine", f"/usr{target}") as default:
            names = default.names
        for name in names:
            self._refuse_arrival(f"{source}/{name}", f"{target}/{name}")


def _require_movable(place: Place, path: str) -> os.stat_result:
    """ProviderError for a thing that cannot leave its place: absent, the root itself, a mount point, or around one."""
    if place.stat is None:
        raise ProviderError(f"{shown(path)} does not exist")
    if place.name == ".":
        raise ProviderError(f"{shown(path)} has to stay")
    _refuse_mounts(mounts_within(place.folder, place.name), path)
    return place.stat


def _refuse_mounts(points: Sequence[str], path: str) -> None:
    if points:
        point = f"{path}/{points[0]}" if points[0] else path
        raise ProviderError(f"something is mounted at {shown(point)}", hint="unmount it first")


def _rename(old: int, old_name: str, new: int, new_name: str, target: str) -> None:
    """Rename, never over an existing thing; OtherFileSystem if only copying would do."""
    try:
        _rename_to_free(old, old_name, new, new_name)
    except FileExistsError as error:
        raise ProviderError(f"{shown(target)} already exists") from error
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise OtherFileSystem(f"{shown(target)} would be on another file system") from error
        raise


def _rename_to_free(old: int, old_name: str, new: int, new_name: str) -> None:
    """renameat2(2), which Python does not have; on a file system without it, looking comes first."""
    import ctypes  # few runs move anything, and it is slow to import

    libc = ctypes.CDLL(None, use_errno=True)
    if not libc.renameat2(old, os.fsencode(old_name), new, os.fsencode(new_name), _RENAME_NOREPLACE):
        return
    number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(number, os.strerror(number))
    with suppress(FileNotFoundError):
        os.stat(new_name, dir_fd=new, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(old_name, new_name, src_dir_fd=old, dst_dir_fd=new)


def _delete(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        descent = _Descent(os.open(name, OPEN_FOLDER, dir_fd=folder))
        try:
            descent.clear()
        finally:
            os.close(descent.folder)
        os.rmdir(name, dir_fd=folder)


@define
class _Descent:
    """The deletion of all that a folder holds. One descriptor at a time is open, so that no depth is too deep.

    Each folder is listed once: if it is filled meanwhile, it is not empty in the end, which is an error, not a loop.
    """

    folder: int
    way: list[tuple[str, os.stat_result]] = field(factory=list)
    """The names that led here from the top, each with the folder that it is in."""
    left: list[list[str]] = field(factory=list)
    """The names still to be deleted in each folder on the way, and in this one last."""

    def clear(self) -> None:
        self.left.append(os.listdir(self.folder))
        while self.left[-1] or self.way:
            if not self.left[-1]:
                self._leave()
                continue
            name = self.left[-1].pop()
            try:
                os.unlink(name, dir_fd=self.folder)
            except FileNotFoundError:
                continue
            except IsADirectoryError:
                self._enter(name)

    def _enter(self, name: str) -> None:
        above = os.fstat(self.folder)
        self._go(name)
        self.way.append((name, above))
        if os.fstat(self.folder).st_dev != above.st_dev:
            raise OSError(errno.EXDEV, f"something is mounted at {shown(name)} in it")
        self.left.append(os.listdir(self.folder))

    def _leave(self) -> None:
        name, above = self.way.pop()
        self.left.pop()
        self._go("..")
        if not os.path.samestat(os.fstat(self.folder), above):
            raise OSError(errno.ESTALE, f"{shown(name)} in it was moved meanwhile")
        os.rmdir(name, dir_fd=self.folder)

    def _go(self, name: str) -> None:
        descriptor = os.open(name, OPEN_FOLDER, dir_fd=self.folder)
        os.close(self.folder)
        self.folder = descriptor
