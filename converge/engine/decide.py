"""Decide one step: policy, memory and the state of the machine together. Reads only."""

import hashlib
import json
from collections.abc import Collection, Mapping

from attrs import evolve

from converge.engine import reasons
from converge.engine.expand import over_probe
from converge.engine.ledger import Ledgers, frozen_value
from converge.engine.occasion import Occasion
from converge.engine.policy import Judgement, due, judge
from converge.engine.step import Share, Step
from converge.errors import ConvergeError, Later, ProviderError, bug
from converge.model import Action, Change, Decision, Domain, Entry, Policy, Resource, Status, Thing
from converge.providers.protocol import ABSENT, Provider, fields_of, parts_of
from converge.system import ReadOnlySystem
from converge.system.store import address_of, path_of


def decide(
    step: Step,
    ledgers: Ledgers,
    system: ReadOnlySystem,
    occasion: Occasion,
    *,
    waits: Collection[Step] = (),
    follows: Collection[Step] = (),
) -> Step:
    """Decide a step.

    It `waits` for those steps that it needs and that are still to be applied, and `follows` others. A step that is in
    place before a step that it follows changes may not be in place afterwards.
    """
    changing = [each for each in follows if each.decision is Decision.APPLY]
    waits = [*waits, *changing]
    notices = dict.fromkeys((*pending_notices(step, ledgers), *(each.id for each in changing)))
    step = evolve(
        step, event=occasion.event, follows=tuple(each.id for each in follows), notices=tuple(notices), certain=True
    )
    try:
        domain_of = step.provider.domains(system, step.spec) if step.spec is not None and step.provider else {}
        shares = _shares(step, ledgers, occasion, domain_of)
        _refuse_undeployed(shares, ledgers)
        step = _by_policy(evolve(step, shares=shares, domain_of=domain_of))
        if step.decision is not Decision.APPLY:
            return step
        step = evolve(step, certain=all(each.certain for each in changing))
        inspected = _inspected(step, system)
        return _as_far_as_known(inspected, step, waits, followed=bool(changing)) if waits else inspected
    except Later as later:
        return evolve(
            step, decision=Decision.OWED, reason=later.message, reason_code=f"waits-{later.until}", until=later.until
        )
    except ConvergeError as error:
        if waits and step.error is None:
            return _uncertain(step, waits)
        return evolve(step, decision=Decision.FAILED, reason=error.explained, reason_code="error")
    except Exception as error:  # noqa: BLE001  (whatever a third party's values lead to fails its resource alone)
        return evolve(step, decision=Decision.FAILED, reason=bug(error), reason_code="bug")


def pending_notices(step: Step, ledgers: Ledgers) -> tuple[str, ...]:
    """The resources whose changes, in this run or a killed one, a step still has to follow."""
    found = (each for ledger in ledgers for each in ledger.memory.notices(step.resource, step.id))
    return tuple(dict.fromkeys(each.cause for each in found))


