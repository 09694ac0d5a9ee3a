"""The parameters and the state of a swap, and the names that it goes by."""

from attrs import field, frozen
from attrs.converters import optional

from converge.errors import ProviderError, shown
from converge.providers.protocol import DERIVED, PRESENT, Params, checked_path, size_in_bytes
from converge.system import ReadOnlySystem, disks

UNIT, FSTAB, NEVER = "unit", "fstab", "never"
AUTO = "auto"
"""systemd-gpt-auto-generator(8) has a partition swapped to by its type, where fstab says nothing of any swap."""
MODE = "0600"
"""Only root is to read what is swapped out."""
PAGE = 4096
SMALLEST = 1 << 20
"""Bytes; mkswap(8) wants ten pages."""


def _pages(value: int | str) -> int:
    """Whole pages: the kernel swaps nothing else."""
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
        """How fstab(5) names it."""
        return self.path or str(self.device)

    @property
    def node(self) -> str:
        """Its path; that of a partition is a link that udev makes."""
        return self.path or disks.link_of(self.source)


def node(system: ReadOnlySystem, spec: Spec) -> str:
    """How a unit names it. It waits for what is mounted on the way to the path, so there are to be no links on it."""
    return system.resolve(spec.path) if spec.path else spec.node


@frozen
class State:
    ensure: str | None
    """None of a partition, which converge neither makes nor removes."""
    size: int | None = None
    mode: str | None = None
    active: bool | None = None
    at_boot: str = NEVER
    priority: int | None = None
    discard: str | None = None
    what: str = field(default="", metadata=DERIVED)
    """Why nothing can be swapped to here; empty where that is not so."""
    resumes: bool = field(default=False, metadata=DERIVED)
    """The machine wakes from hibernation by what is on it."""
    full: bool = field(default=False, metadata=DERIVED)
    """More is swapped out to it than memory would hold."""
    free: int = field(default=0, metadata=DERIVED)
    """Bytes that the file could have."""
    total: int = field(default=0, metadata=DERIVED)
    """Bytes of the file system."""


def checked(params: Params) -> Spec:
    spec = Spec(**params)
    if (spec.path is None) == (spec.device is None):
        raise ProviderError("a swap is a file or a partition", hint="say `path`, or `device`, and not both")
    if spec.path and (not spec.path.isprintable() or spec.path.endswith(("\\", " "))):
        hint = "choose one without control characters, and without a blank or backslash at its end"
        raise ProviderError(f"no unit can name the path '{shown(spec.path)}'", hint=hint)
    for name in ("size", "percent", "minimum", "maximum", "keep_free"):
        if spec.device and getattr(spec, name) is not None:
            hint = "a partition is as large as it is: see `swap-partition`"
            raise ProviderError(f"`{name}` is for a file, and `device` is a partition", hint=hint)
    _check_size(spec)
    return spec


def _check_size(spec: Spec) -> None:
    if spec.path and spec.ensure == PRESENT and (spec.size is None) == (spec.percent is None):
        raise ProviderError("a swap file has a size", hint="say `size`, or `percent` of its file system, and not both")
    if spec.percent is None and (spec.minimum, spec.maximum) != (None, None):
        raise ProviderError("`minimum` and `maximum` are bounds of `percent`", hint="say `percent`, or leave them out")
    if spec.minimum is not None and spec.maximum is not None and spec.minimum > spec.maximum:
        raise ProviderError("`minimum` is more than `maximum`", hint="exchange them")
    for size in (spec.size, spec.maximum):
        if size is not None and size < SMALLEST:
            raise ProviderError(f"a swap file of {size} bytes is of no use", hint="give it 1MiB at least")
