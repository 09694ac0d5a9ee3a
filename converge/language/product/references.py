"""The check of references: the ids that resources name exist, and the references have an order."""

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from attrs import frozen

from converge.diagnostics import Mark, Path, Related, Report, did_you_mean
from converge.language import schema
from converge.language.product.draft import literal_keys, split_element, texts
from converge.model import Resource


def check(resources: Mapping[str, Resource], dropped: Mapping[str, Mark], report: Report) -> None:
    """`dropped`: the ids and elements that `without` dropped, with their places."""
    for resource in resources.values():
        for reference in _references(resource):
            _check_reference(resource, reference, resources, dropped, report)
    _check_cycles(resources, report)


@frozen
class _Reference:
    """One id that a resource names in `needs` or in a parameter; `verb` is the word for it in messages."""

    name: str
    path: Path
    verb: str


def _references(resource: Resource) -> Iterator[_Reference]:
    for index, name in enumerate(resource.needs):
        yield _Reference(name, ("needs", index), "needs")
    for parameter in schema.references(resource.type):
        for index, name in enumerate(texts(resource.with_.get(parameter))):
            yield _Reference(name, ("with", parameter, index), "follows")


def base_id(name: str) -> str:
    element = split_element(name)
    return element[0] if element else name


def unknown(name: str, resources: Mapping[str, Resource]) -> str | None:
    """The hint for an id or element that does not exist; None if it exists or may exist."""
    if name in resources:
        return None
    element = split_element(name)
    if element is None or element[0] not in resources:
        return did_you_mean(name, list(resources)) or "name a resource of this product"
    id_, key = element
    for_each = resources[id_].for_each
    if for_each is None:
        return f"write '{id_}': it has no `for_each`, so it has no elements"
    keys = literal_keys(for_each)
    if keys is None or key in keys:
        return None
    names = ", ".join(f"'{each}'" for each in keys)
    return did_you_mean(key, list(keys)) or (f"name one of its elements: {names}" if keys else "remove it: no elements")


def _check_reference(
    resource: Resource,
    reference: _Reference,
    resources: Mapping[str, Resource],
    dropped: Mapping[str, Mark],
    report: Report,
) -> None:
    name, mark = reference.name, resource.mark_of(*reference.path)
    message = f"'{resource.id}' {reference.verb} '{name}'"
    if place := dropped.get(name) or dropped.get(base_id(name)):
        remedy = f"override `{reference.path[-2]}` of '{resource.id}', or drop '{resource.id}' as well"
        related = (Related("dropped here", place),)
        report.error("unknown-id", f"{message}, which this product drops", mark, hint=remedy, related=related)
    elif (hint := unknown(name, resources)) is not None:
        report.error("unknown-id", f"{message}, which does not exist", mark, hint=hint)


def _check_cycles(resources: Mapping[str, Resource], report: Report) -> None:
    graph = {id_: {base_id(each.name) for each in _references(resource)} for id_, resource in resources.items()}
    while cycle := _cycle(graph):
        _report_cycle(cycle, resources, report)
        graph = {id_: needed for id_, needed in graph.items() if id_ not in cycle}


def _cycle(graph: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The ids of one cycle, each needing the next; empty without a cycle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return tuple(reversed(error.args[1][1:]))
    return ()


def _report_cycle(cycle: tuple[str, ...], resources: Mapping[str, Resource], report: Report) -> None:
    places = [_mark_of(resources[id_], cycle[(index + 1) % len(cycle)]) for index, id_ in enumerate(cycle)]
    report.error(
        "needs-cycle",
        "these resources wait for each other: " + " needs ".join((*cycle, cycle[0])),
        places[0],
        hint="remove one of these references",
        related=tuple(Related("this is part of the cycle", mark) for mark in places[1:]),
    )


def _mark_of(resource: Resource, needed: str) -> Mark:
    return resource.mark_of(*next(each.path for each in _references(resource) if base_id(each.name) == needed))
