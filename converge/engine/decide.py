"""One instance met with the memory and the machine: policy, inspection and difference make a step. Reads only."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from attrs import evolve, field, frozen

from converge.engine.expand import Instance, over_probe
from converge.engine.ledger import Intent, Ledgers, frozen_value
from converge.engine.occasion import Occasion
from converge.engine.policy import Due, Judgement, due, judge
from converge.engine.step import Step
from converge.errors import ConvergeError, Later, ProviderError
from converge.model import Action, Change, Decision, Domain, Entry, Phase, Policy, Resource, Status, Value
from converge.providers.protocol import ABSENT, PRESENT, AnyProvider, fields_of, is_absent, optional, phase_of
from converge.system import ReadOnlySystem


@frozen
class Half:
    """A resource's share in one domain: what is remembered there, and what policy says of it."""

    domain: Domain
    entry: Entry | None
    intent: Intent | None
    due: Due

    @property
    def base(self) -> Mapping[str, Value]:
        return self.entry.base if self.entry else {}


@frozen
class Work:
    """What the engine needs to carry out a step and to remember it."""

    instance: Instance
    halves: tuple[Half, ...] = ()
    things: tuple[str, ...] = ()
    where: Mapping[str, Domain] = field(factory=dict)
    """Per field of the state, the domain it lives in; nothing where the parameters are unknown."""
    state: Any = None
    applying: tuple[Domain, ...] = ()
    """The domains whose share is due; a half that is settled is left alone."""
    replay: tuple[Change, ...] = ()
    """Changes of an interrupted run that are made again, so that what follows from them is not lost."""
    follows: tuple[str, ...] = ()
    """Ids of the instances after whose changes this one does something."""
    notices: tuple[str, ...] = ()
    """Those of them that have changed, or are about to."""

    @property
    def spec(self) -> Any:  # noqa: ANN401  (the provider's)
        """What is asked here and now: a provider that follows others is told of their changes."""
        notified = (
            optional(self.instance.provider, "notified", None) if self.notices and self.instance.provider else None
        )
        return notified(self.instance.spec, self.notices) if notified else self.instance.spec

    @property
    def due_halves(self) -> tuple[Half, ...]:
        return tuple(half for half in self.halves if half.domain in self.applying)


def provider_of(instance: Instance) -> AnyProvider:
    if instance.provider is None:
        raise instance.error or ConvergeError(f"'{instance.id}' has no provider")
    return instance.provider


def decide(
    instance: Instance,
    ledgers: Ledgers,
    system: ReadOnlySystem,
    occasion: Occasion,
    *,
    needs: tuple[str, ...] = (),
    waits: Collection[Step] = (),
    follows: Collection[Step] = (),
) -> Step:
    """Make the step of an instance.

    It `waits` for the steps, of those that it needs, that are still to be done, and `follows` others. What is in place
    before the change of one that it follows may not be so after it.
    """
    changing = [each for each in follows if each.decision is Decision.APPLY]
    waits = [*waits, *changing]
    notices = dict.fromkeys((*pending_notices(instance, ledgers), *(each.id for each in changing)))
    work = Work(instance, follows=tuple(each.id for each in follows), notices=tuple(notices))
    step = _blank(work, occasion, needs)
    try:
        where = _where(instance, system)
        halves = _halves(instance, ledgers, occasion, where)
        _refuse_undeployed(halves, ledgers)
        work = evolve(work, halves=halves, things=_things(instance), where=where)
        step = _from_policy(evolve(step, work=work, certain=all(each.certain for each in changing)))
        if step.decision is not Decision.APPLY:
            return evolve(step, certain=True)
        inspected = _inspected(step, system)
        return _foreseen(inspected, step, waits, bool(changing)) if waits else inspected
    except Later as later:
        return evolve(step, decision=Decision.OWED, reason=later.message, until=later.until)
    except ConvergeError as error:
        return _uncertain(step, waits) if waits and instance.error is None else _failed(step, error)


def pending_notices(instance: Instance, ledgers: Ledgers) -> tuple[str, ...]:
    """The resources of whose changes, in this run or one that was killed, an instance has still to be told."""
    found = (each for ledger in ledgers for each in ledger.memory.notices(instance.resource, instance.id))
    return tuple(dict.fromkeys(each.cause for each in found))


