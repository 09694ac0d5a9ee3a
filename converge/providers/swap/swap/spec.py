"""The parameters, the state and the names of a swap."""

from attrs import field, frozen
from attrs.converters import optional

from converge.providers.paths import checked_path
from converge.providers.protocol import NO_PARAMETER, PRESENT
from converge.providers.swap.sizes import size_in_bytes
from converge.system import ReadOnlySystem, disks

UNIT, FSTAB, NEVER = "unit", "fstab", "never"
AUTO = "auto"
"""systemd-gpt-auto-generator(8) turns a partition on because of its type, if fstab does not contain any swap."""
MODE = "0600"
"""Only root may read the data that is swapped out."""
PAGE = 4096
"""Bytes."""


def _pages(value: int | str) -> int:
    """Whole pages: the kernel swaps only those."""
    return size_in_bytes(value) // PAGE * PAGE


@frozen
class Spec:
    path: str | None = field(default=None, converter=optional(checked_path))
    device: str | None = None
    ensure: str = PRESENT
    size: int | None = field(default=None, converter=optional(_pages))
    percent: int | None = None
    minimum: int | None = field(default=None, converter=optional(_pages))
    maximum: int | None = field(default=None, converter=optional(_pages))
    keep_free: int | None = field(default=None, converter=optional(_pages))
    priority: int | None = None
    discard: str | None = None
    at_boot: str = UNIT

    @property
    def source(self) -> str:
        """Its name in fstab(5)."""
        return self.path or str(self.device)

    @property
    def node(self) -> str:
        """Its path; the path of a partition is a link that udev makes."""
        return self.path or disks.link_of(self.source)


def node(system: ReadOnlySystem, spec: Spec) -> str:
    """Its path in a unit. The path must not have links, because the unit waits for the mounts on the way to it."""
    return system.resolve(spec.path) if spec.path else spec.node


@frozen
class State:
    ensure: str | None
    """None for a partition, which converge neither makes nor removes."""
    size: int | None = None
    mode: str | None = None
    active: bool | None = None
    at_boot: str = NEVER
    priority: int | None = None
    discard: str | None = None
    unusable: str = field(default="", metadata=NO_PARAMETER)
    """Why the machine cannot swap here; empty if it can."""
    resumes: bool = field(default=False, metadata=NO_PARAMETER)
    """The machine wakes from hibernation by it."""
    full: bool = field(default=False, metadata=NO_PARAMETER)
    """More is swapped out to it than memory would hold."""
    free: int = field(default=0, metadata=NO_PARAMETER)
    """Bytes that are available for the file."""
