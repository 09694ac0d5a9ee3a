"""The ledger entry of a `for_each` as a whole, under its bare id.

A `once` over a probe is settled as a whole when all elements are settled; elements that appear later are baselined.
"""

from collections import defaultdict
from collections.abc import Iterable

from converge.engine.expand import loop_condition, over_probe
from converge.engine.ledger import Ledger
from converge.engine.plan import Planner
from converge.engine.policy import due
from converge.engine.result import StepResult
from converge.errors import ConvergeError
from converge.model import Decision, Entry, Policy, Product, Resource, Status


def settle(product: Product, results: Iterable[StepResult], planner: Planner) -> None:
    """Settle the loops that are complete. A debt from a run in which `for_each` was unknown passes to the elements."""
    found: dict[str, list[StepResult]] = defaultdict(list)
    for result in results:
        found[result.step.resource.id].append(result)
    for resource in product.resources.values():
        elements = found[resource.id]
        if resource.for_each is not None and all(each.step.is_element for each in elements):
            for ledger in planner.ledgers:
                _settle(resource, elements, ledger, planner)


def _settle(resource: Resource, elements: list[StepResult], ledger: Ledger, planner: Planner) -> None:
    bare = ledger.memory.find(resource, resource.id)
    if ledger.refused:
        return
    if resource.apply is Policy.ONCE and over_probe(resource) and _is_complete(resource, elements, ledger, planner):
        ledger.put(Entry(resource.id, resource.type, Status.DONE, revision=resource.revision), resource)
    elif bare and not bare.status.settled:
        ledger.release(bare, resource)


def _is_complete(resource: Resource, elements: list[StepResult], ledger: Ledger, planner: Planner) -> bool:
    if not elements:
        return _has_been_due(resource, ledger, planner)
    ids = [each.step.id for each in elements if ledger.domain in each.step.domains]
    entries = [ledger.memory.find(resource, id_) for id_ in ids]
    return bool(ids) and all(e and e.status.settled and e.revision >= resource.revision for e in entries)


def _has_been_due(resource: Resource, ledger: Ledger, planner: Planner) -> bool:
    """Whether this run would have applied or baselined elements, although there were none."""
    occasion, bare = planner.occasion, ledger.memory.find(resource, resource.id)
    event = occasion.events[ledger.domain]
    try:
        condition = loop_condition(resource, planner.facts)
    except ConvergeError:
        return False
    answer = due(resource, event, bare, condition, adopting=occasion.adopting, absent=False)
    return answer.decision in (Decision.APPLY, Decision.BASELINE)
