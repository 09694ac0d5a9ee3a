"""What the modules behind the door share: the values they hand out, and how a path resolves inside a root."""

import errno
import os
import stat
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal, TypeAlias

from attrs import frozen

from converge.errors import ConvergeError, ProviderError, shown
from converge.formats.fstab import unescaped

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
    errno.ENOTDIR: "a file stands where the path needs a folder",
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
    """What stat(2) says; `mode` holds the permission bits (07777), `size` is in bytes, `links` counts hard links."""

    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    allocated: int
    """How many bytes of it take room on the disk: fewer than `size` where it has holes."""
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
        """The result itself; ProviderError with the last line the command said where it failed."""
        if self.ok:
            return self
        said = (self.stderr.strip() or self.stdout.strip() or "it said nothing").splitlines()[-1]
        raise ProviderError(f"'{shown(' '.join(self.argv))}' failed with code {self.returncode}: {shown(said)}")


@frozen
class Place:
    """Where a path leads: the folder that holds the thing, held by its descriptor, and the thing's name in it.

    What acts through `folder` and `name` cannot be redirected by a link swapped in on the way. `stat` is None where
    nothing is there; `folder` is -1 where not even the folder is.
    """

    folder: int
    name: str
    path: str
    stat: os.stat_result | None


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


class Root:
    """A folder that is taken for `/`: the real one, or the root of another system. Nothing leads out of it."""

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self.live = self.path == "/"
        self.lock: int | None = None
        """The descriptor of the lock, while it is held."""
        try:
            self._descriptor = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ConvergeError(f"the root {shown(path)} is not a folder: {error.strerror}") from error
        weakref.finalize(self, os.close, self._descriptor)

    def resolve(self, path: str, *, follow: bool = True) -> str:
        """All links resolved inside the root; what does not exist yet is taken as written."""
        with self.place("resolve", path, follow=follow) as place:
            return place.path

    def on_host(self, path: str) -> str:
        """Where the host finds `path`: for mounting it, not for acting on it."""
        return self.path.rstrip("/") + self.resolve(path)

    def real(self, path: str) -> str:
        """A path of the host; where it lies in the root, its links are resolved inside the root and not by the host."""
        absolute = os.path.abspath(path)
        above = self.path.rstrip("/") + "/"
        return self.on_host(absolute[len(above) - 1 :]) if absolute.startswith(above) and not self.live else path

    def stat(self, path: str, *, follow: bool) -> FileStat | None:
        with self._sight("examine", path, follow=follow) as place:
            return None if place.stat is None else FileStat.of(place.stat)

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        """A regular file's bytes, None where it is absent; ProviderError for other kinds and above `limit` bytes."""
        with self._sight("read", path, follow=True) as place:
            if place.stat is not None:
                with suppress(FileNotFoundError), content(place) as descriptor:
                    return read_all(descriptor, path, limit)
            return None

    def read_start(self, path: str, size: int) -> bytes | None:
        """The first bytes of a regular file, at most `size`; None where it is absent."""
        with self._sight("read", path, follow=True) as place:
            if place.stat is not None:
                with suppress(FileNotFoundError), content(place) as descriptor:
                    return os.read(descriptor, size)
            return None

    def is_default_folder(self, path: str) -> bool:
        """Whether a resolved path in /etc is a folder in /usr/etc too, where ostree has what every /etc begins with."""
        default = self.stat(f"/usr{path}", follow=False) if f"{path}/".startswith("/etc/") else None
        return default is not None and default.kind == "directory"

    def refuse_default_folder(self, path: str) -> None:
        """ProviderError for a resolved path that must not become anything but a folder."""
        if self.is_default_folder(path):
            hint = "choose another path: with anything else there, ostree could not merge /etc at the next upgrade"
            raise ProviderError(f"{shown(path)} is a folder in /usr/etc and has to stay one", hint=hint)

    @contextmanager
    def _sight(self, doing: str, path: str, *, follow: bool) -> Iterator[Place]:
        """A place to look at only: at the real root the kernel resolves a path to the same end, and faster."""
        found = self._glance(path) if self.live else None
        if found is None or (follow and stat.S_ISLNK(found.st_mode)):
            with self.place(doing, path, follow=follow) as place:
                yield place
            return
        try:
            yield Place(self._descriptor, path, path, found)
        except OSError as error:
            raise problem(doing, path, error) from error

    def _glance(self, path: str) -> os.stat_result | None:
        with suppress(OSError, ValueError):  # the slow way says what is wrong
            if not path.endswith("/"):
                return os.stat(path, dir_fd=self._descriptor, follow_symlinks=False)
        return None

    @contextmanager
    def place(
        self,
        doing: str,
        path: str,
        *,
        follow: bool = True,
        make_parents: int | None = None,
        visit: Visit | None = None,
    ) -> Iterator[Place]:
        """Resolve a path for the time of a `with`; an OSError in it becomes a ProviderError, "cannot DOING PATH".

        `follow`: whether a link that the path itself names is followed. `make_parents`: the mode to make missing
        folders with; None leaves them missing. `visit` is called for every folder, link and thing on the way.
        """
        walk = _Walk(self._descriptor, follow=follow, make_parents=make_parents, visit=visit)
        try:
            yield walk.run(path)
        except OSError as error:
            raise problem(doing, path, error) from error
        finally:
            walk.leave()


