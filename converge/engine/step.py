"""The plan as data: steps in the order they run, and what may be said of them as a whole. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from converge.diagnostics import Diagnostic, Mark
from converge.errors import ConvergeError, Until
from converge.model import Action, Change, Decision, Domain, Event, Phase, Policy, Product


@frozen
class Step:
    """What is to become of one instance, and why."""

    id: str
    type: str
    policy: Policy
    event: Event
    action: Action
    decision: Decision
    reason: str
    domains: tuple[Domain, ...]
    phase: Phase
    source: Mark
    why: str | None = None
    certain: bool = True
    """False where it cannot be known before an earlier step has run; it is decided again then."""
    changes: tuple[Change, ...] = ()
    kept: tuple[Change, ...] = ()
    """Differences that are the user's and stay."""
    needs: tuple[str, ...] = ()
    """Ids of instances."""
    until: Until | None = None
    """What an owed step waits for."""
    work: Any = field(default=None, eq=False, repr=False)
    """What the engine needs to carry the step out; no part of the plan that anyone sees."""


@frozen
class Plan:
    """Ordered decisions. `events` has each domain's event; `event` is the machine's."""

    product: Product
    events: Mapping[Domain, Event]
    adopting: bool
    steps: tuple[Step, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    phase: Phase = Phase.ONLINE
    """How far the run goes."""

    @property
    def event(self) -> Event:
        return self.events[Domain.MACHINE]

    @property
    def has_changes(self) -> bool:
        return any(step.decision is Decision.APPLY for step in self.steps)


_COUNTED = {
    Decision.KEEP: "kept",
    Decision.OWED: "owed",
    Decision.IN_PLACE: "in_place",
    Decision.SETTLED: "settled",
    Decision.BASELINE: "settled",
    Decision.NOT_APPLICABLE: "not_applicable",
    Decision.BLOCKED: "blocked",
    Decision.FAILED: "failed",
}
_DONE = {Action.ADD: "add", Action.CHANGE: "change", Action.REMOVE: "remove", Action.NONE: "in_place"}
SUMMARY = ("add", "change", "remove", *dict.fromkeys(_COUNTED.values()))


def counted_as(step: Step) -> str:
    """The name in the summary under which a step counts. A step that is yet to be known counts as a change."""
    if step.decision is Decision.APPLY:
        return _DONE[step.action] if step.certain else "change"
    return _COUNTED[step.decision]


def summary(steps: Iterable[Step]) -> dict[str, int]:
    """How many steps there are of each kind, every kind named."""
    counts = dict.fromkeys(SUMMARY, 0)
    for step in steps:
        counts[counted_as(step)] += 1
    return counts


def in_order(needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The ids so that each comes after what it needs and otherwise in the order given. ConvergeError on a cycle."""
    ordered: dict[str, None] = {}
    for id_ in needs:
        if id_ not in ordered:
            _visit(id_, needs, ordered)
    return list(ordered)


def _visit(id_: str, needs: Mapping[str, tuple[str, ...]], ordered: dict[str, None]) -> None:
    """Put an id in order, after all that it needs; a chain of needs may be longer than Python's recursion limit."""
    path = {id_: iter(needs[id_])}
    while path:
        last = next(reversed(path))
        needed = next((each for each in path[last] if each not in ordered), None)
        if needed is None:
            ordered[last] = None
            del path[last]
        elif needed in path:
            raise _circle([*path, needed])
        else:
            path[needed] = iter(needs[needed])


def _circle(path: list[str]) -> ConvergeError:
    """The last id of the path is in it already."""
    circle = " needs ".join(f"'{each}'" for each in path[path.index(path[-1]) :])
    return ConvergeError(f"resources need each other in a circle: {circle}", hint="remove one of these `needs`")
