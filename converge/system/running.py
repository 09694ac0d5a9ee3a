"""Running programs, for those who need one. `commands` does the work, and is loaded when the first one starts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from attrs import evolve, frozen

from converge.errors import ProviderError
from converge.model import Secret
from converge.system.files import Writing
from converge.system.root import CommandResult
from converge.system.secrets import Secrecy
from converge.system.sysroot import SYSROOT, change_apart, is_read_only

View: TypeAlias = Literal["data", "beside", "inside", "entered", "machine"]
"""The files that a program finds under a foreign root (`commands.sandbox`)."""

Given: TypeAlias = bytes | Secret | Mapping[str, Secret]
"""All that a program can read from its standard input; of a map, its JSON."""

OnOutput: TypeAlias = Callable[[str], None]
"""Gets each line of a program's output, and each stretch between carriage returns, as it comes."""


@frozen
class Command:
    """A program to run, with the parameters of `System.run`; `writes`: whether the sandbox lets it change the root."""

    argv: Sequence[str]
    timeout: float
    view: View
    environment: Mapping[str, str | Secret]
    stdin: Given
    cwd: str
    reads: Sequence[str]
    writes: bool


class Querying(Secrecy):
    """Running programs that only read."""

    def query(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60,
        view: View = "data",
        environment: Mapping[str, str | Secret] | None = None,
        stdin: Given = b"",
        cwd: str = "/",
        reads: Sequence[str] = (),
    ) -> CommandResult:
        """Run a command that only reads.

        Under a foreign root it finds everything read-only. On the live root nothing but the caller's word keeps it
        from changes: name no command here that could make any.
        """
        return self._run(Command(argv, timeout, view, environment or {}, stdin, cwd, reads, writes=False))

    def _run(self, command: Command, on_output: OnOutput | None = None) -> CommandResult:
        from converge.system import commands  # inspection rarely starts a program, and subprocess is slow to import

        given = command.stdin.values() if isinstance(command.stdin, Mapping) else (command.stdin,)
        for value in (*command.environment.values(), *given):
            if isinstance(value, Secret):
                self.meet(value)

        def pass_on(line: str) -> None:
            if on_output:
                on_output(self._left_out(line))

        try:
            done = commands.run(self, command, on_output=pass_on if on_output else None, lock=self._lock)
        except ProviderError as error:
            raise type(error)(self._left_out(error.message), hint=error.hint) from None
        *argv, stdout, stderr = map(self._left_out, (*done.argv, done.stdout, done.stderr))
        return evolve(done, argv=tuple(argv), stdout=stdout, stderr=stderr)


class Running(Querying, Writing):
    """Running programs that may change the root."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 600,
        on_output: OnOutput | None = None,
        view: View = "data",
        environment: Mapping[str, str | Secret] | None = None,
        stdin: Given = b"",
        cwd: str = "/",
        reads: Sequence[str] = (),
    ) -> CommandResult:
        """Run a command to its end, whatever its exit code; CommandTimeout after `timeout` seconds.

        Under a foreign root it runs in a sandbox in which it can write to the root only, and finds the files of `view`
        (`commands.sandbox`). `environment` comes on top of a fixed one; `cwd` is the folder to start it in, as the view
        shows it; `reads` are files and folders of the host that it sees in the view `entered`. Secrets that this run
        has met are left out of its output.
        """
        if view == "machine":
            from converge.system import ReadOnlySystem, disks  # which are made of this

            disks.require_own_disk(ReadOnlySystem(self.root))
        if not self.live and view == "data":
            self.make_folder("/var")
        return self._run(Command(argv, timeout, view, environment or {}, stdin, cwd, reads, writes=True), on_output)

    def run_on_root_disk(self, argv: Sequence[str], *, timeout: float = 600) -> None:
        """Run a program of the machine that changes the root's own file system; ProviderError if it fails.

        If /sysroot is mounted read-only, the program finds it writable, and nobody else does.
        """

        def act() -> None:
            self.run(argv, timeout=timeout, view="machine").require()

        if self.root == "/" and is_read_only(self, f"{SYSROOT}/ostree"):
            change_apart(self, act)
        else:
            act()