def _foreseen(found: Step, undecided: Step, waits: Collection[Step], told: bool) -> Step:
    """What was found, as far as the steps that it waits for leave it so; `told`: one that it follows is among them.

    Nobody knows what an opaque one changes, or depends on.
    """
    opaque = any(optional(each.work.instance.provider, "OPAQUE", False) for each in (found, *waits))
    asked_again = found.decision is Decision.IN_PLACE and (told or opaque)
    if asked_again or _is_open(found, waits):
        return _uncertain(undecided, waits)
    return evolve(found, certain=found.certain and not opaque)


def _is_open(step: Step, waits: Collection[Step]) -> bool:
    """What it needs makes the thing that is absent, or changes that on which `only_if` is not met, or what it found."""
    own = step.work.things
    if step.decision is Decision.NOT_APPLICABLE:
        return not step.work.follows and any(not set(own).isdisjoint(each.work.things) for each in waits)
    if any(_overlap(one, other) for each in waits for one in own for other in each.work.things):
        return True
    absent = getattr(step.work.state, "ensure", None) == ABSENT
    return step.decision is Decision.IN_PLACE and absent and not _wants_absence(step)


def _overlap(one: str, other: str) -> bool:
    """Whether two things are paths of which one is the other, or lies below it; ` (…)` behind one says what of it."""
    paths = [thing.partition(":")[2].partition(" (")[0] for thing in (one, other)]
    shorter, longer = sorted(paths, key=len)
    return shorter.startswith("/") and f"{longer}/".startswith(f"{shorter.rstrip('/')}/")


def _wants_absence(step: Step) -> bool:
    return any(claim.field == "ensure" and claim.value == ABSENT for claim in step.work.instance.claims)


def _uncertain(step: Step, waits: Collection[Step]) -> Step:
    names = " and ".join(f"'{id_}'" for id_ in dict.fromkeys(each.id for each in waits))
    reason = f"to be known once {names} is in place"
    return evolve(step, decision=Decision.APPLY, action=Action.CHANGE, certain=False, reason=reason)


def _blank(work: Work, occasion: Occasion, needs: tuple[str, ...]) -> Step:
    resource = work.instance.resource
    return Step(
        id=work.instance.id,
        type=resource.type,
        policy=resource.apply,
        event=occasion.event,
        action=Action.NONE,
        decision=Decision.FAILED,
        reason="",
        domains=(),
        phase=Phase.BOOT,
        source=resource.mark,
        why=resource.why,
        needs=needs,
        work=work,
    )


def _failed(step: Step, error: ConvergeError) -> Step:
    return evolve(step, decision=Decision.FAILED, reason=error.explained)


def _things(instance: Instance) -> tuple[str, ...]:
    return tuple(sorted({f"{claim.kind}:{claim.thing}" for claim in instance.claims}))


def _where(instance: Instance, system: ReadOnlySystem) -> Mapping[str, Domain]:
    if instance.spec is None or instance.provider is None:
        return {}
    return instance.provider.domains(system, instance.spec)


def _halves(instance: Instance, ledgers: Ledgers, occasion: Occasion, where: Mapping[str, Domain]) -> tuple[Half, ...]:
    found = []
    for domain in _domains(instance, ledgers, where):
        memory = ledgers.of(domain).memory
        entry = _matching(memory.find(instance.resource, instance.id), _things(instance))
        entry = entry or _strayed(instance, ledgers)
        intent = memory.intent_of(instance.resource, instance.id)
        intent = intent if intent and _matching(intent.entry, _things(instance)) else None
        remembered = intent.entry if intent else entry
        answer = due(
            instance.resource,
            occasion.events[domain],
            remembered,
            instance.condition,
            adopting=occasion.adopting,
            absent=False,
        )
        if _appeared_later(instance, entry, memory.find(instance.resource, instance.resource.id)):
            reason = f"appeared after '{instance.resource.id}' was settled"
            answer = evolve(answer, decision=Decision.BASELINE, reason=reason)
        found.append(Half(domain, remembered, intent, answer))
    return tuple(found)


def _domains(instance: Instance, ledgers: Ledgers, where: Mapping[str, Domain]) -> tuple[Domain, ...]:
    """Where a resource's state lives; where its parameters are unknown, where it is remembered."""
    if where:
        return tuple(sorted(set(where.values())))
    remembered = [each.domain for each in ledgers if each.memory.find(instance.resource, instance.id)]
    return tuple(remembered) or (Domain.MACHINE,)


