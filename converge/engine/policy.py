"""How often a resource applies, and whose a difference is. Pure, and tested as whole tables."""

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, StrEnum

from attrs import frozen

from converge.model import (
    Change,
    Decision,
    Entry,
    Event,
    OnAdopt,
    OnUserChange,
    Policy,
    Resource,
    Status,
    Unknown,
    Value,
    WhenFalse,
)


@frozen
class Due:
    """What policy alone says, and the event under which the work stands (a debt keeps the one it arose under)."""

    decision: Decision
    reason: str
    event: Event
    adopting: bool


def due(
    resource: Resource,
    event: Event,
    entry: Entry | None,
    condition: "bool | Unknown",
    adopting: bool,
    absent: bool,
) -> Due:
    """Say whether a resource is due. The order of the questions is the contract.

    `condition` is what `when` says, or Unknown where `when`, `with` or `for_each` cannot be known; `absent` says that
    the thing, and whatever it replaces, is wholly absent.
    """
    arose, adopted = _origin(event, entry, adopting)
    decision, reason = (
        _settled(resource, entry)
        or _past_install(resource, arose)
        or _left_out(resource, arose)
        or _condition(resource, condition, past_install=event is not Event.INSTALL)
        or _adopted_absent(resource, adopted, absent)
        or (Decision.APPLY, "")
    )
    return Due(decision, reason, arose, adopted)


_Answer = tuple[Decision, str] | None
"""A decision with its reason; None leaves it to the next question."""


def _origin(event: Event, entry: Entry | None, adopting: bool) -> tuple[Event, bool]:
    """The event that the work arose under, and whether that run adopted."""
    if entry is not None and not entry.status.settled:
        event, adopting = entry.event, entry.adopting
    return (Event.REFRESH if event is Event.ROLLBACK else event), adopting


def _settled(resource: Resource, entry: Entry | None) -> _Answer:
    if resource.apply is Policy.ALWAYS or entry is None or entry.revision < resource.revision:
        return None
    status = entry.status if entry.status.settled else Status.DONE
    return Decision.SETTLED, f"{status} at revision {entry.revision}" if entry.revision > 1 else status


def _past_install(resource: Resource, event: Event) -> _Answer:
    if resource.apply is Policy.INSTALL_ONLY and event is not Event.INSTALL:
        return Decision.BASELINE, f"install-only, and this is {_article(event)}"
    return None


def _left_out(resource: Resource, event: Event) -> _Answer:
    if event in resource.events:
        return None
    if resource.apply is Policy.ONCE and event is Event.INSTALL:
        return Decision.BASELINE, "a new installation never had what this mends"
    return Decision.NOT_APPLICABLE, f"not for {_article(event)}"


def _condition(resource: Resource, condition: "bool | Unknown", *, past_install: bool) -> _Answer:
    if isinstance(condition, Unknown):
        return Decision.OWED, condition.reason
    if condition:
        return None
    final = resource.when_false is WhenFalse.FINAL
    if final or (resource.apply is Policy.INSTALL_ONLY and past_install):
        return Decision.BASELINE, "`when` is false, and that is final"
    return Decision.NOT_APPLICABLE, "`when` is false"


def _adopted_absent(resource: Resource, adopting: bool, absent: bool) -> _Answer:
    if adopting and absent and resource.apply is Policy.ONCE and resource.on_adopt is OnAdopt.SETTLE:
        return Decision.BASELINE, "adopted: absent before converge came, so it stays absent"
    return None


def _article(event: Event) -> str:
    return f"an {event}" if event[0] in "aeiou" else f"a {event}"


class Verdict(StrEnum):
    """Whose a field's difference is."""

    IN_PLACE = "in-place"
    OURS = "ours"
    OVERWRITE = "overwrite"
    KEEP = "keep"


class Missing(Enum):
    """What stands in for a value where there is none; None is a value (a field that is unset)."""

    BASE = "we never had a hand in this field"
    THING = "the thing itself is absent"


def merge(base: "Value | Missing", live: "Value | Missing", desired: Value, on_user_change: OnUserChange) -> Verdict:
    """Judge one field. `base` is what we last applied or found in place.

    A thing that is gone although it has a base is a tombstone: its absence is the user's, like any other value.
    """
    if live == desired:
        return Verdict.IN_PLACE
    if isinstance(live, Mapping) and isinstance(desired, Mapping):
        return _merge_parts(base if isinstance(base, Mapping) else {}, live, desired, on_user_change)
    if live is Missing.THING and base is Missing.BASE:
        return Verdict.OURS
    if live == base:
        return Verdict.OURS
    return Verdict.KEEP if on_user_change is OnUserChange.KEEP else Verdict.OVERWRITE


def _merge_parts(
    base: Mapping[str, Value], live: Mapping[str, Value], desired: Mapping[str, Value], on_user_change: OnUserChange
) -> Verdict:
    """Judge a map, such as that of drop-ins, by its parts that would change; one that is unset is not there."""
    verdicts = set()
    for name in desired:
        there = live.get(name)
        base_of_part = base.get(name, Missing.BASE)
        live_of_part = Missing.THING if there is None and base_of_part is Missing.BASE else there
        verdicts.add(merge(base_of_part, live_of_part, desired[name], on_user_change))
    return next((each for each in (Verdict.KEEP, Verdict.OVERWRITE) if each in verdicts), Verdict.OURS)


@frozen
class Judgement:
    """The changes of one resource, told apart."""

    apply: tuple[Change, ...]
    kept: tuple[Change, ...]
    overwritten: tuple[Change, ...]
    """Those of `apply` that undo what a user did; the report says so."""


def judge(
    changes: Sequence[Change],
    base: Mapping[str, Value],
    on_user_change: OnUserChange,
    *,
    absent: bool = False,
    tombstones: bool = True,
    groups: Sequence[Sequence[str]] = (),
    ours: Collection[str] = (),
) -> Judgement:
    """Merge a resource's changes: field by field, but a group of fields is kept as one where any of it is kept.

    `absent`: the thing itself is, whatever there may be of what it replaces. Fields in `ours` are never the user's
    while the thing is there, not even in a group that is kept: the manifest names outright what they change.
    `tombstones`: whether the absence of a thing that we once made is its user's; a raised revision forgets that.
    """
    has_a_say = "ensure" in base  # for what has none in whether the thing is there, its absence is nobody's act
    tombstone = tombstones and base.get("ensure") == "present"

    def verdict(change: Change) -> Verdict:
        if absent and (has_a_say or change.field not in base):
            known: Value | Missing = base.get(change.field) if tombstone else Missing.BASE
            return merge(known, Missing.THING, change.after, on_user_change)
        if change.field in ours:
            return Verdict.OURS
        return merge(base.get(change.field, Missing.BASE), change.before, change.after, on_user_change)

    verdicts = {change.field: verdict(change) for change in changes}
    for group in groups:
        if any(verdicts.get(name) is Verdict.KEEP for name in group):
            verdicts |= {name: Verdict.KEEP for name in group if name in verdicts and (absent or name not in ours)}
    return Judgement(
        apply=tuple(c for c in changes if verdicts[c.field] in (Verdict.OURS, Verdict.OVERWRITE)),
        kept=tuple(c for c in changes if verdicts[c.field] is Verdict.KEEP),
        overwritten=tuple(c for c in changes if verdicts[c.field] is Verdict.OVERWRITE),
    )
