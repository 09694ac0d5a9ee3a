"""The one door to the machine: everything takes a root, and nothing leads out of it.

Planning is given a `ReadOnlySystem`, which does not have a method that changes anything; applying, a `System`. Paths
are text as seen inside the root (odd bytes by surrogateescape). Errors are ProviderErrors that name the path.

Each part of the door is a class in a module of its own, and the two systems only combine them. A part that changes the
machine is a `Changing`, and a `ReadOnlySystem` is made of none.
"""

from functools import cached_property

from converge.formats.keyfile import Keyfile
from converge.system.accounts import Accounts
from converge.system.blocks import Blocks, SwapFiles
from converge.system.files import Writing
from converge.system.kernel import RunningKernel
from converge.system.locking import LockingAccounts, lock
from converge.system.moving import Moving
from converge.system.root import CommandMissing, CommandResult, CommandTimeout, FileStat, OtherFileSystem
from converge.system.running import Querying, Running
from converge.system.secrets import KeepingKey, Secrets
from converge.system.store import Store
from converge.system.trees import Fixing, Found
from converge.system.trust import Trust

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


class ReadOnlySystem(Querying, Store, Trust, Accounts, Blocks):
    """A machine, live or in a folder, as one may look at it."""

    def __init__(self, root: str = "/", *, this_hardware: bool = False, secrets: Secrets | None = None) -> None:
        super().__init__(root)
        self._secrets = secrets or Secrets()
        self._accounts = {}
        self.this_hardware = self.live or this_hardware

    @cached_property
    def hardware(self) -> "ReadOnlySystem":
        """The running system, to look at: of a foreign root, the machine that it is mounted on."""
        return self if self.live else ReadOnlySystem("/")


class System(ReadOnlySystem, SwapFiles, Running, KeepingKey, Writing, Moving, Fixing, LockingAccounts, RunningKernel):
    """A machine that one may change."""

    def read_only(self) -> ReadOnlySystem:
        return ReadOnlySystem(self.root, this_hardware=self.this_hardware, secrets=self._secrets)
