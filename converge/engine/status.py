"""What the memory and the machine say of a product together: for support and for fleets. Reads only."""

from attrs import frozen

from converge.engine.ledger import Ledgers, former_id
from converge.engine.step import Plan, Step
from converge.model import Decision, Domain, Entry, Policy, Resource
from converge.providers.protocol import optional


@frozen
class Remembered:
    """One entry of one ledger."""

    domain: Domain
    entry: Entry


@frozen
class Status:
    """`drifted` are the maintained resources that were settled and are different now."""

    plan: Plan
    entries: tuple[Remembered, ...]
    drifted: tuple[Step, ...]
    orphans: tuple[Remembered, ...]


def status(plan: Plan, ledgers: Ledgers) -> Status:
    """Tell the status from a plan for a refresh."""
    entries = tuple(
        Remembered(ledger.domain, entry)
        for ledger in ledgers
        for entry in ledger.memory.entries.values()
        if entry.alias is None
    )
    known = {id_ for step in plan.steps for id_ in _ids(step)}
    loops = tuple(f"{step.id}[" for step in plan.steps if _is_rolled_up(step))
    return Status(
        plan,
        entries,
        drifted=tuple(step for step in plan.steps if _drifted(step)),
        orphans=tuple(each for each in entries if each.entry.id not in known and not each.entry.id.startswith(loops)),
    )


def _ids(step: Step) -> set[str | None]:
    """Those under which a step may be remembered: until it is decided, what was renamed has its former one."""
    resource: Resource = step.work.instance.resource
    return {step.id, resource.id, former_id(resource, step.id)}


def _is_rolled_up(step: Step) -> bool:
    """It stands for elements that cannot be told here and now."""
    instance = step.work.instance
    return instance.resource.for_each is not None and not instance.is_element


def _drifted(step: Step) -> bool:
    """What is done anew each time, and leaves nothing to be found, cannot be otherwise than it was."""
    settled = any(half.entry is not None and half.entry.status.settled for half in step.work.halves)
    unseen = optional(step.work.instance.provider, "UNSEEN", ())
    seen = not step.changes or any(change.field not in unseen for change in step.changes)
    return step.policy is Policy.ALWAYS and step.decision is Decision.APPLY and settled and seen