class _Walk:
    """One resolution, component by component; `..` stops at the root and absolute links start again there.

    `done` holds only names that are no links, so `..` may drop the last of them and start again from the root.
    """

    def __init__(self, root: int, *, follow: bool, make_parents: int | None, visit: Visit | None) -> None:
        self.root = self.folder = root
        self.follow = follow
        self.make_parents = make_parents
        self.visit = visit
        self.links = 0
        self.done: list[str] = []
        self.todo: list[str] = []

    def run(self, path: str) -> Place:
        self._push(_checked(path))
        try:
            return self._walk()
        except FileNotFoundError:
            return self._nowhere()
        except NotADirectoryError:
            if self.make_parents is not None:
                raise
            return self._nowhere()

    def leave(self) -> None:
        if self.folder != self.root:
            os.close(self.folder)
            self.folder = self.root

    def _walk(self) -> Place:
        while self.todo:
            name = self.todo.pop()
            if name == "..":
                self._start_again([*self.done[:-1]])
            elif self.todo:
                self._enter(name)
            else:
                found = self._look(name)
                if found is None or not (self.follow and stat.S_ISLNK(found.st_mode)):
                    return Place(self.folder, name, "/" + "/".join([*self.done, name]), found)
                self._follow_link(name)
        return Place(self.folder, ".", "/" + "/".join(self.done), self._look("."))

    def _nowhere(self) -> Place:
        rest = self.done
        for name in reversed(self.todo):
            rest = rest[:-1] if name == ".." else [*rest, name]
        return Place(-1, rest[-1] if rest else ".", "/" + "/".join(rest), None)

    def _push(self, path: str) -> None:
        self.todo.extend(name for name in reversed(path.split("/")) if name not in ("", "."))

    def _start_again(self, names: list[str]) -> None:
        self.leave()
        self.done = []
        self.todo.extend(reversed(names))

    def _look(self, name: str) -> os.stat_result | None:
        with suppress(FileNotFoundError):
            found = os.stat(name, dir_fd=self.folder, follow_symlinks=False)
            if self.visit:
                self.visit(found, "/" + "/".join([*self.done, name]))
            return found
        return None

    def _enter(self, name: str) -> None:
        try:
            self._step_into(name, os.open(name, _FOLDER, dir_fd=self.folder))
        except NotADirectoryError:
            if not self._follow_link(name):
                self.todo.append(name)
                raise
        except FileNotFoundError:
            if self.make_parents is None:
                self.todo.append(name)
                raise
            self._step_into(name, make_folder_in(self.folder, name, self.make_parents))

    def _step_into(self, name: str, descriptor: int) -> None:
        self.leave()
        self.folder = descriptor
        self.done.append(name)
        if self.visit:
            self.visit(os.fstat(descriptor), "/" + "/".join(self.done))

    def _follow_link(self, name: str) -> bool:
        try:
            target = os.readlink(name, dir_fd=self.folder)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return False
            raise
        self.links += 1
        if self.links > LINKS_FOLLOWED:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if self.visit:
            self._look(name)
        if target.startswith("/"):
            self._start_again([])
        self._push(target)
        return True


def _checked(path: str) -> str:
    try:
        odd = b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        odd = True
    if odd:
        raise OSError(errno.EINVAL, "no path can have these characters")
    return path


def make_folder_in(folder: int, name: str, mode: int) -> int:
    """Make a folder, durably, and return a descriptor of it.

    It has its mode from the start: a run after one that was killed here takes it as it is.
    """
    umask = os.umask(0)
    try:
        os.mkdir(name, mode, dir_fd=folder)
    finally:
        os.umask(umask)
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    os.fchmod(descriptor, mode)
    sync_folder(folder)
    return descriptor


def sync_folder(folder: int, name: str = ".") -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    """What is left in a file; ProviderError where that is more than `limit` bytes."""
    pieces: list[bytes] = []
    size = os.fstat(descriptor).st_size
    room = limit + 1 if size <= limit else 0
    while room > 0 and (piece := os.read(descriptor, min(room, max(size + 1, 65536)))):
        pieces.append(piece)
        room -= len(piece)
    if room <= 0:
        raise ProviderError(f"{shown(path)} is larger than {limit} bytes")
    return b"".join(pieces)


@contextmanager
def pinned(folder: int, name: str) -> Iterator[int]:
    """A descriptor that stands for a thing of any kind, links included, without opening it."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def pinned_path(descriptor: int) -> str:
    """A path that leads to exactly what a descriptor stands for (fchmod(2) and fchown(2) refuse O_PATH ones)."""
    return f"/proc/self/fd/{descriptor}"


def mounts_within(folder: int, name: str = ".") -> tuple[str, ...]:
    """The mount points at a thing (the empty text) and below it, relative to it; proc_pid_mountinfo(5).

    Mounts of one file system at two places tell themselves by nothing else: all their numbers are the same.
    """
    above = os.path.join(os.readlink(pinned_path(folder)), "" if name == "." else f"{name}/")
    with open("/proc/self/mountinfo", "rb") as lines:
        points = [os.path.join(os.fsdecode(unescaped(line.split()[4])), "") for line in lines]
    return tuple(point.removeprefix(above).rstrip("/") for point in points if point.startswith(above))


def set_attributes(descriptor: int, *, mode: int | None, uid: int | None, gid: int | None) -> None:
    """Set owner and mode of what a descriptor stands for; None leaves as it is, set-user-ID bits included."""
    before = os.fstat(descriptor)
    kept = before.st_mode & 0o7777
    if (uid, gid) != (None, None):
        os.chown(pinned_path(descriptor), -1 if uid is None else uid, -1 if gid is None else gid)
        # chown(2) drops set-user-ID and set-group-ID bits of files, which nobody has asked for.
        mode = kept if mode is None and kept & 0o6000 and stat.S_ISREG(before.st_mode) else mode
    if mode is not None:
        os.chmod(pinned_path(descriptor), mode)
