"""Carry out one step after the other: intent, apply, inspect again, commit.

Killed anywhere, the next run finds the intent and goes on from it.
"""

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any

from attrs import define, evolve, field

from converge.engine.decide import Half, Work, definition, pending_notices, provider_of
from converge.engine.ledger import Intent, Ledger
from converge.engine.plan import UNSATISFIED, Planner, blocked
from converge.engine.result import StepResult
from converge.engine.step import Step
from converge.errors import ConvergeError, Later, ProviderError
from converge.model import Action, Change, Decision, Domain, Effect, EffectKind, Entry, Outcome, Resource, Status, Value
from converge.providers.protocol import ABSENT, fields_of, is_absent, optional
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
    """A run under way. `results` are by id and in order; later steps depend on how earlier ones turned out."""

    planner: Planner
    system: System
    followers: Mapping[str, tuple[str, ...]]
    """Per id, those that are told of its change."""
    results: dict[str, StepResult] = field(factory=dict)

    def note_ahead(self, steps: Iterable[Step]) -> None:
        """Remember what the plan found settled, before anything is changed.

        A change may alter what was found in place, or make the thing whose absence was the reason. A run after one that
        is killed would take that for what it was before converge came.
        """
        for step in steps:
            if step.decision in (Decision.BASELINE, Decision.IN_PLACE, Decision.KEEP) and not step.work.follows:
                self._note(step)

    def carry_out(self, step: Step) -> StepResult:
        started = monotonic()
        step = self._decided_again(step)
        result = self._apply(step) if step.decision is Decision.APPLY else self._note(step)
        self._bring_home(result.step)
        self._take_notices(result.step)
        self.results[step.id] = evolve(result, seconds=monotonic() - started)
        return self.results[step.id]

    def _bring_home(self, step: Step) -> None:
        """Drop an entry that stands in the wrong ledger, now that the right one has it."""
        if not step.work.things or any(self._ledger(domain).refused for domain in step.domains):
            return
        for ledger in self.planner.ledgers:
            entry = ledger.memory.entries.get(step.id)
            if ledger.domain not in step.domains and entry and entry.has_strayed:
                ledger.drop(step.id)

    def _take_notices(self, step: Step) -> None:
        """A step that was carried out, or had nothing to do, need not be told again of what it follows."""
        if step.decision in UNSATISFIED:
            return
        instance = step.work.instance
        for ledger in self.planner.ledgers:
            for notice in ledger.memory.notices(instance.resource, instance.id):
                ledger.effect_done(self.system, notice)

    def _ledger(self, domain: Domain) -> Ledger:
        return self.planner.ledgers.of(domain)

    def _decided_again(self, step: Step) -> Step:
        """The step in the light of what has happened since it was planned."""
        needed = [self.results[id_].step for id_ in step.needs]
        step = blocked(step, needed)
        changed = any(each.decision is Decision.APPLY for each in needed)
        told = pending_notices(step.work.instance, self.planner.ledgers)
        if set(told) == set(step.work.notices) and (
            step.decision is not Decision.APPLY or (step.certain and not changed)
        ):
            return step
        before = {id_: self._as_it_ended(id_) for id_ in (*step.needs, *step.work.follows)}
        return self.planner.step(step.work.instance, step.needs, step.work.follows, before)

    def _as_it_ended(self, id_: str) -> Step:
        """A step whose change is no longer to come: it is in place, or it blocks what needs it."""
        step = self.results[id_].step
        return step if step.decision in UNSATISFIED else evolve(step, decision=Decision.IN_PLACE)

    def _note(self, step: Step) -> StepResult:
        """Remember a decision that changes nothing on the machine."""
        for half in step.work.halves:
            self._note_half(step, half)
        outcome = _UNCHANGING.get(step.decision, Outcome.UNCHANGED)
        error = step.reason if outcome in (Outcome.FAILED, Outcome.BLOCKED) else None
        state = None if step.work.state is None else fields_of(step.work.state)
        return StepResult(step, outcome, state, state, error)

    def _note_half(self, step: Step, half: Half) -> None:
        ledger, resource = self._ledger(half.domain), step.work.instance.resource
        decision = step.decision if half.due.decision is Decision.APPLY else half.due.decision
        if ledger.refused:
            return
        if decision in _NOTED:
            self._remember(self._noted(step, half, decision), ledger, resource)
        elif decision is Decision.NOT_APPLICABLE and half.entry and not half.entry.status.settled:
            ledger.release(evolve(half.entry, id=step.id), resource)
        elif decision is Decision.SETTLED and half.entry:
            things = half.entry.things or step.work.things
            ledger.put(evolve(half.entry, id=step.id, things=things), resource)

    def _remember(self, entry: Entry, ledger: Ledger, resource: Resource) -> None:
        if entry.status.settled and entry != ledger.memory.entries.get(entry.id):
            ledger.commit(self.system, entry, resource, ())
        else:
            ledger.put(entry, resource)

    def _noted(self, step: Step, half: Half, decision: Decision) -> Entry:
        entry = _entry(step, half, _NOTED[decision], self._base_in_place(step, half, decision))
        if not (entry.status.settled and half.entry and half.entry.status.settled):
            return entry
        # It was found as it was left: nothing arose from this run.
        return evolve(entry, event=half.entry.event, adopting=half.entry.adopting)

    def _base_in_place(self, step: Step, half: Half, decision: Decision) -> Mapping[str, Value]:
        if decision not in (Decision.IN_PLACE, Decision.KEEP):
            return half.base
        return _base(step, half, step.work.state, avoid={change.field for change in step.kept})

    def _apply(self, step: Step) -> StepResult:
        work: Work = step.work
        changes = _united(work, step.changes)
        self.system.keep_secret_key()
        for half in work.due_halves:
            own = tuple(change for change in changes if work.where[change.field] is half.domain)
            before = half.intent.before if half.intent else fields_of(work.state)
            intent = Intent(step.id, own, _entry(step, half, Status.OWED, half.base), before)
            self._ledger(half.domain).intend(self.system, intent)
        effects, problem = self._attempt(work, changes)
        is_made = problem is None
        state, problem = self._verified(step, changes, problem)
        turned_out = _turned_out(step, problem, is_made=is_made)
        if is_made and turned_out.decision is not Decision.FAILED:
            effects += tuple(Effect(EffectKind.NOTICE, each, step.id) for each in self.followers.get(step.id, ()))
        self._commit(turned_out, state, changes, effects)
        outcome = _UNCHANGING.get(turned_out.decision, Outcome.CHANGED)
        error = turned_out.reason if outcome is Outcome.FAILED else None
        after = None if state is None else fields_of(state)
        return StepResult(turned_out, outcome, fields_of(work.state), after, error)

    def _attempt(self, work: Work, changes: tuple[Change, ...]) -> tuple[tuple[Effect, ...], ConvergeError | None]:
        try:
            effects = provider_of(work.instance).apply(self.system, work.spec, changes)
        except ConvergeError as error:
            return (), error
        return (effects if self.system.live else ()), None

    def _verified(
        self, step: Step, changes: tuple[Change, ...], problem: ConvergeError | None
    ) -> tuple[Any, ConvergeError | None]:
        """The state afterwards, and what went wrong, be it only that a difference is left.

        What effects will bring about at the end of the run counts as brought about: they are not lost.
        """
        work: Work = step.work
        provider = provider_of(work.instance)
        deferred: tuple[str, ...] = optional(provider, "DEFERRED", ()) if problem is None else ()
        promised = {change.field: change.after for change in changes if change.field in deferred}
        state = None
        try:
            state = evolve(provider.inspect(self.system, work.instance.spec), **promised)
            left = provider.diff(work.instance.spec, state)
        except ConvergeError as error:
            return state, problem or error
        settled = {change.field for change in step.kept} | set(optional(provider, "UNSEEN", ()))
        due = [change.field for change in left if work.where[change.field] in work.applying]
        names = [name for name in due if name not in settled]
        if names and problem is None:
            problem = ProviderError(f"applied, but still different: {', '.join(names)}")
        return state, problem

    def _commit(self, step: Step, state: object, changes: tuple[Change, ...], effects: tuple[Effect, ...]) -> None:
        work: Work = step.work
        for half in work.halves:
            if half not in work.due_halves:
                self._note_half(step, half)
                continue
            if step.decision is Decision.APPLY:
                status, avoid = Status.DONE, {change.field for change in step.kept}
            else:
                live = {} if state is None else fields_of(state)
                touched = _touched(changes, live, half.base) | _taken_away(work, changes, live)
                status, avoid = _NOTED[step.decision], set(work.where) - touched
            base = half.base if state is None else _base(step, half, state, avoid=avoid)
            entry = _entry(step, half, status, base)
            self._ledger(half.domain).commit(self.system, entry, work.instance.resource, effects)


