"""Walking a tree by descriptors: no link followed, one file system, and no path built for a thing that is in order."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fnmatch import translate

from attrs import field, frozen

from converge.errors import ProviderError, shown
from converge.system.access import Looking
from converge.system.changing import Changing
from converge.system.descriptors import OPEN_FOLDER, mounts_within, pinned, set_attributes
from converge.system.root import Kind, kind_of, problem

Excluded = Callable[[str], object]


class Found:
    """One thing in a tree, good until the walk goes on.

    `stat` is the result of lstat(2); `folder` (a descriptor) and `name` lead to the thing. A plain class with slots,
    since a million of them may be made.
    """

    __slots__ = ("above", "folder", "name", "stat")

    def __init__(self, folder: int, name: str, above: str | None, found: os.stat_result) -> None:
        self.folder = folder
        self.name = name
        self.above = above
        self.stat = found

    @property
    def path(self) -> str:
        """Relative to the top of the tree, which is itself the empty text."""
        return "" if self.above is None else self.above + self.name

    @property
    def kind(self) -> Kind:
        return kind_of(self.stat.st_mode)


@frozen
class _Level:
    """A folder being walked: its descriptor, its path with a slash at the end, and the folders in it still to enter."""

    descriptor: int
    above: str
    folders: list[Found] = field(factory=list)


class Walking(Looking):
    def walk(self, path: str, *, max_depth: int | None = None, excludes: Sequence[str] = ()) -> Iterator[Found]:
        """The thing at `path` (its links followed) and, if it is a folder, all below, folders first.

        No link below is followed. Mounts below the top are left out, and so are things that vanish meanwhile. Each
        thing is good until the walk goes on.

        `max_depth` 0 is the top alone. `excludes` are shell patterns over paths relative to the top; a folder that
        matches is left out with all it holds.
        """
        with self._place("walk", path) as place:
            if place.stat is None:
                return
            top = Found(place.folder, place.name, None, place.stat)
            yield top
            if not stat.S_ISDIR(top.stat.st_mode) or max_depth == 0:
                return
            descriptor = _enter(top)
            if descriptor is not None:
                # Mounts of the same file system have its device number: only the table of mounts shows them.
                patterns = [translate(pattern.strip("/")) for pattern in excludes]
                patterns += [re.escape(point) + r"\Z" for point in mounts_within(descriptor) if point]
                excluded = re.compile("|".join(patterns)).match if patterns else None
                yield from _below(_Level(descriptor, ""), top.stat.st_dev, max_depth, excluded)


def _below(top: _Level, device: int, max_depth: int | None, excluded: Excluded | None) -> Iterator[Found]:
    stack = [top]
    try:
        yield from _entries(top, device, excluded)
        while stack:
            level = stack[-1]
            if not level.folders or len(stack) == max_depth:
                os.close(stack.pop().descriptor)
                continue
            folder = level.folders.pop()
            descriptor = _enter(folder)
            if descriptor is not None:
                stack.append(_Level(descriptor, f"{folder.path}/"))
                yield from _entries(stack[-1], device, excluded)
    finally:
        for level in stack:
            os.close(level.descriptor)


def _entries(level: _Level, device: int, excluded: Excluded | None) -> Iterator[Found]:
    with os.scandir(level.descriptor) as entries:
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if found.st_dev != device or (excluded and excluded(level.above + entry.name)):
                continue
            thing = Found(level.descriptor, entry.name, level.above, found)
            yield thing
            if stat.S_ISDIR(found.st_mode):
                level.folders.append(thing)


def _enter(folder: Found) -> int | None:
    """A descriptor of the very folder that was found; None if something else has taken its place."""
    try:
        descriptor = os.open(folder.name, OPEN_FOLDER, dir_fd=folder.folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if os.path.samestat(os.fstat(descriptor), folder.stat):
        return descriptor
    os.close(descriptor)
    return None


class Fixing(Changing):
    def fix(self, found: Found, *, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> bool:
        """Set owner and mode of a thing that `walk` has just found, a link's owner included; set-user-ID bits stay.

        False, and nothing done, if something else has taken its place.
        """
        try:
            with suppress(FileNotFoundError), pinned(found.folder, found.name) as descriptor:
                if not _is_same(os.fstat(descriptor), found.stat):
                    return False
                if mode is not None and stat.S_ISLNK(found.stat.st_mode):
                    raise ProviderError(f"{shown(found.path)} is a symbolic link, which has no mode")
                set_attributes(descriptor, mode=mode, uid=uid, gid=gid)
                return True
        except OSError as error:
            raise problem("change", found.path or ".", error) from error
        return False


def _is_same(now: os.stat_result, then: os.stat_result) -> bool:
    """The same inode, of the same kind since numbers are used again, and with no hard link more.

    Somebody may have made such a link to have another's file changed.
    """
    if not os.path.samestat(now, then) or stat.S_IFMT(now.st_mode) != stat.S_IFMT(then.st_mode):
        return False
    return stat.S_ISDIR(now.st_mode) or now.st_nlink == then.st_nlink