def _matching(entry: Entry | None, things: tuple[str, ...]) -> Entry | None:
    """An entry counts only for the same things, where both sides know theirs."""
    return None if entry and things and entry.things and entry.things != things else entry


def _refuse_undeployed(halves: tuple[Half, ...], ledgers: Ledgers) -> None:
    if any(ledgers.of(half.domain).refused for half in halves if half.due.decision is Decision.APPLY):
        raise ConvergeError(
            "this tree has /usr/etc and no deployment: what lives in /etc cannot be remembered here",
            hint="deploy the tree first, and run converge on the deployment",
        )


def _strayed(instance: Instance, ledgers: Ledgers) -> Entry | None:
    """What was remembered when parameters were unknown, and with them the domain: maybe in the wrong ledger.

    While `for_each` was unknown, the debts of the elements stood under the bare id.
    """
    resource = instance.resource
    found = [each.memory.find(resource, instance.id) for each in ledgers]
    loop = [each.memory.find(resource, resource.id) for each in ledgers] if instance.is_element else []
    strayed = [entry for entry in found if entry and entry.has_strayed]
    return next(iter((*strayed, *(entry for entry in loop if entry and not entry.status.settled))), None)


def _appeared_later(instance: Instance, entry: Entry | None, bare: Entry | None) -> bool:
    resource = instance.resource
    settled = bare is not None and bare.status.settled and bare.revision >= resource.revision
    return entry is None and instance.is_element and settled and resource.apply is Policy.ONCE and over_probe(resource)


_LIVELIEST = (Decision.APPLY, Decision.OWED, Decision.NOT_APPLICABLE, Decision.BASELINE, Decision.SETTLED)


def _from_policy(step: Step) -> Step:
    """The step as far as policy alone can say; of two halves the one with more to do speaks."""
    work: Work = step.work
    half = min(work.halves, key=lambda half: _LIVELIEST.index(half.due.decision))
    owed = half.due.decision is Decision.OWED
    return evolve(
        step,
        event=half.due.event,
        decision=half.due.decision,
        reason=half.due.reason + _stale_definition(half, work.instance.resource),
        domains=tuple(each.domain for each in work.halves),
        until="facts" if owed else None,
        work=evolve(work, applying=tuple(h.domain for h in work.halves if h.due.decision is Decision.APPLY)),
    )


def _stale_definition(half: Half, resource: Resource) -> str:
    entry = half.entry
    if half.due.decision is not Decision.SETTLED or entry is None or entry.status is not Status.DONE:
        return ""
    if entry.definition in ("", definition(resource)):
        return ""
    return "; its definition has changed since: raise `revision` to apply it again"


