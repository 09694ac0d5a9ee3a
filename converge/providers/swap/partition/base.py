"""The parameters and the state of the swap partition, and what stands in the way of changing it."""

from attrs import field, frozen
from attrs.converters import optional

from converge.errors import Later, ProviderError
from converge.providers.protocol import ABSENT, DERIVED, PRESENT, SEEN, Params, size_in_bytes
from converge.providers.swap import hibernation, swaps
from converge.providers.swap.partition_table.base import Row, Table, free_behind, gap_end, swap_behind
from converge.providers.swap.partition_table.begun import Begun

SMALLEST = 1 << 20
"""Bytes; what partitions are aligned to."""
SWAP_CONTENTS = ("", "swap")
"""What may be lost with a swap partition: a swap, or nothing that blkid(8) knows."""


@frozen
class Spec:
    ensure: str = PRESENT
    size: int | None = field(default=None, converter=optional(size_in_bytes))
    label: str = "swap"
    grow_root: bool = True
    free_at_least: int = field(default=0, converter=size_in_bytes)


def checked(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.ensure == ABSENT and (unfit := [name for name in params if name != "ensure"]):
        raise ProviderError(f"`{unfit[0]}` is for a swap partition that is wanted", hint="leave it out")
    if spec.ensure == PRESENT and spec.size is None:
        raise ProviderError("a swap partition has a size", hint="say `size`")
    if spec.size is not None and spec.size < SMALLEST:
        raise ProviderError(f"a swap partition of {spec.size} bytes is of no use", hint="give it 1MiB at least")
    return spec


@frozen
class Use:
    """What the swap partition is used for; nothing where there is none."""

    node: str = ""
    label: str | None = None
    """None where it holds no swap."""
    content: str = ""
    """What it holds, in words of blkid(8); empty where nothing is known."""
    busy: str = ""
    """What uses it, but for swapping; empty where nothing does."""
    full: bool = False
    """More is swapped out to it than memory would hold."""
    resumes: bool = False
    """The machine wakes from hibernation by what is on it."""


@frozen
class Layout:
    """The disk that the root is on, as far as it decides what can be done with it."""

    node: str
    """Of the disk, below /dev."""
    table: Table
    dump: bytes
    """The table as sfdisk(8) tells it."""
    root: int
    """The number of the root partition."""
    begun: Begun | None
    """A change that is not finished."""
    elsewhere: str
    """The node of a swap partition that is not the next one behind the root."""
    locked: str
    """Why nothing on the disk can be changed; empty where that is not so."""
    stale: str
    """In what the running kernel does not know the table as it is; empty where it does."""
    rigid: str
    """Why the root file system cannot grow; empty where it can."""
    use: Use

    @property
    def root_row(self) -> Row:
        return self.table.row(self.root)

    @property
    def swap(self) -> Row | None:
        return swap_behind(self.table, self.root_row)

    @property
    def ensure(self) -> str:
        return PRESENT if self.swap else ABSENT

    @property
    def free(self) -> int:
        """Bytes that are free behind the root partition."""
        return self.table.bytes_of(free_behind(self.table, self.root_row))

    @property
    def end_begun(self) -> int | None:
        """The last sector of the root partition after the growth that was begun.

        None where that leads nowhere: it was not come to, something else is there by now, or there is none.
        """
        end, row = self.begun.end if self.begun else None, self.root_row
        if self.begun is None or end is None or not row.end <= end <= gap_end(self.table, row):
            return None
        return end if row.end == end or self.begun.ensure == self.ensure else None


@frozen
class State:
    ensure: str
    size: int | None
    label: str | None
    root_size: int
    unfinished: bool
    table: tuple[str, ...]
    saved: str = field(metadata=SEEN)
    """The address of the table as sfdisk(8) tells it; the store has it from when it is changed."""
    layout: Layout = field(metadata=DERIVED)


def require_changeable(layout: Layout, *, grows: bool) -> None:
    """ProviderError, or Later, where the table, or with `grows` the root file system, cannot be changed."""
    if layout.locked:
        raise ProviderError(layout.locked, hint="is there a switch on it that protects it?")
    if grows and layout.rigid:
        raise ProviderError(layout.rigid, hint="say `grow_root: false` if one is wanted, or leave this out by `when`")
    if layout.stale:
        raise Later(f"the running kernel does not know the table of {layout.node} as it is: {layout.stale}", "reboot")


def require_removable(use: Use) -> None:
    """ProviderError, or Later, where the swap partition cannot be taken away."""
    if use.content not in SWAP_CONTENTS:
        hint = "the table says that it is for swap: change its type, or remove it by hand"
        raise ProviderError(f"{use.node} holds {use.content}, which would be lost", hint=hint)
    if use.resumes:
        raise hibernation.needed(use.node)
    if use.busy:
        raise Later(f"{use.node} is in use: {use.busy}", "idle")
    if use.full:
        raise swaps.not_leavable(use.node)
