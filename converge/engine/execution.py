"""Carry out one step after the other: intent, apply, inspect again, commit.

Killed anywhere, the next run finds the intent and goes on from it.
"""

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any

from attrs import define, evolve, field

from converge.engine.decide import definition, pending_notices
from converge.engine.ledger import Intent, Ledger
from converge.engine.plan import UNSATISFIED, Planner, blocked
from converge.engine.result import StepResult
from converge.engine.step import Share, Step, undecided
from converge.errors import ConvergeError, Later, ProviderError, bug
from converge.model import Action, Change, Decision, Domain, Effect, EffectKind, Entry, Outcome, Resource, Status, Value
from converge.providers.protocol import ABSENT, fields_of
from converge.system import System

_NOTED = {
    Decision.IN_PLACE: Status.DONE,
    Decision.KEEP: Status.DONE,
    Decision.BASELINE: Status.BASELINED,
    Decision.OWED: Status.OWED,
    Decision.BLOCKED: Status.BLOCKED,
    Decision.FAILED: Status.FAILED,
}
_UNCHANGING = {
    Decision.OWED: Outcome.OWED,
    Decision.BLOCKED: Outcome.BLOCKED,
    Decision.FAILED: Outcome.FAILED,
}


@define
class Execution:
    """A run in progress. `results` are by id and in order; later steps depend on the results of earlier ones."""

    planner: Planner
    system: System
    followers: Mapping[str, tuple[str, ...]]
    """Per id, the steps that follow its change."""
    results: dict[str, StepResult] = field(factory=dict)

    def note_ahead(self, steps: Iterable[Step]) -> None:
        """Record the steps that the plan found settled, before anything is changed.

        A change may alter a thing that was in place, or make a thing whose absence was the reason. If the run is killed
        then, the next one would take that for the state before converge ran.
        """
        for step in steps:
            if step.decision in (Decision.BASELINE, Decision.IN_PLACE, Decision.KEEP) and not step.follows:
                self._note(step)

    def carry_out(self, step: Step) -> StepResult:
        started = monotonic()
        step = self._decided_again(step)
        result = self._apply(step) if step.decision is Decision.APPLY else self._note(step)
        self._drop_misplaced(result.step)
        self._take_notices(result.step)
        self.results[step.id] = evolve(result, seconds=monotonic() - started)
        return self.results[step.id]

    def _drop_misplaced(self, step: Step) -> None:
        """Drop an entry in the wrong ledger, now that the right one has it."""
        if not step.recorded or any(self._ledger(domain).refused for domain in step.domains):
            return
        for ledger in self.planner.ledgers:
            entry = ledger.memory.entries.get(step.id)
            if ledger.domain not in step.domains and entry and entry.is_misplaced:
                ledger.drop(step.id)

    def _take_notices(self, step: Step) -> None:
        """Close the notices of a step that was carried out, or had nothing to do."""
        if step.decision in UNSATISFIED:
            return
        for ledger in self.planner.ledgers:
            for notice in ledger.memory.notices(step.resource, step.id):
                ledger.effect_done(self.system, notice)

    def _ledger(self, domain: Domain) -> Ledger:
        return self.planner.ledgers.of(domain)

    def _decided_again(self, step: Step) -> Step:
        """The step, decided again if earlier results can change its decision."""
        needed = [self.results[id_].step for id_ in step.needs]
        step = blocked(step, needed)
        changed = any(each.decision is Decision.APPLY for each in needed)
        notices = pending_notices(step, self.planner.ledgers)
        is_sure = step.decision is not Decision.APPLY or (step.certain and not changed)
        if is_sure and set(notices) == set(step.notices):
            return step
        before = {id_: self._as_it_ended(id_) for id_ in (*step.needs, *step.follows)}
        return self.planner.decide(undecided(step), before)

    def _as_it_ended(self, id_: str) -> Step:
        """A step as it ended: in place, or unsatisfied, which blocks the steps that need it."""
        step = self.results[id_].step
        return step if step.decision in UNSATISFIED else evolve(step, decision=Decision.IN_PLACE)

    def _note(self, step: Step) -> StepResult:
        """Record a decision that changes nothing on the machine."""
        for share in step.shares:
            self._note_share(step, share)
        outcome = _UNCHANGING.get(step.decision, Outcome.UNCHANGED)
        error = step.reason if outcome in (Outcome.FAILED, Outcome.BLOCKED) else None
        state = None if step.state is None else fields_of(step.state)
        return StepResult(step, outcome, state, state, error)

    def _note_share(self, step: Step, share: Share) -> None:
        ledger, resource = self._ledger(share.domain), step.resource
        decision = step.decision if share.due.decision is Decision.APPLY else share.due.decision
        if ledger.refused:
            return
        if decision in _NOTED:
            self._remember(self._noted(step, share, decision), ledger, resource)
        elif decision is Decision.NOT_APPLICABLE and share.entry and not share.entry.status.settled:
            ledger.release(evolve(share.entry, id=step.id), resource)
        elif decision is Decision.SETTLED and share.entry:
            things = share.entry.things or step.recorded
            ledger.put(evolve(share.entry, id=step.id, things=things), resource)

    def _remember(self, entry: Entry, ledger: Ledger, resource: Resource) -> None:
        if entry.status.settled and not ledger.has(entry):
            ledger.commit(self.system, entry, resource, ())
        else:
            ledger.put(entry, resource)

    def _noted(self, step: Step, share: Share, decision: Decision) -> Entry:
        entry = _entry(step, share, _NOTED[decision], self._base_in_place(step, share, decision))
        if not (entry.status.settled and share.entry and share.entry.status.settled):
            return entry
        # It was settled before: keep the event under which it arose.
        return evolve(entry, event=share.entry.event, adopting=share.entry.adopting)

    def _base_in_place(self, step: Step, share: Share, decision: Decision) -> Mapping[str, Value]:
        if decision not in (Decision.IN_PLACE, Decision.KEEP):
            return share.base
        return _base(step, share, step.state, avoid={change.field for change in step.kept})

    def _apply(self, step: Step) -> StepResult:
        changes = _united(step, step.changes)
        self.system.keep_secret_key()
        for share in step.due_shares:
            own = tuple(change for change in changes if step.domain_of[change.field] is share.domain)
            before = share.intent.before if share.intent else fields_of(step.state)
            intent = Intent(step.id, own, _entry(step, share, Status.OWED, share.base), before)
            self._ledger(share.domain).intend(self.system, intent)
        effects, problem = self._attempt(step, changes)
        is_made = problem is None
        state, problem = self._verified(step, changes, problem)
        turned_out = _turned_out(step, problem, is_made=is_made)
        if is_made and turned_out.decision is not Decision.FAILED:
            effects += tuple(Effect(EffectKind.NOTICE, each, step.id) for each in self.followers.get(step.id, ()))
        self._commit(turned_out, state, changes, effects)
        outcome = _UNCHANGING.get(turned_out.decision, Outcome.CHANGED)
        error = turned_out.reason if outcome is Outcome.FAILED else None
        after = None if state is None else fields_of(state)
        return StepResult(turned_out, outcome, fields_of(step.state), after, error)

    def _attempt(self, step: Step, changes: tuple[Change, ...]) -> tuple[tuple[Effect, ...], ConvergeError | None]:
        try:
            effects = step.require_provider().apply(self.system, step.notified_spec, changes)
        except ConvergeError as error:
            return (), error
        return (effects if self.system.live else ()), None

    def _verified(
        self, step: Step, changes: tuple[Change, ...], problem: ConvergeError | None
    ) -> tuple[Any, ConvergeError | None]:
        """The state afterwards, and the problem, which may be only a difference that is left.

        Fields that effects will change at the end of the run count as changed: effects are not lost.
        """
        provider = step.require_provider()
        deferred = provider.traits.deferred if problem is None else ()
        promised = {change.field: change.after for change in changes if change.field in deferred}
        state = None
        try:
            state = evolve(provider.inspect(self.system, step.spec), **promised)
            left = provider.changes(self.system, step.spec, state)
        except ConvergeError as error:
            return state, problem or error
        except Exception as error:  # noqa: BLE001  (whatever a third party's values lead to fails its resource alone)
            return state, problem or ProviderError(bug(error))
        settled = {change.field for change in step.kept} | set(provider.traits.unseen)
        due = [change.field for change in left if step.domain_of[change.field] in step.due_domains]
        names = [name for name in due if name not in settled]
        if names and problem is None:
            problem = ProviderError(f"applied, but still different: {', '.join(names)}")
        return state, problem

    def _commit(self, step: Step, state: object, changes: tuple[Change, ...], effects: tuple[Effect, ...]) -> None:
        for share in step.shares:
            if not share.is_due:
                self._note_share(step, share)
                continue
            if step.decision is Decision.APPLY:
                status, avoid = Status.DONE, {change.field for change in step.kept}
            else:
                live = {} if state is None else fields_of(state)
                touched = _touched(changes, live, share.base) | _taken_away(step, changes, live)
                status, avoid = _NOTED[step.decision], set(step.domain_of) - touched
            base = share.base if state is None else _base(step, share, state, avoid=avoid)
            entry = _entry(step, share, status, base)
            self._ledger(share.domain).commit(self.system, entry, step.resource, effects)


