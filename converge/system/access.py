"""Looking around inside a root: things, files, folders and patterns."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import translate

from converge.system.descriptors import OPEN_FOLDER
from converge.system.root import READ_LIMIT, FileStat, Place, Root, content, read_all

_WILD = re.compile(r"[*?\[]")


class Looking(Root):
    """A root, to look at."""

    def stat(self, path: str, *, follow: bool = True) -> FileStat | None:
        """The attributes of the thing at a path; None if there is nothing."""
        with self._sight("examine", path, follow=follow) as place:
            return None if place.stat is None else FileStat.of(place.stat)

    def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes | None:
        """A regular file's bytes, None if it is absent; ProviderError for other kinds and above `limit` bytes."""
        with self._sight("read", path) as place:
            if place.stat is not None:
                with suppress(FileNotFoundError), content(place) as descriptor:
                    return read_all(descriptor, path, limit)
            return None

    def read_line(self, path: str) -> str:
        """The text of a file of one line, as those in /sys, without the blanks around it; empty if it is absent."""
        return (self.read(path) or b"").decode("utf-8", "replace").strip()

    def read_start(self, path: str, size: int) -> bytes | None:
        """The first bytes of a regular file, at most `size`; None if it is absent."""
        with self._sight("read", path) as place:
            if place.stat is not None:
                with suppress(FileNotFoundError), content(place) as descriptor:
                    return os.read(descriptor, size)
            return None

    def read_link(self, path: str) -> str | None:
        """The target of a symbolic link; None if there is no link."""
        with self._sight("read", path, follow=False) as place:
            if place.stat is None or not stat.S_ISLNK(place.stat.st_mode):
                return None
            return os.readlink(place.name, dir_fd=place.folder)

    def list_folder(self, path: str) -> tuple[str, ...]:
        """The names in a folder, sorted; none if it is absent."""
        with self._sight("list", path) as place:
            return () if place.stat is None else _names_in(place)

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The paths that match a shell pattern, sorted; `*` stays within a component and skips a leading dot."""
        names = [name for name in pattern.split("/") if name]
        found = [""]
        for name in names:
            if _WILD.search(name):
                found = [f"{folder}/{entry}" for folder in found for entry in self._matching(folder or "/", name)]
            else:
                found = [f"{folder}/{name}" for folder in found]
        if not names:
            return ("/",)
        is_listed = _WILD.search(names[-1])
        return tuple(sorted(path for path in found if is_listed or self.stat(path, follow=False)))

    def _matching(self, folder: str, name: str) -> Iterator[str]:
        with self._sight("list", folder) as place:
            entries = _names_in(place) if place.stat and stat.S_ISDIR(place.stat.st_mode) else ()
        matches = re.compile(translate(name)).match
        return (entry for entry in entries if matches(entry) and (name[0] == "." or entry[0] != "."))

    def is_default_folder(self, path: str) -> bool:
        """Whether ostree has a folder at a resolved path in /etc by default (in /usr/etc): nothing else may be there.

        Every change that would put something else there, or take the folder away, is a ProviderError.
        """
        default = self.stat(f"/usr{path}", follow=False) if f"{path}/".startswith("/etc/") else None
        return default is not None and default.kind == "directory"

    def unfinished(self, path: str) -> str:
        """The path of a thing while it is being made: a run that was killed may have left it there."""
        folder, _, name = self.resolve(path).rpartition("/")
        return f"{folder}/{temporary_name(name)}"


def _names_in(place: Place) -> tuple[str, ...]:
    descriptor = os.open(place.name, OPEN_FOLDER, dir_fd=place.folder)
    try:
        return tuple(sorted(os.listdir(descriptor)))
    finally:
        os.close(descriptor)


def temporary_name(name: str) -> str:
    """The name of a thing while it is being made: at most 255 bytes, as file names must be."""
    return f".{os.fsdecode(os.fsencode(name)[:200])}.converge-tmp"
