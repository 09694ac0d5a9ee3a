"""The one door to the machine: everything takes a root, and nothing leads out of it.

Planning is given a `ReadOnlySystem`, which has no method that changes anything; applying, a `System`. Paths are text as
seen inside the root (odd bytes by surrogateescape). Errors are ProviderErrors that name the path.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.model import Secret
from converge.system import access as looking
from converge.system import accounts, files, kernel, locking, moving, secrets, store, sysroot, trees
from converge.system.root import (
    READ_LIMIT,
    CommandMissing,
    CommandResult,
    CommandTimeout,
    FileStat,
    OtherFileSystem,
    Root,
)
from converge.system.secrets import Secrets
from converge.system.trees import Found

if TYPE_CHECKING:
    from converge.system.commands.sandbox import View

__all__ = [
    "CommandMissing",
    "CommandResult",
    "CommandTimeout",
    "FileStat",
    "Found",
    "Keyfile",
    "OtherFileSystem",
    "ReadOnlySystem",
    "System",
    "lock",
]


Given: TypeAlias = bytes | Secret | Mapping[str, Secret]
"""What a program can read from its standard input."""


class ReadOnlySystem:
    """A machine, live or in a folder, as one may look at it."""

    def __init__(self, root: str = "/", *, this_hardware: bool = False, secrets: Secrets | None = None) -> None:
        self._root = Root(root)
        self._secrets = secrets or Secrets(self._root)
        self._users = accounts.Names(self._root, "passwd")
        self._groups = accounts.Names(self._root, "group")
        self.root = self._root.path
        self.live = self._root.live
        self.this_hardware = self.live or this_hardware

    def resolve(self, path: str, *, follow: bool = True) -> str:
        """The path with all links resolved inside the root; what does not exist yet is taken as written.

        `follow`: whether a link that the path itself names is followed.
        """
        return self._root.resolve(path, follow=follow)

    @cached_property
    def hardware(self) -> "ReadOnlySystem":
        """The running system, to look at: of a foreign root, the machine that it is mounted on."""
        return self if self.live else ReadOnlySystem("/")

    def real(self, path: str) -> str:
        """A path of the host, such as a manifest's; one in a foreign root with its links resolved inside that."""
        return self._root.real(path)

    def stat(self, path: str, *, follow: bool = True) -> FileStat | None:
        """What is at a path; None where nothing is."""
        return self._root.stat(path, follow=follow)

    def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes | None:
        """A regular file's bytes, None where it is absent; ProviderError for other kinds and above `limit` bytes."""
        return self._root.read(path, limit)

    def read_line(self, path: str) -> str:
        """What a file of one line says, without the blanks around it, as those in /sys; empty where it is absent."""
        return (self.read(path) or b"").decode("utf-8", "replace").strip()

    def read_link(self, path: str) -> str | None:
        """What a symbolic link says, None where there is none."""
        return looking.read_link(self._root, path)

    def read_start(self, path: str, size: int) -> bytes | None:
        """The first bytes of a regular file, at most `size`; None where it is absent."""
        return self._root.read_start(path, size)

    def is_written_in_place(self, path: str, *, by_flag: bool) -> bool:
        """Whether what is written to a file goes to the blocks that it has, and it shares none with a copy of it.

        `by_flag`: on a file system where a file has to be marked for that (chattr(1), attribute C).
        """
        return files.is_written_in_place(self._root, path, by_flag=by_flag)

    def is_default_folder(self, path: str) -> bool:
        """Whether ostree has a folder at a resolved path in /etc by default (in /usr/etc): nothing else may be there.

        Every change that would put something else there, or take the folder away, is a ProviderError.
        """
        return self._root.is_default_folder(path)

    def unfinished(self, path: str) -> str:
        """Where what is made at a path is until it is whole: a run that was killed may have left it there."""
        folder, _, name = self.resolve(path).rpartition("/")
        return f"{folder}/{files.temporary_name(name)}"

    def list_folder(self, path: str) -> tuple[str, ...]:
        """The names in a folder, sorted; none where it is absent."""
        return looking.list_folder(self._root, path)

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The paths that match a shell pattern, sorted; `*` stays within a component and skips a leading dot."""
        return looking.glob(self._root, pattern)

    def walk(self, path: str, *, max_depth: int | None = None, excludes: Sequence[str] = ()) -> Iterator[Found]:
        """The thing at `path` (its links followed) and, where it is a folder, all below; no link below is followed.

        Each is good until the next one is asked for. `max_depth` 0 is the top alone. `excludes` are shell patterns over
        paths relative to the top. Whatever is mounted below the top is passed over.
        """
        return trees.walk(self._root, path, max_depth=max_depth, excludes=excludes)

    def require_trusted(self, path: str, *, below: bool = False) -> None:
        """ProviderError where somebody other than root could have written the path, or led it elsewhere.

        `below`: the same of everything in the folder.
        """
        looking.require_trusted(self._root, path)
        for found in self.walk(path) if below else ():
            looking.require_trusted(self._root, f"{path}/{found.path}")

    def user_id(self, name: str) -> int:
        return self._users.id_of(name)

    def group_id(self, name: str) -> int:
        return self._groups.id_of(name)

    def user_name(self, uid: int) -> str:
        return self._users.name_of(uid)

    def group_name(self, gid: int) -> str:
        return self._groups.name_of(gid)

    def account_files(self, database: accounts.Database) -> tuple[str, ...]:
        """The files of the users (`passwd`) or groups (`group`) that nsswitch.conf names; the first one wins."""
        return (self._users if database == "passwd" else self._groups).files()

    def kept(self, address: str) -> bytes | None:
        """What the store keeps under an address, None where it does not, or no longer in one piece."""
        path = store.path_of(address)
        data = self.read(path) if path else None
        return data if data is not None and store.address_of(data) == address else None

    def secret_digest(self, secret: Secret) -> str:
        """What may be remembered of a secret; the same for the same one on this machine, and nowhere else."""
        return self._secrets.digest(secret)

    def meet(self, secret: Secret) -> None:
        """Leave a secret out of everything that programs say in this run."""
        self._secrets.meet(secret)

    def query(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60,
        view: "View" = "data",
        environment: "Mapping[str, str | Secret] | None" = None,
        stdin: Given = b"",
        cwd: str = "/",
        reads: Sequence[str] = (),
    ) -> CommandResult:
        """Run a command that only reads.

        Under a foreign root it finds everything read-only. On the live root nothing holds it back but the caller's
        word: name no command here that could change anything.
        """
        return self._run(
            argv, timeout, writes=False, view=view, environment=environment, stdin=stdin, cwd=cwd, reads=reads
        )

    def _run(
        self,
        argv: Sequence[str],
        timeout: float,
        *,
        writes: bool,
        view: "View",
        environment: "Mapping[str, str | Secret] | None",
        stdin: Given,
        cwd: str,
        reads: Sequence[str],
        on_output: Callable[[str], None] | None = None,
    ) -> CommandResult:
        from converge.system import commands  # inspection rarely starts a program, and subprocess is slow to import

        def tell(line: str) -> None:
            if on_output:
                on_output(self._secrets.left_out(line))

        try:
            done = commands.run(
                self._root,
                argv,
                timeout=timeout,
                writes=writes,
                on_output=tell if on_output else None,
                view=view,
                environment={name: self._revealed(value) for name, value in (environment or {}).items()},
                stdin=self._given(stdin),
                cwd=cwd,
                reads=reads,
            )
        except ProviderError as error:
            raise type(error)(self._secrets.left_out(error.message), hint=error.hint) from None
        said = map(self._secrets.left_out, (*done.argv, done.stdout, done.stderr))
        *words, stdout, stderr = said
        return evolve(done, argv=tuple(words), stdout=stdout, stderr=stderr)

    def _given(self, stdin: Given) -> bytes:
        if isinstance(stdin, Mapping):
            return json.dumps({name: self._revealed(value) for name, value in stdin.items()}).encode()
        return stdin if isinstance(stdin, bytes) else self._revealed(stdin).encode()

    def _revealed(self, value: "str | Secret") -> str:
        if isinstance(value, str):
            return value
        self.meet(value)
        return value.reveal()


class System(ReadOnlySystem):
    """A machine that one may change."""

    def read_only(self) -> ReadOnlySystem:
        return ReadOnlySystem(self.root, this_hardware=self.this_hardware, secrets=self._secrets)

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
        """Write a file atomically and durably; nothing happens where it has these bytes and attributes already.

        A link that the path names stays, and what it leads to is written. Missing folders are made. Owner, mode,
        extended attributes and ACLs of what is replaced are kept unless told otherwise, and its bytes go to the store
        unless `keep` is false (converge's own files).
        """
        asked, keeper = files.Attributes(mode, uid, gid), self.keep if keep else None
        self._change(path, lambda root: files.write(root, path, data, asked, keep=keeper))

    def append(self, path: str, data: bytes, *, sync: bool) -> None:
        """Add to the end of a file, made with mode 0600 where it is absent; `sync`: durable on return."""
        self._change(path, lambda root: files.append(root, path, data, sync=sync))

    def remove(self, path: str, *, keep: bool = True) -> None:
        """Remove a file, or a link itself; its bytes go to the store. What is absent is fine; a folder is refused."""
        keeper = self.keep if keep else None
        self._change(path, lambda root: files.remove(root, path, keep=keeper), follow=False)

    def make_folder(self, path: str, *, mode: int = 0o755, uid: int | None = None, gid: int | None = None) -> None:
        """Make a folder and those above it, ours unless told otherwise; one that is there stays as it is."""
        self._change(path, lambda root: files.make_folder(root, path, mode, uid, gid))

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder. What is absent is fine."""
        files.remove_folder(self._root, path)

    def move(self, source: str, target: str) -> None:
        """Move a thing of any kind but a link, and make missing folders; nothing there is replaced.

        It is at one of the two places at any time. OtherFileSystem where that cannot be.
        """
        moving.move(self._root, source, target)

    def move_contents(self, source: str, target: str, *, replace: bool = False) -> None:
        """Move everything in a folder into another; a link is no folder. Where something cannot be moved, all stays.

        `replace`: what has the same name there is deleted for good first; otherwise it is a ProviderError.
        """
        moving.move_contents(self._root, source, target, replace=replace)

    def delete(self, path: str) -> None:
        """Delete a thing of any kind for good, with all that it holds; no link is followed. What is absent is fine.

        Where something is mounted in it, that is a ProviderError before anything is deleted.
        """
        moving.delete(self._root, path)

    def delete_contents(self, path: str) -> None:
        """Delete everything in a folder for good, in the same way; a link is no folder."""
        moving.delete_contents(self._root, path)

    def make_swap_file(self, path: str, size: int, *, no_copy_on_write: bool = False) -> None:
        """Make a swap file of `size` bytes, which has all its blocks and a signature, where there is no file yet.

        `no_copy_on_write` is for file systems that would otherwise never write in place (btrfs(5), swapfile support).
        """

        def sign(temporary: str) -> None:
            self.run(["mkswap", "{root}" + temporary], view="beside").require()

        files.allocate(self._root, path, size, no_copy_on_write=no_copy_on_write, fill=sign)

    def make_link(self, path: str, target: str) -> None:
        """Make a symbolic link, and missing folders; one that leads elsewhere is replaced, anything else refused."""
        files.make_link(self._root, path, target)

    def sync_folder(self, path: str) -> None:
        """Have the names in a folder reach the disk, which other programs may not have seen to."""
        files.sync(self._root, path)

    def set_owner(self, path: str, uid: int | None, gid: int | None) -> None:
        """Set owner and group of the thing itself, a link included; set-user-ID bits stay."""
        self._change(path, lambda root: files.set_on(root, path, files.Attributes(uid=uid, gid=gid)), follow=False)

    def set_mode(self, path: str, mode: int) -> None:
        """Set the mode of the thing itself; ProviderError for a link: `resolve` the path first to follow one."""
        self._change(path, lambda root: files.set_on(root, path, files.Attributes(mode=mode)), follow=False)

    def _change(self, path: str, act: Callable[[Root], None], *, follow: bool = True) -> None:
        """Make a change at a path, also where that leads below a read-only /sysroot."""
        if sysroot.is_read_only(self._root, path, follow=follow):
            sysroot.change(act)
        else:
            act(self._root)

    def fix(self, found: Found, *, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> bool:
        """Set owner and mode of what `walk` has just found, a link's owner included; set-user-ID bits stay.

        False, and nothing done, where something else has taken its place.
        """
        return trees.fix(found, mode=mode, uid=uid, gid=gid)

    def keep(self, data: bytes, address: str | None = None) -> str:
        """Put bytes into the store; `address` saves computing it again."""
        address = address or store.address_of(data)
        path = store.path_of(address)
        if path and self.kept(address) is None:
            files.make_folder(self._root, store.FOLDER, 0o700, None, None)
            files.write(self._root, path, data, files.Attributes(mode=0o600), keep=None, folder_mode=0o700)
        return address

    def lock_accounts(self) -> AbstractContextManager[None]:
        """On the live root keep useradd(8), passwd(1) and the like off the account files for the time of a `with`.

        Later where one of them is at work for longer than lckpwdf(3) would wait.
        """
        return locking.lock_accounts(self._root)

    def set_host_name(self, name: str) -> None:
        """Set the name that the running system goes by; ProviderError under a foreign root."""
        kernel.set_host_name(self._root, name)

    def set_kernel_parameter(self, name: str, value: str) -> None:
        """Write to a file of /proc/sys, by its path below that; ProviderError under a foreign root."""
        kernel.set_parameter(self._root, name, value)

    def keep_secret_key(self) -> None:
        """Have the key on the disk under which secrets were compared; before anything is remembered of them."""
        key = self._secrets.unsaved_key()
        if key is not None:
            self.write(secrets.KEY, key, mode=0o600, keep=False)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 600,
        on_output: Callable[[str], None] | None = None,
        view: "View" = "data",
        environment: "Mapping[str, str | Secret] | None" = None,
        stdin: Given = b"",
        cwd: str = "/",
        reads: Sequence[str] = (),
    ) -> CommandResult:
        """Run a command to its end, whatever its exit code; CommandTimeout after `timeout` seconds.

        `on_output` gets each line, and each stretch between carriage returns, as it comes. Under a foreign root the
        command runs in a sandbox where only the root can be written; `view` says what it finds there (`commands`).
        `environment` comes on top of a fixed one, `stdin` is all that it can read from there (of a map, its JSON),
        `cwd` the folder that it is started in; `reads` are files and folders of the host that it sees where the view
        is `entered`. No secret that this run has met is left in what the command says.
        """
        if view == "machine":
            from converge.system import disks  # it is made of the system itself

            disks.require_own_disk(self)
        if not self.live and view == "data":
            self.make_folder("/var")
        return self._run(
            argv,
            timeout,
            writes=True,
            view=view,
            environment=environment,
            stdin=stdin,
            cwd=cwd,
            reads=reads,
            on_output=on_output,
        )

    def run_on_root_disk(self, argv: Sequence[str], *, timeout: float = 600) -> None:
        """Run a program of the machine that changes the root's own file system; ProviderError where it fails.

        Where /sysroot is mounted read-only, the program finds it writable, and nobody else does.
        """

        def act(_: Root) -> None:
            self.run(argv, timeout=timeout, view="machine").require()

        self._change(f"{sysroot.SYSROOT}/ostree", act)


def lock(system: System) -> AbstractContextManager[None]:
    """Hold the root's lock for the time of a `with`; Locked where another run holds it."""
    return locking.lock(system._root)  # noqa: SLF001  (the same door)