def _touched(changes: tuple[Change, ...], live: Mapping[str, Value], base: Mapping[str, Value]) -> set[str]:
    """The fields that are ours although the change failed: it was made in part, or is still to be made.

    Without a base, the unfinished part would count as the user's change.
    """
    return {c.field for c in changes if c.field not in base or live.get(c.field) != c.before}


def _taken_away(step: Step, changes: tuple[Change, ...], live: Mapping[str, Value]) -> set[str]:
    """`ensure`, if a thing was removed to be made again and is now absent: it would count as removed by the user."""
    recreated = any(change.field in step.require_provider().traits.recreated for change in changes)
    return {"ensure"} if recreated and live.get("ensure") == ABSENT else set()


def _united(step: Step, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """The changes to make now, and those of an interrupted run in other fields.

    A field of the interrupted run keeps the value before that run, which may have changed a part, as in a tree.
    """
    begun = {change.field: change.before for share in step.shares if share.intent for change in share.intent.changes}
    now = {change.field: change for change in (*step.replay, *changes)}
    resumed = [evolve(now[name], before=before) for name, before in begun.items() if name in now]
    return (*resumed, *(change for name, change in now.items() if name not in begun))


def _turned_out(step: Step, problem: ConvergeError | None, *, is_made: bool) -> Step:
    """The step as it ended. A change that is made may still be owed: it takes effect later, such as after a reboot."""
    if problem is None:
        return step
    if isinstance(problem, Later):
        action = step.action if is_made else Action.NONE
        return evolve(step, action=action, decision=Decision.OWED, reason=problem.explained, until=problem.until)
    return evolve(step, action=Action.NONE, decision=Decision.FAILED, reason=problem.explained)


def _entry(step: Step, share: Share, status: Status, base: Mapping[str, Value]) -> Entry:
    """The ledger entry. Work that is not settled keeps its revision, and the event and adoption of its origin."""
    resource = step.resource
    before = share.entry.revision if share.entry else 0
    return Entry(
        id=step.id,
        type=step.type,
        status=status,
        things=step.recorded or (share.entry.things if share.entry else ()),
        revision=resource.revision if status.settled else before,
        event=share.due.event,
        adopting=share.due.adopting,
        reason="" if status is Status.DONE else step.reason,
        base=base,
        definition=definition(resource),
    )


def _base(step: Step, share: Share, state: object, *, avoid: set[str]) -> Mapping[str, Value]:
    """The live value of each claimed field of this share; the fields to `avoid` keep their former base."""
    provider, live = step.require_provider(), fields_of(state)
    claimed = {claim.field for claim in step.claims} & set(live) - avoid
    if provider.absent(step.spec, state):
        claimed &= {"ensure"}
        return {"ensure": live["ensure"]} if claimed else share.base
    found = {name: live[name] for name in live if name in claimed and step.domain_of[name] is share.domain}
    return {**share.base, **found}
