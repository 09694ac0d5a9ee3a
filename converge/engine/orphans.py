"""Orphans: resources in the ledgers that the product no longer declares. Nothing is undone."""

from collections.abc import Collection

from attrs import frozen

from converge.engine.expand import over_probe
from converge.engine.ledger import Ledgers, former_id
from converge.engine.step import Step
from converge.model import Domain, Entry, Product


@frozen
class Orphan:
    """A resource that left the product, with its ledger entries."""

    id: str
    type: str
    entries: tuple[tuple[Domain, Entry], ...]


def orphans(product: Product, steps: Collection[Step], ledgers: Ledgers) -> tuple[Orphan, ...]:
    """The orphans, in the order of the ledgers. An element that a probe no longer finds is not one."""
    known = {id_ for step in steps for id_ in (step.id, former_id(step.resource, step.id))}
    known |= {id_ for each in product.resources.values() for id_ in (each.id, each.renamed_from)}
    open_loops = {step.resource.id for step in steps if not step.is_element}
    loops = tuple(
        f"{each.id}["
        for each in product.resources.values()
        if over_probe(each) or (each.id in open_loops and each.for_each)
    )
    found: dict[str, list[tuple[Domain, Entry]]] = {}
    for ledger in ledgers:
        for entry in ledger.memory.entries.values():
            if entry.alias is None and entry.id not in known and not entry.id.startswith(loops):
                found.setdefault(entry.id, []).append((ledger.domain, entry))
    return tuple(Orphan(id_, entries[0][1].type, tuple(entries)) for id_, entries in found.items())
