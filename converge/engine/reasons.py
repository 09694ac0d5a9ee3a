"""The reasons of decisions, in words and as stable codes. Pure.

Codes are for programs (`reason_code` in JSON): they stay when the words change.
"""

from collections.abc import Iterable

from attrs import evolve

from converge.engine.policy import Judgement
from converge.engine.step import Share, Step
from converge.model import Decision, OnUserChange, Status
from converge.providers.protocol import PRESENT

UNSATISFIED = {Decision.FAILED: "failed", Decision.BLOCKED: "is blocked", Decision.OWED: "is owed"}
"""The state of a dependency that is not in place."""
EDITED = "definition edited, revision not raised (not applied): raise `revision` to apply it"


def after(ids: Iterable[str]) -> str:
    """The reason of a step that is decided after other steps are applied."""
    names = " and ".join(f"'{id_}'" for id_ in ids)
    return f"decided after {names} {'is' if ' and ' not in names else 'are'} applied"


def concluded(step: Step, judgement: Judgement) -> Step:
    """The decision on a step that was compared with the machine, with its reason."""
    adopting = any(share.due.adopting for share in step.shares)
    adopted = "adopted: " if adopting else ""
    if judgement.apply:
        code, why_now = _why_now(step)
        parts = (why_now, _overwriting(step, judgement, adopting=adopting), kept(step))
        return evolve(step, decision=Decision.APPLY, reason="; ".join(filter(None, parts)), reason_code=code)
    if step.replay:
        return evolve(step, decision=Decision.APPLY, reason="resumes an interrupted change", reason_code="resumed")
    if judgement.kept:
        code = "user-removed" if _removed_by_user(step) else "user-changed"
        return evolve(step, decision=Decision.KEEP, reason=adopted + kept(step), reason_code=code)
    reason = f"{adopted}as declared"
    return evolve(step, decision=Decision.IN_PLACE, reason=reason, reason_code="adopted" if adopting else "in-place")


def kept(step: Step) -> str:
    """The user's changes that are kept, in words; empty if there are none."""
    if not step.kept:
        return ""
    if _removed_by_user(step):
        words = "removed by the user"
    elif any(change.field == "ensure" for change in step.kept):
        words = "added by the user"
    else:
        words = f"changed by the user ({', '.join(change.field for change in step.kept)})"
    rule = step.resource.on_user_change is OnUserChange.KEEP
    return f"{words}; on_user_change: keep" if rule else words


def _removed_by_user(step: Step) -> bool:
    return any(change.field == "ensure" and change.after == PRESENT for change in step.kept)


def _why_now(step: Step) -> tuple[str, str]:
    """The code and the words of the reason why a change is due now."""
    share = step.due_shares[0]
    entry = share.entry
    if share.intent is not None:
        return "resumed", "resumes an interrupted change"
    if entry is None:
        return "not-applied-yet", "not applied yet"
    if not entry.status.settled:
        words = {Status.OWED: "owed", Status.FAILED: "failed", Status.BLOCKED: "blocked"}[entry.status]
        when = f" since {entry.run['time'][:10]}" if entry.run.get("time") and entry.status is Status.OWED else ""
        because = f": {entry.reason}" if entry.reason else ""
        return f"{words}-before", f"{words}{when or ' in an earlier run'}{because}"
    if entry.revision < step.resource.revision:
        return "revision-raised", f"revision {entry.revision} -> {step.resource.revision}"
    return _since_settled(step, share)


def _since_settled(step: Step, share: Share) -> tuple[str, str]:
    """The reason why a settled resource is due: the machine or the manifest changed since."""
    after_change = {change.field: change.after for change in step.changes}
    if after_change.get("ensure") == PRESENT:
        if share.base.get("ensure") == PRESENT:
            return "removed", "removed since the last run"
        return "missing", "missing"
    was = [name for name, value in after_change.items() if share.base.get(name) == value]
    if was:
        return "drifted", "drifted since the last run"
    return "differs", "differs from the manifest"


def _overwriting(step: Step, judgement: Judgement, *, adopting: bool) -> str:
    """The values that are lost: changes by the user, and values from before converge ran here."""
    based = {name for share in step.shares for name in share.base}
    lost = [change.field for change in judgement.overwritten if change.field in based]
    taken = [c.field for c in judgement.overwritten if adopting and c.field not in based and c.before is not None]
    parts = (("overwrites a user's change", lost), ("adopted: replaces what was found", taken))
    return "; ".join(f"{words} ({', '.join(names)})" for words, names in parts if names)