def definition(resource: Resource) -> str:
    """A digest of `with` as written. It decides nothing: it only shows that a settled resource was edited."""
    text = json.dumps(resource.with_, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _as_far_as_known(found: Step, undecided: Step, waits: Collection[Step], *, followed: bool) -> Step:
    """The step as found, unless a step that it waits for may change it; `followed`: it follows one of these.

    The changes and dependencies of an opaque step are not known.
    """
    opaque = any(each.is_opaque for each in (found, *waits))
    decided_again = found.decision is Decision.IN_PLACE and (followed or opaque)
    if decided_again or _may_change(found, waits):
        return _uncertain(undecided, waits)
    return evolve(found, certain=found.certain and not opaque)


def _may_change(step: Step, waits: Collection[Step]) -> bool:
    """Whether an earlier step makes the absent thing, or changes a thing that `only_if` or the state reads."""
    if step.decision is Decision.NOT_APPLICABLE:
        return not step.follows and any(not set(step.recorded).isdisjoint(each.recorded) for each in waits)
    if any(_overlap(one, other) for each in waits for one in step.things for other in each.things):
        return True
    wants_absence = any(claim.field == "ensure" and claim.value == ABSENT for claim in step.claims)
    return step.decision is Decision.IN_PLACE and step.finds_absence and not wants_absence


def _overlap(one: Thing, other: Thing) -> bool:
    """Whether two things are paths of which one is the other, or lies below it."""
    shorter, longer = sorted((one.key, other.key), key=len)
    return shorter.startswith("/") and f"{longer}/".startswith(f"{shorter.rstrip('/')}/")


def _uncertain(step: Step, waits: Collection[Step]) -> Step:
    reason = reasons.after(dict.fromkeys(each.id for each in waits))
    return evolve(
        step,
        decision=Decision.APPLY,
        action=Action.CHANGE,
        certain=False,
        reason=reason,
        reason_code="after-dependency",
    )


def _shares(step: Step, ledgers: Ledgers, occasion: Occasion, domain_of: Mapping[str, Domain]) -> tuple[Share, ...]:
    shares = []
    for domain in _domains(step, ledgers, domain_of):
        memory = ledgers.of(domain).memory
        entry = _matching(memory.find(step.resource, step.id), step.recorded)
        entry = entry or _misplaced(step, ledgers)
        intent = memory.intent_of(step.resource, step.id)
        intent = intent if intent and _matching(intent.entry, step.recorded) else None
        remembered = intent.entry if intent else entry
        answer = due(
            step.resource,
            occasion.events[domain],
            remembered,
            step.condition,
            adopting=occasion.adopting,
            absent=False,
        )
        if _appeared_later(step, entry, memory.find(step.resource, step.resource.id)):
            reason = f"appeared after '{step.resource.id}' was settled"
            answer = evolve(answer, decision=Decision.BASELINE, reason=reason, reason_code="appeared-later")
        shares.append(Share(domain, remembered, intent, answer))
    return tuple(shares)


def _domains(step: Step, ledgers: Ledgers, domain_of: Mapping[str, Domain]) -> tuple[Domain, ...]:
    """The domains of a resource's state; if its parameters are unknown, those of its ledger entries."""
    if domain_of:
        return tuple(sorted(set(domain_of.values())))
    remembered = [each.domain for each in ledgers if each.memory.find(step.resource, step.id)]
    return tuple(remembered) or (Domain.MACHINE,)


def _matching(entry: Entry | None, recorded: tuple[str, ...]) -> Entry | None:
    """An entry counts only for the same things, if both sides know theirs."""
    return None if entry and recorded and entry.things and entry.things != recorded else entry


def _refuse_undeployed(shares: tuple[Share, ...], ledgers: Ledgers) -> None:
    if any(ledgers.of(share.domain).refused for share in shares if share.is_due):
        raise ConvergeError(
            "this tree has /usr/etc and no deployment: changes in /etc cannot be recorded here",
            hint="deploy the tree first, and run converge on the deployment",
        )


def _misplaced(step: Step, ledgers: Ledgers) -> Entry | None:
    """An entry that was written while parameters, and so the domain, were unknown: it may be in the wrong ledger.

    While `for_each` was unknown, the debts of the elements were recorded under the bare id.
    """
    resource = step.resource
    found = [each.memory.find(resource, step.id) for each in ledgers]
    loop = [each.memory.find(resource, resource.id) for each in ledgers] if step.is_element else []
    misplaced = [entry for entry in found if entry and entry.is_misplaced]
    return next(iter((*misplaced, *(entry for entry in loop if entry and not entry.status.settled))), None)


def _appeared_later(step: Step, entry: Entry | None, bare: Entry | None) -> bool:
    resource = step.resource
    settled = bare is not None and bare.status.settled and bare.revision >= resource.revision
    return entry is None and step.is_element and settled and resource.apply is Policy.ONCE and over_probe(resource)


_MOST_TO_DO = (Decision.APPLY, Decision.OWED, Decision.NOT_APPLICABLE, Decision.BASELINE, Decision.SETTLED)


def _by_policy(step: Step) -> Step:
    """The step as far as policy alone decides; of two shares the one with more to do counts."""
    share = min(step.shares, key=lambda share: _MOST_TO_DO.index(share.due.decision))
    owed, edited = share.due.decision is Decision.OWED, _is_edited(share, step.resource)
    return evolve(
        step,
        event=share.due.event,
        decision=share.due.decision,
        reason=reasons.EDITED if edited else share.due.reason,
        reason_code="edited" if edited else share.due.reason_code,
        until="facts" if owed else None,
    )


def _is_edited(share: Share, resource: Resource) -> bool:
    """Whether the definition of a settled resource changed and its revision did not."""
    entry = share.entry
    is_done = share.due.decision is Decision.SETTLED and entry is not None and entry.status is Status.DONE
    return is_done and entry is not None and entry.definition not in ("", definition(resource))


def _inspected(step: Step, system: ReadOnlySystem) -> Step:
    """Compare a step that policy finds due with the state of the machine."""
    provider, resource = step.require_provider(), step.resource
    if step.error is not None:
        raise step.error
    state = provider.inspect(system, step.spec)
    step = evolve(step, state=state)
    if settled := _adopted_absent(step, provider):
        return settled
    unmet = evolve(step, decision=Decision.NOT_APPLICABLE, reason="`only_if` is not met", reason_code="only-if")
    try:
        difference = provider.changes(system, step.notified_spec, state)
    except (ProviderError, Later):
        if _guard_met(step, provider):
            raise
        return unmet
    due_domains = step.due_domains
    changes = tuple(change for change in difference if step.domain_of[change.field] in due_domains)
    step = evolve(step, replay=_replay(step))
    if not changes and not step.replay and (idle := provider.idle(step.notified_spec, state)):
        return evolve(step, decision=Decision.NOT_APPLICABLE, reason=idle, reason_code="idle")
    if changes and not step.replay and not _guard_met(step, provider):
        return unmet
    judgement = _judged(step, provider, resource, changes)
    step = evolve(step, changes=judgement.apply, kept=judgement.kept, action=_action(judgement.apply))
    if judgement.apply:
        step = evolve(step, phase=provider.phase(step.spec, judgement.apply))
    step = evolve(step, contents=_contents(step, provider, system))
    return reasons.concluded(step, judgement)


def _contents(step: Step, provider: Provider, system: ReadOnlySystem) -> Mapping[str, bytes | None]:
    """The contents in the changes, to show them to people; None for one that must not be shown."""
    sides = (
        side
        for change in (*step.changes, *step.kept)
        for value in (change.before, change.after)
        for _, side in parts_of(change.field, value)
    )
    addresses = [side for side in sides if isinstance(side, str) and path_of(side)]
    if not addresses:
        return {}
    try:
        known = {address_of(data): data for data in provider.contents(system, step.spec)}
    except ConvergeError:
        known = {}
    return {address: known.get(address) for address in addresses}


def _adopted_absent(step: Step, provider: Provider) -> Step | None:
    """Apply policy again if the thing is absent; None if the step is still due."""
    if not provider.absent(step.spec, step.state):
        return None
    shares = tuple(
        evolve(share, due=due(step.resource, share.due.event, share.entry, True, share.due.adopting, absent=True))
        if share.is_due
        else share
        for share in step.shares
    )
    step = _by_policy(evolve(step, shares=shares))
    return None if step.decision is Decision.APPLY else step


def _replay(step: Step) -> tuple[Change, ...]:
    """The changes of an open intent whose fields still have the value before or after it: no one else changed them."""
    changes = [change for share in step.shares if share.intent for change in share.intent.changes]
    if not changes:
        return ()
    live = fields_of(step.state)
    return tuple(change for change in changes if live.get(change.field) in (change.before, change.after))


def _guard_met(step: Step, provider: Provider) -> bool:
    implied = provider.implied_only_if(step.spec)
    if not implied and not step.resource.only_if:
        return True
    live = fields_of(step.state)
    return any(
        all(live.get(name) == frozen_value(value) for name, value in {**implied, **alternative}.items())
        for alternative in step.resource.only_if or ({},)
    )


def _judged(step: Step, provider: Provider, resource: Resource, changes: Collection[Change]) -> Judgement:
    """Merge the changes of each share with the entry in that share's ledger."""
    parts = [
        judge(
            [change for change in changes if step.domain_of[change.field] is share.domain],
            share.base,
            resource.on_user_change,
            absent=step.finds_absence,
            tombstones=not (_is_raised(share, resource) or _was_recreated(share, provider)),
            groups=provider.traits.groups,
            unprotected=provider.traits.unprotected,
        )
        for share in step.shares
    ]
    return Judgement(
        apply=tuple(change for part in parts for change in part.apply),
        kept=tuple(change for part in parts for change in part.kept),
        overwritten=tuple(change for part in parts for change in part.overwritten),
    )


def _is_raised(share: Share, resource: Resource) -> bool:
    return share.entry is not None and share.entry.revision < resource.revision


def _was_recreated(share: Share, provider: Provider) -> bool:
    """Whether a killed run may have removed the thing to make it again: its absence is not the user's decision."""
    return share.intent is not None and any(
        change.field in provider.traits.recreated for change in share.intent.changes
    )


def _action(changes: tuple[Change, ...]) -> Action:
    ensure = next((change.after for change in changes if change.field == "ensure"), None)
    if ensure is not None:
        return Action.REMOVE if ensure == ABSENT else Action.ADD
    return Action.CHANGE if changes else Action.NONE
