"""The places where kinds of systems keep the kernel arguments of the next boot."""

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from converge.providers.boot.bootargs.arguments import Part
from converge.system import ReadOnlySystem, System
from converge.system.bootentries import is_of_ostree

_FOLDERS = ("/efi", "/boot", "/boot/efi")
"""The folders that may contain boot entries (UAPI.1, and bootctl(1))."""


def boot_entries(system: ReadOnlySystem) -> tuple[str, ...]:
    """The boot loader entries, and images that are their own entry, without those of ostree."""
    patterns = ("loader/entries/*.conf", "EFI/Linux/*.efi")
    found = (system.glob(f"{folder}/{pattern}") for folder in _FOLDERS for pattern in patterns)
    return tuple(path for paths in found for path in paths if not is_of_ostree(path.rpartition("/")[2]))


@frozen
class History:
    left: tuple[Part, ...] = ()
    """Command lines that were set here, and that the user rolled back."""
    lost: int = 0
    """How many staged deployments in a row were lost before they booted."""


class Place(Protocol):
    """The place where a kind of system keeps the kernel arguments of the next boot."""

    def rules(self, system: ReadOnlySystem) -> bool:
        """Whether the root keeps them here."""

    def read(self, system: ReadOnlySystem) -> tuple[Part, ...]:
        """The parts of the command line; new arguments go into the first one."""

    def read_lasting(self, system: ReadOnlySystem) -> tuple[Part, ...]:
        """The same, as they would be if the machine lost power now."""

    def require_changeable(self, system: ReadOnlySystem) -> None:
        """Later if they cannot be changed yet."""

    def history(self, system: ReadOnlySystem) -> History:
        """The fate of earlier changes."""

    def write(self, system: System, parts: Sequence[Part], otherwise: Sequence[Part]) -> None:
        """Write the parts, from `read` and changed by `edited`, for the next boot; if that fails, `otherwise`.

        The boot configuration is generated even if the parts are there already: a run may have been killed in between.
        """
