"""Values that the modules behind the door share, and how a path resolves inside a root."""

import errno
import os
import stat
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from attrs import define, field, frozen

from converge.errors import ConvergeError, ProviderError, shown
from converge.system.descriptors import make_folder_in

MIB = 1024 * 1024
READ_LIMIT = 16 * MIB
LINKS_FOLLOWED = 40
"""As many as the kernel follows (path_resolution(7))."""

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CONTENT = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_HINTS = {
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOSPC: "make room on the file system",
    errno.ELOOP: "the symbolic links on the way go round in a circle",
    errno.ENOTDIR: "a component of the path is a file, not a folder",
}


Kind: TypeAlias = Literal["file", "directory", "symlink", "other"]
Visit: TypeAlias = Callable[[os.stat_result, str], None]


class CommandTimeout(ProviderError):
    """A command took longer than its time limit and was killed."""


class OtherFileSystem(ProviderError):
    """Two places are on different file systems, so that nothing can be moved from one to the other at once."""


class CommandMissing(ProviderError):
    """The program that was to be run is not installed."""


@frozen
class FileStat:
    """A result of stat(2); `mode` holds the permission bits (07777), `size` is in bytes, `links` counts hard links."""

    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    allocated: int
    """How many bytes of it take room on the disk: fewer than `size` if it has holes."""
    links: int
    device: int
    inode: int
    changed: int
    """The time of the last change of any kind, in nanoseconds: numbers of inodes are used again."""

    @classmethod
    def of(cls, found: os.stat_result) -> "FileStat":
        return cls(
            kind_of(found.st_mode),
            found.st_mode & 0o7777,
            found.st_uid,
            found.st_gid,
            found.st_size,
            found.st_blocks * 512,
            found.st_nlink,
            found.st_dev,
            found.st_ino,
            found.st_ctime_ns,
        )


