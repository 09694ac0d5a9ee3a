"""The swap partition of the root's disk: present behind the root partition, or absent, with the root grown over it.

Owns the next partition behind the root's if its type is swap, the end of the root partition, and the size of the root
file system, which fills it. The root partition's start never moves, it never becomes smaller, and nothing else in the
table changes. An existing swap partition stays as it is: `label` is for a new one. `swap` makes the machine use it.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from attrs.converters import optional

from converge.errors import ProviderError
from converge.model import Change, Domain, Effect, Thing, Value
from converge.providers.protocol import (
    ABSENT,
    NO_PARAMETER,
    PRESENT,
    SEEN,
    Declared,
    Desired,
    Params,
    Traits,
    values,
)
from converge.providers.swap.partition import changing, layout
from converge.providers.swap.partition.changing import Work
from converge.providers.swap.partition.layout import Layout
from converge.providers.swap.partition_table.table import gap_end, grown, listing, with_swap, without
from converge.providers.swap.sizes import MIB, size_in_bytes
from converge.system import ReadOnlySystem, System
from converge.system.store import address_of
from converge.values import size_words

traits = Traits(
    domain=Domain.MACHINE,
    groups=(("ensure", "size", "label", "root_size", "unfinished", "table"),),
    added="created",
)

SMALLEST = MIB
"""Bytes; partitions are aligned to it."""
PLACE = "behind the root partition"


@frozen
class Spec:
    ensure: str = PRESENT
    size: int | None = field(default=None, converter=optional(size_in_bytes))
    label: str = "swap"
    grow_root: bool = True
    free_at_least: int = field(default=0, converter=size_in_bytes)


@frozen
class State:
    ensure: str
    size: int | None
    label: str | None
    root_size: int
    unfinished: bool
    table: tuple[str, ...]
    saved: str = field(metadata=SEEN)
    """The address of the table as `sfdisk --dump` prints it; the store keeps it when the table is changed."""
    layout: Layout = field(metadata=NO_PARAMETER)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.ensure == ABSENT and (excluded := [name for name in params if name != "ensure"]):
        message = f"`{excluded[0]}` cannot be used with `ensure: absent`"
        raise ProviderError(message, hint=f"remove `{excluded[0]}`")
    if spec.ensure == PRESENT and spec.size is None:
        raise ProviderError("`size` is required unless `ensure: absent`", hint="add `size`, such as `size: 4GiB`")
    if spec.size is not None and spec.size < SMALLEST:
        message = f"`size` is too small for a swap partition: {spec.size} bytes"
        raise ProviderError(message, hint="set `size` to at least 1MiB")
    return spec


def thing(spec: Spec) -> Thing:  # noqa: ARG001  (there is one such partition)
    return Thing("swap partition", PLACE, "swap-partition", PLACE)


def declared(spec: Spec) -> Declared:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    return {"ensure": PRESENT, "size": spec.size, "label": spec.label}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:  # noqa: ARG001  (there is one such partition)
    found = layout.find(system)
    table, swap = found.table, found.swap
    return State(
        ensure=found.ensure,
        size=table.bytes_of(swap.size) if swap else None,
        label=found.use.label,
        root_size=table.bytes_of(found.root_row.size),
        unfinished=found.begun is not None,
        table=listing(table),
        saved=address_of(found.dump),
        layout=found,
    )


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:  # noqa: ARG001  (all is in the state)
    """ProviderError if the table has no room for what is declared."""
    if idle(spec, state):
        return {}
    found, fields = state.layout, dict[str, Value]()
    table, end = found.table, found.end_begun
    if spec.ensure == ABSENT and found.swap:
        table = without(table, found.swap.number)
        end = min(found.swap.end, gap_end(table, found.root_row))
        fields = {"ensure": ABSENT}
    elif spec.ensure == PRESENT and not found.swap:
        table, made = with_swap(table, found.root, spec.size or 0, spec.label)
        end = gap_end(table, found.root_row) if spec.grow_root else None
        fields = {"ensure": PRESENT, "size": table.bytes_of(made.size), "label": spec.label}
    if end is not None:
        table = grown(table, found.root, end)
    root_size = table.bytes_of(table.row(found.root).size)
    return {**fields, "unfinished": False, "root_size": root_size, "table": listing(table)}


def check(spec: Spec, state: State, changes: tuple[Change, ...]) -> None:
    after = values(changes)
    if spec.size and state.size is not None and state.size < spec.size:
        found, requested = size_words(state.size), size_words(spec.size)
        hint = f"set `size` to at most {found}, or remove it first by a resource with `ensure: absent`"
        raise ProviderError(f"{state.layout.use.node} has {found}, but {requested} are requested", hint=hint)
    if after.get("ensure") == ABSENT:
        layout.require_removable(state.layout.use)
    if changes:
        layout.require_changeable(state.layout, grows="root_size" in after)


def idle(spec: Spec, state: State) -> str:
    """Why nothing is done although the swap partition is missing, or another one exists."""
    found = state.layout
    if found.swap or found.begun:
        return ""
    if found.elsewhere:
        if spec.ensure == ABSENT:
            return f"the swap partition {found.elsewhere} is not directly behind the root partition"
        return f"the swap partition {found.elsewhere} exists, but not directly behind the root partition"
    if spec.ensure == PRESENT and found.free < spec.free_at_least:
        required = size_words(spec.free_at_least)
        return f"{size_words(found.free)} are free behind the root partition; `free_at_least` requires {required}"
    return ""


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:  # noqa: ARG001
    """A root partition never becomes smaller, not even to undo a change."""
    if changes:
        found = layout.find(system)
        work = _work(found, values(changes))
        if work.removes:
            layout.require_removable(found.use)
        if work != Work() or found.begun:
            layout.require_changeable(found, grows=work.end is not None)
            changing.carry_out(system, found, work)
    return ()


def _work(found: Layout, after: Mapping[str, Any]) -> Work:
    """The work that the changes require on the disk as it is: some of it may be done already."""
    root, ensure = found.root_row, after.get("ensure")
    end = found.end_begun
    if "root_size" in after:
        end = root.start + after["root_size"] // found.table.sector - 1
    if ensure == PRESENT and found.swap is None:
        return Work(makes=after["size"], label=after.get("label") or "", end=end)
    return Work(removes=found.swap if ensure == ABSENT else None, end=end)
