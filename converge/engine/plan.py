"""Make a plan: decide every step in order, then resolve conflicts between the decisions. Reads only."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from attrs import evolve, frozen

from converge.diagnostics import Diagnostic
from converge.engine import reasons
from converge.engine.decide import decide
from converge.engine.expand import expand
from converge.engine.ledger import Ledgers
from converge.engine.occasion import Occasion
from converge.engine.orphans import Orphan, orphans
from converge.engine.step import Step
from converge.errors import ConvergeError
from converge.facts import Facts
from converge.model import Action, Claim, Decision, Depends, Domain, Event, Phase, Product, Resource, Value
from converge.providers.protocol import parts_of
from converge.system import ReadOnlySystem

UNSATISFIED = (Decision.FAILED, Decision.BLOCKED, Decision.OWED)


@frozen
class Plan:
    """Ordered decisions. `events` has each domain's event; `event` is the machine's."""

    product: Product
    events: Mapping[Domain, Event]
    adopting: bool
    steps: tuple[Step, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    phase: Phase = Phase.ONLINE
    """The last phase of the run."""
    orphans: tuple[Orphan, ...] = ()
    """Resources in the ledgers that the product no longer declares. Nothing is undone."""
    root: str = "/"
    source: str = ""
    """The path of the product's manifest, if it was named by its path."""
    versions: tuple[str, str] = ("", "")
    """The OS version before this deployment, and this deployment's; empty if it is not known."""

    @property
    def event(self) -> Event:
        return self.events[Domain.MACHINE]

    @property
    def has_changes(self) -> bool:
        return any(step.decision is Decision.APPLY for step in self.steps)

    @property
    def has_failed(self) -> bool:
        return any(step.decision is Decision.FAILED for step in self.steps)


@frozen
class Planner:
    """The inputs that all decisions of one run share."""

    system: ReadOnlySystem
    ledgers: Ledgers
    occasion: Occasion
    facts: Facts
    phase: Phase = Phase.ONLINE

    def plan(self, product: Product) -> Plan:
        undecided = _yielding(expand(product, self.facts))
        by_id = {step.id: step for step in undecided}
        needs = _named(undecided, lambda resource: resource.needs)
        follows = _named(undecided, lambda resource: resource.follows)
        steps: dict[str, Step] = {}
        for id_ in in_order({id_: (*needs[id_], *follows[id_]) for id_ in needs}):
            steps[id_] = self.decide(evolve(by_id[id_], needs=needs[id_], follows=follows[id_]), steps)
        decided = _agreed(tuple(steps.values()))
        previous, version = self.occasion.previous_version.text or "", self.occasion.deployment.version
        return Plan(
            product,
            self.occasion.events,
            self.occasion.adopting,
            decided,
            phase=self.phase,
            orphans=orphans(product, decided, self.ledgers),
            root=self.system.root,
            versions=(previous, version),
        )

    def decide(self, step: Step, before: Mapping[str, Step]) -> Step:
        """Decide a step after those that it needs and follows (`before`, by id)."""
        needed, followed = [before[id_] for id_ in step.needs], [before[id_] for id_ in step.follows]
        waits = [each for each in needed if each.decision is Decision.APPLY]
        step = decide(step, self.ledgers, self.system, self.occasion, waits=waits, follows=followed)
        return _in_phase(blocked(step, needed), [*needed, *followed], self.phase)


def blocked(step: Step, needed: Iterable[Step]) -> Step:
    """The step, blocked if it would change something and a dependency is not in place."""
    missing = [each for each in needed if each.decision in UNSATISFIED]
    if step.decision is not Decision.APPLY or not missing:
        return step
    reason = ", ".join(f"dependency '{each.id}' {reasons.UNSATISFIED[each.decision]}" for each in missing)
    return evolve(
        step, decision=Decision.BLOCKED, action=Action.NONE, changes=(), reason=reason, reason_code="dependency"
    )


def _in_phase(step: Step, needed: Iterable[Step], phase: Phase) -> Step:
    """A step runs in the phase of its dependencies or later, and is owed in a run that ends before its phase."""
    later = [each.phase for each in needed if each.decision in (Decision.APPLY, Decision.OWED)]
    step = evolve(step, phase=max((step.phase, *later), key=lambda each: each.rank))
    if step.decision is not Decision.APPLY or step.phase.rank <= phase.rank:
        return step
    reason = f"waits for the {step.phase} phase"
    return evolve(
        step, decision=Decision.OWED, action=Action.NONE, changes=(), reason=reason, reason_code="later-phase"
    )