@frozen
class CommandResult:
    """How a command ended; the texts are cut at the output limit."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.returncode == 0

    def require(self) -> "CommandResult":
        """The result itself; if the command failed, ProviderError with the last line of its output."""
        if self.ok:
            return self
        output = (self.stderr.strip() or self.stdout.strip() or "it printed nothing").splitlines()[-1]
        raise ProviderError(f"'{shown(' '.join(self.argv))}' failed with code {self.returncode}: {shown(output)}")


def kind_of(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "symlink" if stat.S_ISLNK(mode) else "other"


def problem(doing: str, path: str, error: OSError) -> ProviderError:
    hint = _HINTS.get(error.errno or 0)
    if error.errno in (errno.EACCES, errno.EPERM) and os.geteuid() != 0:
        hint = "run converge as root"
    return ProviderError(f"cannot {doing} {shown(path)}: {error.strerror or error}", hint=hint)


@define(eq=False)
class Place:
    """Where a path leads: the folder that holds the thing, held by its descriptor, and the thing's name in it.

    It is resolved for the time of a `with`; an OSError in it becomes a ProviderError, "cannot DOING PATH". A link
    swapped in on the way cannot redirect an act through `folder` and `name`. `stat` is None if nothing is there;
    `folder` is -1 if not even the folder exists.

    Resolution goes component by component; `..` stops at the root and absolute links start again there. `_done` holds
    only names that are not links, so `..` may drop the last of them and start again from the root.
    """

    _root: int
    """The descriptor of the root."""
    _doing: str
    _given: str
    """The path to resolve."""
    _follow: bool = True
    """Whether a link that the path itself names is followed."""
    _make_parents: int | None = None
    """The mode to make missing folders with; None leaves them missing."""
    _visit: Visit | None = None
    """Called for every folder, link and thing on the way."""
    _at_once: bool = False
    """Let the kernel resolve the path: for looking only, at the real root, which gives the same result, faster."""

    folder: int = field(init=False)
    name: str = field(init=False)
    path: str = field(init=False)
    """Resolved; as it was given if the kernel has resolved it."""
    stat: os.stat_result | None = field(init=False)

    _held: int = field(default=-1, init=False)
    """The descriptor of `folder` unless that is the root; -1 for none."""
    _links: int = field(default=0, init=False)
    _done: list[str] = field(factory=list, init=False)
    _todo: list[str] = field(factory=list, init=False)
    """The names still to go through, the next one last; each stays until it has been gone through."""

    def __enter__(self) -> "Place":
        self.folder = self._root
        try:
            if not (self._at_once and self._resolved_at_once()):
                self._resolve()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = self.folder = -1
        if isinstance(error, OSError):
            raise problem(self._doing, self._given, error) from error

    def _resolved_at_once(self) -> bool:
        if self._given[-1:] in ("", "/"):
            return False
        try:
            found = os.stat(self._given, dir_fd=self._root, follow_symlinks=False)
        except FileNotFoundError:
            found = None
        except (OSError, ValueError):
            return False  # the slow way finds out why
        if found and self._follow and stat.S_ISLNK(found.st_mode):
            return False
        self.name, self.path, self.stat = self._given, self._given, found
        return True

    def _resolve(self) -> None:
        self._todo = _components(self._given)
        try:
            while self._todo:
                name = self._todo[-1]
                if name == "..":
                    self._todo[-1:] = reversed(self._done[:-1])
                    self._start_again()
                elif len(self._todo) > 1:
                    self._enter(name)
                elif self._arrive(name):
                    return
            self._arrive(".")
        except (FileNotFoundError, NotADirectoryError) as error:
            if self._make_parents is not None and isinstance(error, NotADirectoryError):
                raise
            self._end_nowhere()

    def _enter(self, name: str) -> None:
        try:
            descriptor = os.open(name, _FOLDER, dir_fd=self.folder)
        except NotADirectoryError:
            if not self._follow_link(name):
                raise
            return
        except FileNotFoundError:
            if self._make_parents is None:
                raise
            descriptor = make_folder_in(self.folder, name, self._make_parents)
        if self._held >= 0:
            os.close(self._held)
        self._held = self.folder = descriptor
        self._done.append(self._todo.pop())
        if self._visit:
            self._visit(os.fstat(descriptor), "/" + "/".join(self._done))

    def _arrive(self, name: str) -> bool:
        """Whether the way ends at a name, and not at a link to follow."""
        try:
            found = os.stat(name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            found = None
        self.name, self.stat = name, found
        self.path = "/" + "/".join(self._done if name == "." else (*self._done, name))
        if found and self._visit:
            self._visit(found, self.path)
        return not (found and self._follow and stat.S_ISLNK(found.st_mode) and self._follow_link(name))

    def _follow_link(self, name: str) -> bool:
        """Whether it is a link."""
        try:
            target = os.readlink(name, dir_fd=self.folder)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return False
            raise
        self._links += 1
        if self._links > LINKS_FOLLOWED:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if self._visit:
            found = os.stat(name, dir_fd=self.folder, follow_symlinks=False)
            self._visit(found, "/" + "/".join([*self._done, name]))
        self._todo[-1:] = _components(target)
        if target.startswith("/"):
            self._start_again()
        return True

    def _end_nowhere(self) -> None:
        """End below a thing that is absent or not a folder: the rest of the path is taken as written."""
        rest = self._done.copy()
        for name in reversed(self._todo):
            if name == "..":
                del rest[-1:]
            else:
                rest.append(name)
        self.folder, self.name, self.path, self.stat = -1, rest[-1] if rest else ".", "/" + "/".join(rest), None

    def _start_again(self) -> None:
        if self._held >= 0:
            os.close(self._held)
        self._held, self.folder = -1, self._root
        self._done.clear()


def _components(path: str) -> list[str]:
    """The names in a path, the first one last; OSError if it cannot be a path."""
    try:
        odd = b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        odd = True
    if odd:
        raise OSError(errno.EINVAL, "a path cannot have these characters")
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


class Root:
    """A folder that is taken for `/`: the real one, or the root of another system. Nothing leads out of it."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self.live = self.root == "/"
        """For those who use the door. Behind it, `root` alone decides: nothing else may lead out of a foreign root."""
        self._lock: int | None = None
        """The descriptor of the lock, while it is held."""
        try:
            self._descriptor = os.open(self.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ConvergeError(f"the root {shown(root)} is not a folder: {error.strerror}") from error
        weakref.finalize(self, os.close, self._descriptor)

    def resolve(self, path: str, *, follow: bool = True) -> str:
        """The path with all links resolved inside the root; a part that does not exist yet is taken as written.

        `follow`: whether a link that the path itself names is followed.
        """
        with self._place("resolve", path, follow=follow) as place:
            return place.path

    def real(self, path: str) -> str:
        """A path of the host, such as a manifest's; one in a foreign root with its links resolved inside that."""
        absolute = os.path.abspath(path)
        above = self.root.rstrip("/") + "/"
        return on_host(self, absolute[len(above) - 1 :]) if absolute.startswith(above) and self.root != "/" else path

    def _place(self, doing: str, path: str, *, follow: bool = True, visit: Visit | None = None) -> Place:
        return Place(self._descriptor, doing, path, follow=follow, visit=visit)

    def _sight(self, doing: str, path: str, *, follow: bool = True) -> Place:
        """A place to look at only."""
        return Place(self._descriptor, doing, path, follow=follow, at_once=self.root == "/")


def on_host(root: Root, path: str) -> str:
    """The host's path of a thing in a root: for mounting it, not for acting on it."""
    return root.root.rstrip("/") + root.resolve(path)


@contextmanager
def content(place: Place) -> Iterator[int]:
    """A descriptor to read a regular file by; ProviderError for anything else, without ever blocking on it."""
    _require_regular(place.stat, place.path)
    descriptor = os.open(place.name, _CONTENT, dir_fd=place.folder)
    try:
        _require_regular(os.fstat(descriptor), place.path)
        yield descriptor
    finally:
        os.close(descriptor)


def _require_regular(found: os.stat_result | None, path: str) -> None:
    if found is None or not stat.S_ISREG(found.st_mode):
        raise ProviderError(f"{shown(path)} is not a regular file")


def read_all(descriptor: int, path: str, limit: int) -> bytes:
    """The rest of a file; ProviderError if it has more than `limit` bytes."""
    pieces: list[bytes] = []
    size = os.fstat(descriptor).st_size
    room = limit + 1 if size <= limit else 0
    while room > 0 and (piece := os.read(descriptor, min(room, max(size + 1, 65536)))):
        pieces.append(piece)
        room -= len(piece)
    if room <= 0:
        raise ProviderError(f"{shown(path)} is larger than {limit} bytes")
    return b"".join(pieces)