def _touched(changes: tuple[Change, ...], live: Mapping[str, Value], base: Mapping[str, Value]) -> set[str]:
    """The fields that are ours as they are now, although the change failed: it came half-way, or is still to be made.

    Without a base, what it left undone would count as the user's.
    """
    return {c.field for c in changes if c.field not in base or live.get(c.field) != c.before}


def _taken_away(work: Work, changes: tuple[Change, ...], live: Mapping[str, Value]) -> set[str]:
    """`ensure`, where a thing that was to be made anew is gone by that: it would count as removed by the user."""
    fields: tuple[str, ...] = optional(provider_of(work.instance), "MADE_ANEW", ())
    made_anew = any(change.field in fields for change in changes)
    return {"ensure"} if made_anew and live.get("ensure") == ABSENT else set()


def _united(work: Work, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """The changes to make now, and those of an interrupted run that they do not touch.

    What that run was about to change was, before, as it found it: it may have come half-way, as in a tree.
    """
    begun = {change.field: change.before for half in work.halves if half.intent for change in half.intent.changes}
    now = {change.field: change for change in (*work.replay, *changes)}
    resumed = [evolve(now[name], before=before) for name, before in begun.items() if name in now]
    return (*resumed, *(change for name, change in now.items() if name not in begun))


def _turned_out(step: Step, problem: ConvergeError | None, *, is_made: bool) -> Step:
    """What is made may still be owed: it waits, such as for a reboot, to be what was asked for."""
    if problem is None:
        return step
    if isinstance(problem, Later):
        action = step.action if is_made else Action.NONE
        return evolve(step, action=action, decision=Decision.OWED, reason=problem.explained, until=problem.until)
    return evolve(step, action=Action.NONE, decision=Decision.FAILED, reason=problem.explained)


def _entry(step: Step, half: Half, status: Status, base: Mapping[str, Value]) -> Entry:
    """What to remember. Work that is not settled keeps the revision, the event and the adoption it arose under."""
    resource = step.work.instance.resource
    before = half.entry.revision if half.entry else 0
    return Entry(
        id=step.id,
        type=step.type,
        status=status,
        things=step.work.things or (half.entry.things if half.entry else ()),
        revision=resource.revision if status.settled else before,
        event=half.due.event,
        adopting=half.due.adopting,
        reason="" if status is Status.DONE else step.reason,
        base=base,
        definition=definition(resource),
    )


def _base(step: Step, half: Half, state: object, *, avoid: set[str]) -> Mapping[str, Value]:
    """Per claimed field of this half, what is there now; the fields to `avoid` keep the base they had."""
    work: Work = step.work
    provider, live = provider_of(work.instance), fields_of(state)
    claimed = {claim.field for claim in work.instance.claims} & set(live) - avoid
    if is_absent(provider, work.instance.spec, state):
        claimed &= {"ensure"}
        return {"ensure": live["ensure"]} if claimed else half.base
    found = {name: live[name] for name in live if name in claimed and work.where[name] is half.domain}
    return {**half.base, **found}
