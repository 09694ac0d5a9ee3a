"""How often a resource applies, and who made a difference. Pure, and tested as whole tables."""

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
    """The answer of policy alone, and the event of the work (a debt keeps the event under which it arose)."""

    decision: Decision
    reason_code: str
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
    """Whether a resource is due. The order of the questions is the contract.

    `condition` is the value of `when`, or Unknown if `when`, `with` or `for_each` is unknown; `absent`: the thing, and
    everything that it replaces, is completely absent.
    """
    arose, adopted = _origin(event, entry, adopting)
    decision, code, reason = (
        _settled(resource, entry)
        or _past_install(resource, arose)
        or _left_out(resource, arose)
        or _condition(resource, condition, past_install=event is not Event.INSTALL)
        or _adopted_absent(resource, adopted, absent)
        or (Decision.APPLY, "", "")
    )
    return Due(decision, code, reason, arose, adopted)


_Answer = tuple[Decision, str, str] | None
"""A decision with its reason, as a code and in words; None leaves it to the next question."""


def _origin(event: Event, entry: Entry | None, adopting: bool) -> tuple[Event, bool]:
    """The event under which the work arose, and whether that run adopted."""
    if entry is not None and not entry.status.settled:
        event, adopting = entry.event, entry.adopting
    return (Event.REFRESH if event is Event.ROLLBACK else event), adopting


def _settled(resource: Resource, entry: Entry | None) -> _Answer:
    if resource.apply is Policy.ALWAYS or entry is None or entry.revision < resource.revision:
        return None
    status = entry.status if entry.status.settled else Status.DONE
    words = f"{status} at revision {entry.revision}" if entry.revision > 1 else status
    return Decision.SETTLED, "settled", words


def _past_install(resource: Resource, event: Event) -> _Answer:
    if resource.apply is Policy.INSTALL_ONLY and event is not Event.INSTALL:
        return Decision.BASELINE, "install-only", f"recorded as done: applies to installations only ({_this(event)})"
    return None


def _left_out(resource: Resource, event: Event) -> _Answer:
    if event in resource.events:
        return None
    if resource.apply is Policy.ONCE and event is Event.INSTALL:
        return Decision.BASELINE, "new-installation", f"recorded as done: {_events(resource)} (new installation)"
    return Decision.NOT_APPLICABLE, "other-event", f"{_events(resource)} ({_this(event)})"


def _condition(resource: Resource, condition: "bool | Unknown", *, past_install: bool) -> _Answer:
    if isinstance(condition, Unknown):
        return Decision.OWED, "unknown-value", condition.reason
    if condition:
        return None
    final = resource.when_false is WhenFalse.FINAL
    if final or (resource.apply is Policy.INSTALL_ONLY and past_install):
        return Decision.BASELINE, "when-false-final", "`when` is false (final)"
    return Decision.NOT_APPLICABLE, "when-false", "`when` is false"


def _adopted_absent(resource: Resource, adopting: bool, absent: bool) -> _Answer:
    if adopting and absent and resource.apply is Policy.ONCE and resource.on_adopt is OnAdopt.SETTLE:
        return Decision.BASELINE, "adopted-absent", "adopted: it was absent and stays absent"
    return None


_PLURALS = {Event.INSTALL: "installations", Event.UPGRADE: "upgrades", Event.REFRESH: "refreshes"}


def _this(event: Event) -> str:
    return f"this is {'an' if event[0] in 'aeiou' else 'a'} {event}"


def _events(resource: Resource) -> str:
    names = [word for event, word in _PLURALS.items() if event in resource.events]
    return f"applies to {' and '.join(names)} only"


class Verdict(StrEnum):
    """Who made a field's difference, and which side wins."""

    IN_PLACE = "in-place"
    OURS = "ours"
    OVERWRITE = "overwrite"
    KEEP = "keep"


class Missing(Enum):
    """Marks a missing value; None is a value (a field that is unset)."""

    BASE = "converge never set this field or found it in place"
    THING = "the thing itself is absent"


def merge(base: "Value | Missing", live: "Value | Missing", desired: Value, on_user_change: OnUserChange) -> Verdict:
    """Judge one field. `base` is the value that we last applied or found in place.

    An absent thing with a base is a tombstone: its absence is the user's, like any other value.
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
    """Judge a map, such as that of drop-ins, by its parts that would change; an unset part is absent."""
    verdicts = set()
    for name in desired:
        there = live.get(name)
        base_of_part = base.get(name, Missing.BASE)
        live_of_part = Missing.THING if there is None and base_of_part is Missing.BASE else there
        verdicts.add(merge(base_of_part, live_of_part, desired[name], on_user_change))
    return next((each for each in (Verdict.KEEP, Verdict.OVERWRITE) if each in verdicts), Verdict.OURS)


@frozen
class Judgement:
    """The changes of one resource, by verdict."""

    apply: tuple[Change, ...]
    kept: tuple[Change, ...]
    overwritten: tuple[Change, ...]
    """Those of `apply` that undo a user's change; they are reported."""


def judge(
    changes: Sequence[Change],
    base: Mapping[str, Value],
    on_user_change: OnUserChange,
    *,
    absent: bool = False,
    tombstones: bool = True,
    groups: Sequence[Sequence[str]] = (),
    unprotected: Collection[str] = (),
) -> Judgement:
    """Merge a resource's changes: field by field, but a group of fields is kept as a whole if one of them is kept.

    `absent`: the thing itself is absent; things that it replaces may exist. `unprotected` fields are never the user's
    while the thing is present, not even in a group that is kept: the manifest names what they change. `tombstones`:
    whether the absence of a thing that we once made is the user's decision; not so after a raised revision.
    """
    manages_presence = "ensure" in base  # otherwise its absence is not the user's decision
    tombstone = tombstones and base.get("ensure") == "present"

    def verdict(change: Change) -> Verdict:
        if absent and (manages_presence or change.field not in base):
            known: Value | Missing = base.get(change.field) if tombstone else Missing.BASE
            return merge(known, Missing.THING, change.after, on_user_change)
        if change.field in unprotected:
            return Verdict.OURS
        return merge(base.get(change.field, Missing.BASE), change.before, change.after, on_user_change)

    verdicts = {change.field: verdict(change) for change in changes}
    for group in groups:
        if any(verdicts.get(name) is Verdict.KEEP for name in group):
            verdicts |= {
                name: Verdict.KEEP for name in group if name in verdicts and (absent or name not in unprotected)
            }
    return Judgement(
        apply=tuple(c for c in changes if verdicts[c.field] in (Verdict.OURS, Verdict.OVERWRITE)),
        kept=tuple(c for c in changes if verdicts[c.field] is Verdict.KEEP),
        overwritten=tuple(c for c in changes if verdicts[c.field] is Verdict.OVERWRITE),
    )