def _named(steps: tuple[Step, ...], names: Callable[[Resource], tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The steps that each step names; the id of a `for_each` includes all of its elements."""
    elements: dict[str, list[str]] = defaultdict(list)
    for step in steps:
        elements[step.resource.id].append(step.id)
        if step.is_element:
            elements[step.id].append(step.id)
    return {step.id: tuple(id_ for name in names(step.resource) for id_ in elements.get(name, ())) for step in steps}


def _yielding(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """A claim on one path wins over a tree's: providers of trees leave these paths out."""
    owned = {
        claim.thing.recorded.removeprefix("path:")
        for step in steps
        if step.condition is True
        for claim in step.claims
        if claim.thing.kind == "path" and claim.field in ("owner", "group", "mode")
    }
    return tuple(_yield(step, owned) for step in steps)


def _yield(step: Step, owned: set[str]) -> Step:
    rule = step.provider.yield_to if step.provider else None
    if rule is None or step.spec is None:
        return step
    try:
        return evolve(step, spec=rule(step.spec, tuple(sorted(owned))))
    except ConvergeError as error:
        return evolve(step, error=error)


_Field: TypeAlias = tuple[str, str]
"""A thing as ledgers spell it, and a field of it, or part of one."""


def _agreed(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Resolve conflicts between the steps.

    Two steps that would set one field to different values both fail, and steps that need them are blocked. If the
    values are equal, the later step is decided after the earlier one is applied.
    """
    changed: dict[_Field, dict[str, Value]] = defaultdict(dict)
    wanted: dict[_Field, dict[str, Value]] = defaultdict(dict)
    for step in steps:
        for key, value in _required(step):
            wanted[key][step.id] = value
        for key, value in _changed(step):
            wanted[key][step.id] = changed[key][step.id] = value
    conflicts = {id_: (key, rest) for key, values in wanted.items() for id_, rest in _disagreeing(values)}
    repeats = {id_: next(iter(values)) for values in changed.values() for id_ in list(values)[1:]}
    decided: dict[str, Step] = {}
    for step in steps:
        if step.id in conflicts:
            step = _conflicting(step, *conflicts[step.id])
        elif step.id in repeats:
            step = evolve(step, certain=False, reason=reasons.after([repeats[step.id]]), reason_code="after-dependency")
        decided[step.id] = blocked(step, [decided[id_] for id_ in step.needs]) if conflicts else step
    return tuple(decided.values())


def _required(step: Step) -> list[tuple[_Field, Value]]:
    """The values that a step requires in addition to its changes, if they are known."""
    if step.decision is not Decision.APPLY or not step.certain:
        return []
    kept = {change.field for change in step.kept}
    return [
        part
        for claim in step.claims
        if not isinstance(claim.value, Depends) and claim.value is not None and claim.field not in kept
        for part in _valued(claim, claim.value)
    ]


def _changed(step: Step) -> list[tuple[_Field, Value]]:
    """The values that a step changes. Opaque steps are left out: two that look alike do different things."""
    if step.decision is not Decision.APPLY or step.is_opaque:
        return []
    claims = {claim.field: claim for claim in step.claims}
    changes = [change for change in step.changes if change.field in claims]
    return [part for change in changes for part in _valued(claims[change.field], change.after)]


def _valued(claim: Claim, value: Value) -> list[tuple[_Field, Value]]:
    """The field of a claim with the value that it requires; each part of a map separately."""
    return [((claim.thing.recorded, name), part) for name, part in parts_of(claim.field, value)]


def _disagreeing(values: Mapping[str, Value]) -> list[tuple[str, list[str]]]:
    if all(value == next(iter(values.values())) for value in values.values()):
        return []
    return [(id_, [other for other in values if values[other] != values[id_]]) for id_ in values]


def _conflicting(step: Step, key: _Field, others: list[str]) -> Step:
    names = " and ".join(f"'{other}'" for other in others)
    verb = "wants" if len(others) == 1 else "want"
    thing = next(claim.thing.words for claim in step.claims if claim.thing.recorded == key[0])
    reason = f"{names} {verb} another value for {key[1]} of {thing}: change one of them, or its `when`"
    return evolve(step, decision=Decision.FAILED, action=Action.NONE, changes=(), reason=reason, reason_code="conflict")


def in_order(needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The ids, each after those that it needs, otherwise in the given order. ConvergeError on a cycle."""
    ordered: dict[str, None] = {}
    for id_ in needs:
        if id_ not in ordered:
            _visit(id_, needs, ordered)
    return list(ordered)


def _visit(id_: str, needs: Mapping[str, tuple[str, ...]], ordered: dict[str, None]) -> None:
    """Add an id after all that it needs. No recursion: a chain may be longer than Python's limit."""
    path = {id_: iter(needs[id_])}
    while path:
        last = next(reversed(path))
        needed = next((each for each in path[last] if each not in ordered), None)
        if needed is None:
            ordered[last] = None
            del path[last]
        elif needed in path:
            circle = " needs ".join(f"'{each}'" for each in [*path, needed][list(path).index(needed) :])
            raise ConvergeError(f"resources need each other in a circle: {circle}", hint="remove one of these `needs`")
        else:
            path[needed] = iter(needs[needed])
