"""The state of a product by the ledgers and the machine: for support and for fleets. Reads only.

A status is made of the same steps as a plan, for a refresh: it counts resources, never ledger entries.
"""

from enum import StrEnum

from attrs import evolve, frozen

from converge.diagnostics import did_you_mean
from converge.engine.ledger import Ledgers
from converge.engine.orphans import Orphan
from converge.engine.plan import Plan
from converge.engine.step import Step
from converge.errors import ConvergeError, ExitCode
from converge.model import Change, Decision, Domain, Entry, Policy
from converge.providers.protocol import fields_of
from converge.system import ReadOnlySystem


class Standing(StrEnum):
    """The state of a resource."""

    SETTLED = "settled"
    """Done or in place: there is nothing to do."""
    CHANGED = "changed-by-user"
    """A user changed it, and it stays as it is."""
    DRIFTED = "drifted"
    """It was in place, and is different now; the next run changes it back."""
    PENDING = "pending"
    """It was not part of a run yet, or the next run applies it."""
    OWED = "owed"
    BLOCKED = "blocked"
    FAILED = "failed"
    """It failed, or it cannot be inspected."""
    NOT_APPLICABLE = "not-applicable"


@frozen
class Resource:
    """One resource of a status: its step, its standing, and its ledger entries."""

    step: Step
    standing: Standing
    entries: tuple[tuple[Domain, Entry], ...]
    by_user: tuple[Change, ...] = ()
    """The user's changes since converge left it: the value that converge left, and the value now."""

    @property
    def id(self) -> str:
        return self.step.id


@frozen
class Status:
    plan: Plan
    resources: tuple[Resource, ...]
    orphans: tuple[Orphan, ...]

    def standing(self, standing: Standing) -> tuple[Resource, ...]:
        return tuple(each for each in self.resources if each.standing is standing)

    @property
    def drifted(self) -> tuple[Resource, ...]:
        return self.standing(Standing.DRIFTED)

    @property
    def counts(self) -> dict[str, int]:
        """The number of resources per standing, every standing named, and the number of orphans."""
        found = {standing.value.replace("-", "_"): len(self.standing(standing)) for standing in Standing}
        return {**found, "orphans": len(self.orphans)}

    @property
    def exit_code(self) -> ExitCode:
        if self.standing(Standing.FAILED):
            return ExitCode.FAILED
        return ExitCode.DRIFT if self.drifted else ExitCode.OK

    def of(self, id_: str) -> "Status":
        """The status of one resource, all elements of a `for_each`, or an orphan. ConvergeError if there is none."""
        resources = tuple(each for each in self.resources if id_ in (each.id, each.step.resource.id))
        left = tuple(each for each in self.orphans if each.id == id_)
        if not resources and not left:
            known = [name for each in self.resources for name in (each.id, each.step.resource.id)]
            hint = did_you_mean(id_, [*known, *(each.id for each in self.orphans)])
            raise ConvergeError(f"the product has no resource '{id_}'", hint=hint)
        return Status(self.plan, resources, left)


def status(plan: Plan, ledgers: Ledgers, system: ReadOnlySystem) -> Status:
    """Make the status from a plan for a refresh."""
    return Status(plan, tuple(_resource(step, ledgers, system) for step in plan.steps), plan.orphans)


def _resource(step: Step, ledgers: Ledgers, system: ReadOnlySystem) -> Resource:
    found = ((ledger.domain, ledger.memory.find(step.resource, step.id)) for ledger in ledgers)
    entries = tuple((domain, entry) for domain, entry in found if entry is not None)
    try:
        by_user = _changed_by_user(step, system)
    except ConvergeError as error:
        failed = evolve(step, decision=Decision.FAILED, reason=error.explained, reason_code="error")
        return Resource(failed, Standing.FAILED, entries)
    return Resource(step, _standing(step, [entry for _, entry in entries], by_user), entries, by_user)


def _changed_by_user(step: Step, system: ReadOnlySystem) -> tuple[Change, ...]:
    """The differences from the values that a settled `once` left, or the changes that `keep` keeps.

    An opaque type is not inspected: that may take long, and the values that it left are not known.
    """
    if step.kept:
        return tuple(Change(change.field, change.after, change.before) for change in step.kept)
    done = any(share.entry is not None and share.entry.status == "done" for share in step.shares)
    if step.decision is not Decision.SETTLED or not done or step.spec is None or step.is_opaque:
        return ()
    live = fields_of(step.require_provider().inspect(system, step.spec))
    base = {name: value for share in step.shares for name, value in share.base.items()}
    return tuple(Change(name, base[name], live[name]) for name in live if name in base and live[name] != base[name])


_OF_DECISION = {
    Decision.SETTLED: Standing.SETTLED,
    Decision.BASELINE: Standing.SETTLED,
    Decision.KEEP: Standing.CHANGED,
    Decision.IN_PLACE: Standing.SETTLED,
    Decision.OWED: Standing.OWED,
    Decision.BLOCKED: Standing.BLOCKED,
    Decision.FAILED: Standing.FAILED,
    Decision.NOT_APPLICABLE: Standing.NOT_APPLICABLE,
}
_OPEN = {"failed": Standing.FAILED, "owed": Standing.OWED, "blocked": Standing.BLOCKED}


def _standing(step: Step, entries: list[Entry], by_user: tuple[Change, ...]) -> Standing:
    standing = _OF_DECISION.get(step.decision, Standing.PENDING)
    if step.decision is Decision.APPLY:
        found = [open_ for word, open_ in _OPEN.items() if any(entry.status == word for entry in entries)]
        return found[0] if found else Standing.DRIFTED if _has_drifted(step) else Standing.PENDING
    if standing is Standing.SETTLED and not entries:
        return Standing.PENDING
    return Standing.CHANGED if standing is Standing.SETTLED and by_user else standing


def _has_drifted(step: Step) -> bool:
    """Whether a settled `always` differs now. Changes of unseen fields alone are not drift: each run makes them."""
    settled = any(share.entry is not None and share.entry.status.settled for share in step.shares)
    unseen = step.provider.traits.unseen if step.provider else ()
    seen = not step.changes or any(change.field not in unseen for change in step.changes)
    return step.policy is Policy.ALWAYS and settled and seen
