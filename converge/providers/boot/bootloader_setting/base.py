"""What has the settings of a boot loader."""

from typing import Protocol

from converge.system import ReadOnlySystem, System

TIMEOUT = "timeout"


class Place(Protocol):
    """A file with settings, and what has to be made of it."""

    def path(self, system: ReadOnlySystem) -> str:
        """The file that a change is made in."""

    def read(self, system: ReadOnlySystem, setting: str) -> str | None:
        """The value that counts; None where it is not set."""

    def require_changeable(self, system: ReadOnlySystem) -> None:
        """ProviderError where a change would be of no use, Later where it cannot be made yet."""

    def write(self, system: System, setting: str, value: str | None) -> None:
        """Set it, or unset it."""