def definition(resource: Resource) -> str:
    """A digest of `with` as written. It decides nothing: it only tells that a settled resource was edited."""
    text = json.dumps(resource.with_, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _inspected(step: Step, system: ReadOnlySystem) -> Step:
    """Meet a step that policy finds due with the state of the machine."""
    work: Work = step.work
    instance, provider = work.instance, provider_of(work.instance)
    if instance.error is not None:
        raise instance.error
    state = provider.inspect(system, instance.spec)
    work = evolve(work, state=state)
    if settled := _adopted_absent(step, work):
        return settled
    unmet = evolve(step, decision=Decision.NOT_APPLICABLE, reason="`only_if` is not met", work=work)
    try:
        difference = provider.diff(work.spec, state)
    except (ProviderError, Later):
        if _guard_met(instance, provider, state):
            raise
        return unmet
    changes = tuple(change for change in difference if work.where[change.field] in work.applying)
    replay = _replay(work, state)
    idle = optional(provider, "idle", None)
    if not changes and not replay and idle and (reason := idle(work.spec, state)):
        return evolve(step, decision=Decision.NOT_APPLICABLE, reason=reason, work=work)
    if changes and not replay and not _guard_met(instance, provider, state):
        return unmet
    judgement = _judged(work, changes)
    step = evolve(
        step,
        changes=judgement.apply,
        kept=judgement.kept,
        action=_action(judgement.apply),
        phase=phase_of(provider, instance.spec, judgement.apply) if judgement.apply else step.phase,
        work=evolve(work, replay=replay),
    )
    return _concluded(step, judgement, adopting=any(half.due.adopting for half in work.halves))


def _adopted_absent(step: Step, work: Work) -> Step | None:
    """Ask policy again, now that it is known whether the thing is absent."""
    if not is_absent(provider_of(work.instance), work.instance.spec, work.state):
        return None
    halves = tuple(
        evolve(half, due=again)
        for half in work.halves
        for again in [
            due(work.instance.resource, half.due.event, half.entry, True, adopting=half.due.adopting, absent=True)
            if half.due.decision is Decision.APPLY
            else half.due
        ]
    )
    step = _from_policy(evolve(step, work=evolve(work, halves=halves)))
    return None if step.decision is Decision.APPLY else step


def _replay(work: Work, state: object) -> tuple[Change, ...]:
    """The changes of an open intent that nobody has touched since: made or not made, but not made otherwise."""
    live = fields_of(state)
    changes = [change for half in work.halves if half.intent for change in half.intent.changes]
    return tuple(change for change in changes if live.get(change.field) in (change.before, change.after))


def _guard_met(instance: Instance, provider: AnyProvider, state: object) -> bool:
    live = fields_of(state)
    implied: Mapping[str, Value] = optional(provider, "implied_only_if", lambda _: {})(instance.spec)
    alternatives = instance.resource.only_if or ({},)
    return any(
        all(live.get(name) == frozen_value(value) for name, value in {**implied, **alternative}.items())
        for alternative in alternatives
    )


def _judged(work: Work, changes: Collection[Change]) -> Judgement:
    """Merge the changes of each half with what that half's ledger remembers."""
    provider, resource = provider_of(work.instance), work.instance.resource
    parts = [
        judge(
            [change for change in changes if work.where[change.field] is half.domain],
            half.base,
            resource.on_user_change,
            absent=fields_of(work.state).get("ensure") == ABSENT,
            tombstones=not (_is_raised(half, resource) or _was_made_anew(half, provider)),
            groups=optional(provider, "GROUPS", ()),
            ours=optional(provider, "OURS", ()),
        )
        for half in work.halves
    ]
    return Judgement(
        apply=tuple(change for part in parts for change in part.apply),
        kept=tuple(change for part in parts for change in part.kept),
        overwritten=tuple(change for part in parts for change in part.overwritten),
    )


def _is_raised(half: Half, resource: Resource) -> bool:
    return half.entry is not None and half.entry.revision < resource.revision


def _was_made_anew(half: Half, provider: AnyProvider) -> bool:
    """Whether a run was interrupted that takes the thing away before it makes it: its absence is nobody's wish."""
    fields: tuple[str, ...] = optional(provider, "MADE_ANEW", ())
    return half.intent is not None and any(change.field in fields for change in half.intent.changes)


def _action(changes: tuple[Change, ...]) -> Action:
    ensure = next((change.after for change in changes if change.field == "ensure"), None)
    if ensure is not None:
        return Action.REMOVE if ensure == "absent" else Action.ADD
    return Action.CHANGE if changes else Action.NONE


def _concluded(step: Step, judgement: Judgement, *, adopting: bool) -> Step:
    adopted = "adopted: " if adopting else ""
    if judgement.apply:
        reason = _applying(step) + _overwriting(step, judgement, adopting=adopting)
        return evolve(step, decision=Decision.APPLY, reason="; ".join(filter(None, (reason, _kept(step)))))
    if step.work.replay:
        return evolve(step, decision=Decision.APPLY, reason="resumes a change that was interrupted")
    if judgement.kept:
        return evolve(step, decision=Decision.KEEP, reason=adopted + _kept(step))
    return evolve(step, decision=Decision.IN_PLACE, reason=f"{adopted}already as declared")


def _kept(step: Step) -> str:
    if not step.kept:
        return ""
    names = [change.field for change in step.kept]
    if "ensure" in names:
        return "the user's" if step.work.state.ensure == PRESENT else "removed by the user"
    return f"the user's: {', '.join(names)}"


def _overwriting(step: Step, judgement: Judgement, *, adopting: bool) -> str:
    """Whose values are lost: a user's who changed what we had left, or those of before converge came."""
    based = {name for half in step.work.halves for name in half.base}
    lost = [change.field for change in judgement.overwritten if change.field in based]
    taken = [c.field for c in judgement.overwritten if adopting and c.field not in based and c.before is not None]
    parts = (("overwrites what the user changed", lost), ("adopted: takes over", taken))
    return "".join(f"; {words}: {', '.join(names)}" for words, names in parts if names)


def _applying(step: Step) -> str:
    if step.policy is Policy.ALWAYS:
        return "always"
    revision = step.work.instance.resource.revision
    return f"{step.policy}, revision {revision}" if revision > 1 else step.policy
