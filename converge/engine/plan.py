"""Put a plan together: every instance decided in order, and what the decisions mean for each other. Reads only."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from attrs import evolve, frozen

from converge.engine.decide import decide
from converge.engine.expand import Instance, expand
from converge.engine.ledger import Ledgers
from converge.engine.occasion import Occasion
from converge.engine.step import Plan, Step, in_order
from converge.errors import ConvergeError
from converge.facts import Facts
from converge.model import Action, Claim, Decision, Phase, Product, Resource, Value
from converge.providers.protocol import optional, parts_of
from converge.system import ReadOnlySystem

UNSATISFIED = (Decision.FAILED, Decision.BLOCKED, Decision.OWED)


@frozen
class Planner:
    """What every decision of one run is made with."""

    system: ReadOnlySystem
    ledgers: Ledgers
    occasion: Occasion
    facts: Facts
    phase: Phase = Phase.ONLINE

    def plan(self, product: Product) -> Plan:
        instances = _yielding(expand(product, self.facts))
        by_id = {instance.id: instance for instance in instances}
        needs = _named(instances, lambda resource: resource.needs)
        follows = _named(instances, lambda resource: resource.follows)
        steps: dict[str, Step] = {}
        for id_ in in_order({id_: (*needs[id_], *follows[id_]) for id_ in needs}):
            steps[id_] = self.step(by_id[id_], needs[id_], follows[id_], steps)
        decided = _met(tuple(steps.values()))
        return Plan(product, self.occasion.events, self.occasion.adopting, decided, phase=self.phase)

    def step(
        self, instance: Instance, needs: tuple[str, ...], follows: tuple[str, ...], before: Mapping[str, Step]
    ) -> Step:
        """Decide one instance after those that it needs and follows (`before`, by id)."""
        needed, followed = [before[id_] for id_ in needs], [before[id_] for id_ in follows]
        waits = [step for step in needed if step.decision is Decision.APPLY]
        step = decide(instance, self.ledgers, self.system, self.occasion, needs=needs, waits=waits, follows=followed)
        return _in_phase(blocked(step, needed), [*needed, *followed], self.phase)


def blocked(step: Step, needed: Iterable[Step]) -> Step:
    """The step, blocked if it would change something and what it needs is not there."""
    missing = [f"'{each.id}' is {each.decision}" for each in needed if each.decision in UNSATISFIED]
    if step.decision is not Decision.APPLY or not missing:
        return step
    reason = f"needs what is not there: {', '.join(missing)}"
    return evolve(step, decision=Decision.BLOCKED, action=Action.NONE, changes=(), reason=reason)


def _in_phase(step: Step, needed: Iterable[Step], phase: Phase) -> Step:
    """A step runs in no earlier phase than what it needs, and is owed in a run that ends before its phase."""
    later = [each.phase for each in needed if each.decision in (Decision.APPLY, Decision.OWED)]
    step = evolve(step, phase=max((step.phase, *later), key=lambda each: each.rank))
    if step.decision is not Decision.APPLY or step.phase.rank <= phase.rank:
        return step
    reason = f"waits for the {step.phase} phase"
    return evolve(step, decision=Decision.OWED, action=Action.NONE, changes=(), reason=reason)


def _named(instances: tuple[Instance, ...], names: Callable[[Resource], tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Per instance the instances that it names; the id of a `for_each` stands for all of its elements."""
    elements: dict[str, list[str]] = defaultdict(list)
    for instance in instances:
        elements[instance.resource.id].append(instance.id)
        if instance.is_element:
            elements[instance.id].append(instance.id)
    return {
        instance.id: tuple(id_ for name in names(instance.resource) for id_ in elements.get(name, ()))
        for instance in instances
    }


def _yielding(instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """A claim on one path wins over a tree's: providers of trees are told which paths to leave out."""
    owned = {
        claim.thing
        for instance in instances
        if instance.condition is True
        for claim in instance.claims
        if claim.kind == "path" and claim.field in ("owner", "group", "mode")
    }
    return tuple(_yield(instance, owned) for instance in instances)


def _yield(instance: Instance, owned: set[str]) -> Instance:
    rule = optional(instance.provider, "yield_to", None) if instance.provider else None
    if rule is None or instance.spec is None:
        return instance
    try:
        return evolve(instance, spec=rule(instance.spec, tuple(sorted(owned))))
    except ConvergeError as error:
        return evolve(instance, error=error)


def _met(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """What the steps mean for each other.

    Two that would give one field different values both fail, and what needs them is blocked. Where they would give it
    the same value, whether there is anything left for the later one is known once the earlier one is done.
    """
    changed: dict[_Field, dict[str, Value]] = defaultdict(dict)
    wanted: dict[_Field, dict[str, Value]] = defaultdict(dict)
    for step in steps:
        for key, value in _claimed(step):
            wanted[key][step.id] = value
        for key, value in _changed(step):
            wanted[key][step.id] = changed[key][step.id] = value
    quarrels = {id_: (key, rest) for key, values in wanted.items() for id_, rest in _disagreeing(values)}
    repeats = {id_: next(iter(values)) for values in changed.values() for id_ in list(values)[1:]}
    decided: dict[str, Step] = {}
    for step in steps:
        if step.id in quarrels:
            step = _quarrelling(step, *quarrels[step.id])
        elif step.id in repeats:
            step = evolve(step, certain=False, reason=f"to be known once '{repeats[step.id]}' is done")
        decided[step.id] = blocked(step, [decided[id_] for id_ in step.needs]) if quarrels else step
    return tuple(decided.values())


_Field: TypeAlias = tuple[str, str, str]
"""A claim's kind, thing and field, or part of one."""


def _claimed(step: Step) -> list[tuple[_Field, Value]]:
    """What a step that changes something insists on besides, where that is known."""
    if step.decision is not Decision.APPLY or not step.certain:
        return []
    kept = {change.field for change in step.kept}
    claims = [claim for claim in step.work.instance.claims if claim.value is not None and claim.field not in kept]
    return [part for claim in claims for part in _valued(claim, claim.value)]


def _changed(step: Step) -> list[tuple[_Field, Value]]:
    """What a step changes; two opaque ones do different things, however much they look alike."""
    if step.decision is not Decision.APPLY or optional(step.work.instance.provider, "OPAQUE", False):
        return []
    claims = {claim.field: claim for claim in step.work.instance.claims}
    changes = [change for change in step.changes if change.field in claims]
    return [part for change in changes for part in _valued(claims[change.field], change.after)]


def _valued(claim: Claim, value: Value) -> list[tuple[_Field, Value]]:
    """What a claim is on, with the value it is to have; of a map each part by itself."""
    return [((claim.kind, claim.thing, name), part) for name, part in parts_of(claim.field, value)]


def _disagreeing(values: Mapping[str, Value]) -> list[tuple[str, list[str]]]:
    if all(value == next(iter(values.values())) for value in values.values()):
        return []
    return [(id_, [other for other in values if values[other] != values[id_]]) for id_ in values]


def _quarrelling(step: Step, key: _Field, others: list[str]) -> Step:
    kind, thing, field = key
    names = " and ".join(f"'{other}'" for other in others)
    reason = f"claims {field} of {kind} {thing} with another value than {names}; change one of them, or its `when`"
    return evolve(step, decision=Decision.FAILED, action=Action.NONE, changes=(), reason=reason)
