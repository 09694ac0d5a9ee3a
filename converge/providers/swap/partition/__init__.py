"""The swap partition of the disk that the root is on: there, behind the root partition, or gone, and that in its place.

Owns the next partition behind the root's if the table says that it is for swap, where the root partition ends, and that
the root file system fills it. The root partition's start never moves, it never becomes smaller, and nothing else in the
table changes. One that is there already stays as it is: `label` is for a new one. `swap` has the machine use it.
"""

from collections.abc import Mapping
from typing import Any

from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.protocol import ABSENT, PRESENT, Params, differing, every_field, values
from converge.providers.swap.partition import changing, finding
from converge.providers.swap.partition.base import Layout, Spec, State, checked, require_changeable, require_removable
from converge.providers.swap.partition.changing import Work
from converge.providers.swap.partition_table.base import Table, gap_end, grown, told, with_swap, without
from converge.system import ReadOnlySystem, System
from converge.values import size_words

TYPE = "swap-partition"
GROUPS = (("ensure", "size", "label", "root_size", "unfinished", "table"),)


def parse(params: Params) -> Spec:
    return checked(params)


def claims(spec: Spec) -> tuple[Claim, ...]:
    wanted: dict[str, Value] = {"ensure": spec.ensure}
    if spec.ensure == PRESENT:
        wanted |= {"size": spec.size, "label": spec.label}
    return tuple(Claim(TYPE, "behind the root partition", name, value) for name, value in wanted.items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol's)
    return every_field(State, Domain.MACHINE)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:  # noqa: ARG001  (there is one such place)
    return finding.state(system)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if idle(spec, state):
        return ()
    wanted = {**_wanted(spec, state), "unfinished": False}
    changes = differing(wanted, state)
    if changes:
        require_changeable(state.layout, grows="root_size" in wanted and wanted["root_size"] != state.root_size)
    return changes


def _wanted(spec: Spec, state: State) -> dict[str, Value]:
    """The fields that are to change."""
    layout, swap = state.layout, state.layout.swap
    table, fields = layout.table, dict[str, Value]()
    end = layout.end_begun
    if spec.ensure == ABSENT and swap:
        require_removable(layout.use)
        table = without(table, swap.number)
        end = min(swap.end, gap_end(table, layout.root_row))
        fields = {"ensure": ABSENT}
    elif spec.ensure == PRESENT and swap:
        _require_large_enough(spec, state)
    elif spec.ensure == PRESENT:
        table, made = with_swap(table, layout.root, spec.size or 0, spec.label)
        end = gap_end(table, layout.root_row) if spec.grow_root else None
        fields = {"ensure": PRESENT, "size": table.bytes_of(made.size), "label": spec.label}
    return {**fields, **_of_table(table if end is None else grown(table, layout.root, end), layout.root)}


def _of_table(table: Table, root: int) -> dict[str, Value]:
    return {"root_size": table.bytes_of(table.row(root).size), "table": told(table)}


def _require_large_enough(spec: Spec, state: State) -> None:
    if spec.size and state.size is not None and state.size < spec.size:
        found, asked = size_words(state.size), size_words(spec.size)
        hint = "ask for no more than there is, or have it removed by a resource that says `ensure: absent` first"
        raise ProviderError(f"{state.layout.use.node} has {found}, and {asked} are asked for", hint=hint)


def idle(spec: Spec, state: State) -> str:
    """Why nothing is done although no such swap partition is there, or another one is."""
    layout = state.layout
    if layout.swap or layout.begun:
        return ""
    if layout.elsewhere:
        place = "is not directly behind the root partition"
        kept = f"the swap partition {layout.elsewhere} {place}"
        return kept if spec.ensure == ABSENT else f"{kept}, but it is there"
    if spec.ensure == PRESENT and layout.free < spec.free_at_least:
        asked = size_words(spec.free_at_least)
        return f"{size_words(layout.free)} are free behind the root partition, and not {asked}"
    return ""


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:  # noqa: ARG001
    """A root partition never becomes smaller, also not for undo."""
    if changes:
        layout = finding.state(system).layout
        work = _work(layout, values(changes))
        if work.removes:
            require_removable(layout.use)
        if work != Work() or layout.begun:
            require_changeable(layout, grows=work.end is not None)
            changing.carry_out(system, layout, work)
    return ()


def _work(layout: Layout, after: Mapping[str, Any]) -> Work:
    """What the changes come to on the disk as it is: some of it may be done."""
    root, ensure = layout.root_row, after.get("ensure")
    end = layout.end_begun
    if "root_size" in after:
        end = root.start + after["root_size"] // layout.table.sector - 1
    if ensure == PRESENT and layout.swap is None:
        return Work(makes=after["size"], label=after.get("label") or "", end=end)
    return Work(removes=layout.swap if ensure == ABSENT else None, end=end)
