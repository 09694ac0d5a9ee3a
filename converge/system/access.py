"""Looking around inside a root: folders, patterns, and who could have written what is there."""

import os
import re
import stat
from collections.abc import Iterator
from fnmatch import translate

from converge.errors import ProviderError, shown
from converge.system.root import Root

_WILD = re.compile(r"[*?\[]")


def list_folder(root: Root, path: str) -> tuple[str, ...]:
    with root.place("list", path) as place:
        if place.stat is None:
            return ()
        descriptor = os.open(
            place.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.folder
        )
        try:
            return tuple(sorted(os.listdir(descriptor)))
        finally:
            os.close(descriptor)


def read_link(root: Root, path: str) -> str | None:
    """What a symbolic link says, None where there is none."""
    with root.place("read", path, follow=False) as place:
        if place.stat is None or not stat.S_ISLNK(place.stat.st_mode):
            return None
        return os.readlink(place.name, dir_fd=place.folder)


def glob(root: Root, pattern: str) -> tuple[str, ...]:
    """What matches a shell pattern, sorted. A wildcard matches within one component, and no leading dot."""
    names = [name for name in pattern.split("/") if name]
    return tuple(sorted(_matching(root, "", names)))


def _matching(root: Root, folder: str, names: list[str]) -> Iterator[str]:
    if not names:
        yield folder or "/"
        return
    first, rest = names[0], names[1:]
    for name in _candidates(root, folder, first):
        yield from _matching(root, f"{folder}/{name}", rest)


def _candidates(root: Root, folder: str, name: str) -> Iterator[str]:
    if not _WILD.search(name):
        if root.stat(f"{folder}/{name}", follow=False):
            yield name
        return
    matches = re.compile(translate(name)).match
    for entry in _names_in(root, folder or "/"):
        if matches(entry) and (name.startswith(".") or not entry.startswith(".")):
            yield entry


def _names_in(root: Root, path: str) -> tuple[str, ...]:
    found = root.stat(path, follow=True)
    return list_folder(root, path) if found and found.kind == "directory" else ()


def require_trusted(root: Root, path: str) -> None:
    """Refuse a path that somebody other than root could have written, or led elsewhere, at any component.

    A sticky folder such as /tmp passes: only its owner can replace a thing there. An absent path passes. For another
    user than root there is nothing to guard, since the run can do no more than that user could.
    """
    if os.geteuid() == 0:
        with root.place("examine", path, visit=_require_owned_by_root):
            return


def _require_owned_by_root(found: os.stat_result, path: str) -> None:
    if found.st_uid != 0:
        raise ProviderError(
            f"{shown(path)} belongs to user {found.st_uid}, not to root", hint=f"chown root {shown(path)}"
        )
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & 0o022 and not (sticky or stat.S_ISLNK(found.st_mode)):
        raise ProviderError(f"others than root can write {shown(path)}", hint=f"chmod go-w {shown(path)}")
