"""Edit the ledger by hand: `baseline` records work as done, `forget` lets it be done again. Both leave an audit."""

from collections.abc import Iterable

from converge.diagnostics import did_you_mean
from converge.engine.decide import definition
from converge.engine.ledger import Ledgers
from converge.engine.step import Step
from converge.errors import ConvergeError
from converge.model import Entry, Policy, Status
from converge.system import System

BY_HAND = "baselined by hand"


def baseline(id_: str, steps: Iterable[Step], ledgers: Ledgers, system: System) -> tuple[str, ...]:
    """Record a resource, or all elements of one, as done without doing it; returns their ids."""
    steps = tuple(steps)
    chosen = [step for step in steps if id_ in (step.id, step.resource.id)]
    if not chosen:
        raise _unknown(id_, [step.id for step in steps], "the product has no resource")
    for step in chosen:
        _require_baselinable(step)
    for step in chosen:
        _baseline(step, ledgers)
    for ledger in ledgers:
        if any(share.domain is ledger.domain for step in chosen for share in step.shares):
            ledger.add_audit("baseline", id_)
            ledger.fold(system)
    return tuple(step.id for step in chosen)


def require_known(id_: str, ledgers: Ledgers) -> None:
    """ConvergeError unless a ledger has an entry for the id."""
    known = [each for ledger in ledgers for each in ledger.memory.entries]
    if id_ not in known:
        raise _unknown(id_, known, "the ledger has no entry for")


def forget(id_: str, ledgers: Ledgers, system: System) -> None:
    """Drop a resource's entries, so that the next run treats it as new."""
    require_known(id_, ledgers)
    for ledger in (ledger for ledger in ledgers if id_ in ledger.memory.entries):
        ledger.drop(id_)
        ledger.add_audit("forget", id_)
        ledger.fold(system)


def _baseline(step: Step, ledgers: Ledgers) -> None:
    resource = step.resource
    for share in step.shares:
        entry = Entry(
            id=step.id,
            type=step.type,
            status=Status.BASELINED,
            things=step.recorded,
            revision=resource.revision,
            event=share.due.event,
            reason=BY_HAND,
            definition=definition(resource),
        )
        ledgers.of(share.domain).put(entry, resource)


def _require_baselinable(step: Step) -> None:
    if step.policy is Policy.ALWAYS:
        raise ConvergeError(
            f"'{step.id}' applies always, so it is never settled",
            hint="drop it with `without` in /etc/converge/site.yaml",
        )
    if not step.shares:
        raise ConvergeError(f"'{step.id}' cannot be baselined: {step.reason}")


def _unknown(id_: str, known: list[str], what: str) -> ConvergeError:
    return ConvergeError(f"{what} '{id_}'", hint=did_you_mean(id_, known))
