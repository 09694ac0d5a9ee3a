"""The state of resources, and the content of the ledgers, as text and as JSON documents."""

from collections.abc import Iterator, Mapping
from typing import Any

from converge.engine.ledger import Ledger, Ledgers, Memory
from converge.engine.orphans import Orphan
from converge.engine.status import Resource, Standing, Status
from converge.model import Change, Domain, Entry
from converge.model import Status as EntryStatus
from converge.render.base import (
    Line,
    before_and_after,
    pad,
    part_by_part,
    plural,
    safe,
    shown,
    width,
    wrapped,
)
from converge.render.plan import fields, thing
from converge.system.store import path_of

STYLES = {
    Standing.SETTLED: "green",
    Standing.CHANGED: "cyan",
    Standing.DRIFTED: "bold yellow",
    Standing.PENDING: "yellow",
    Standing.OWED: "yellow",
    Standing.BLOCKED: "bold red",
    Standing.FAILED: "bold red",
    Standing.NOT_APPLICABLE: "dim",
}
WORDS = {Standing.CHANGED: "changed", Standing.NOT_APPLICABLE: "n/a"}
"""Shorter words for standings that are too long for a column."""
ENTRY_STYLES = {EntryStatus.FAILED: "bold red", EntryStatus.BLOCKED: "bold red", EntryStatus.OWED: "yellow"}
FOLDED = (Standing.SETTLED, Standing.NOT_APPLICABLE)
INDENT = " " * 8


def status(found: Status, ledgers: Ledgers, *, columns: int | None, verbose: bool = False) -> Iterator[Line]:
    """The state of each resource; the last line counts."""
    product = found.plan.product
    yield (safe(product.title), "bold"), (f" ({safe(product.name)}): {_began(ledgers.machine.memory)}", "")
    yield ()
    listed = [each for each in found.resources if verbose or each.standing not in FOLDED]
    words = max((len(_word(each)) for each in listed), default=0)
    ids = max((width(safe(each.id)) for each in listed), default=0)
    for each in listed:
        yield from _resource(each, words, ids, columns)
    for orphan in found.orphans:
        yield ("  ? ", "yellow"), (safe(orphan.id), "bold"), (f"  {orphan.type}, no longer declared: left as it is", "")
    folded = len(found.resources) - len(listed)
    if folded:
        yield ((f"  = {folded} settled or not applicable", "dim"),)
    yield ()
    yield ("Status: ", "bold"), (f"{_counted(found)}.", "")


def details(found: Status, *, columns: int | None) -> Iterator[Line]:
    """All that is known of the resources of a status: the place of declaration, the decision, the ledger entries."""
    for each in found.resources:
        yield from _resource(each, 0, 0, columns)
        step = each.step
        yield from _facts(
            {
                "declared": f"{step.source.filename}:{step.source.line}",
                "applies": f"{step.policy}, revision {step.resource.revision}"
                if step.resource.revision > 1
                else str(step.policy),
                "why": step.why or "",
                "decision": f"{step.decision}: {step.reason}" if step.reason else str(step.decision),
            },
            columns,
        )
        yield from _memory_of(each.entries, columns)
    for orphan in found.orphans:
        yield (safe(orphan.id), "bold"), (f"  {orphan.type}, no longer declared: left as it is", "")
        yield from _memory_of(orphan.entries, columns)


def _resource(each: Resource, words: int, ids: int, columns: int | None) -> Iterator[Line]:
    step = each.step
    what = thing(step)
    reason = "" if each.standing is Standing.SETTLED and not step.certain else safe(_reason(each))
    title: Line = (
        (f"  {pad(_word(each), words)}", STYLES[each.standing]),
        (f"  {pad(safe(each.id), ids)}", "bold"),
        (f"  {what}", ""),
    )
    taken = sum(width(text) for text, _ in title)
    if columns is None or taken + 2 + width(reason) <= columns:
        yield (*title, (f"  {reason}", "dim")) if reason else title
    else:
        yield title
        for line in wrapped(reason, columns - len(INDENT)):
            yield ((INDENT + line, "dim"),)
    if each.by_user:
        yield from _by_user(step.type, each.by_user)
    elif each.standing is Standing.DRIFTED:
        yield from fields(step, columns)


def _by_user(type_: str, changes: tuple[Change, ...]) -> Iterator[Line]:
    presence = any(change.field == "ensure" for change in changes)  # then the reason says it all
    for change in () if presence else part_by_part(changes):
        left, now = before_and_after(type_, change)
        contents = any(isinstance(side, str) and path_of(side) for side in (change.before, change.after))
        words = "differs from the content that converge left" if contents else f"{now}, converge left {left}"
        yield ((f"{INDENT}{safe(change.field)}  {words}", ""),)


def _word(each: Resource) -> str:
    return WORDS.get(each.standing, str(each.standing))


def _reason(each: Resource) -> str:
    if each.standing is Standing.CHANGED and not each.step.kept:
        return f"changed by the user ({', '.join(change.field for change in each.by_user)}); {each.step.policy}"
    if each.standing is Standing.PENDING and not each.entries:
        return "not part of a run yet"
    return each.step.reason


def _counted(found: Status) -> str:
    counts = found.counts
    return ", ".join(
        (
            f"{counts['settled']} settled",
            f"{counts['changed_by_user']} changed by the user",
            *(f"{counts[name]} {name}" for name in ("pending", "owed", "failed", "blocked", "drifted")),
            plural(counts["orphans"], "orphan"),
        )
    )


def _memory_of(entries: tuple[tuple[Domain, Entry], ...], columns: int | None = None) -> Iterator[Line]:
    for domain, entry in entries:
        run = entry.run
        when = f"{run['time']}, {run['event']}" if run else str(entry.event)
        version = f" on OS version {run['version']}" if run.get("version") else ""
        by = f" by {run['product']}{version}" if run.get("product") else ""
        reason = f": {entry.reason}" if entry.reason else ""
        revision = f" (revision {entry.revision})" if entry.revision > 1 else ""
        yield from _facts({f"{domain} ledger": f"{entry.status}{revision}, {when}{by}{reason}"}, columns)
        for name, value in entry.base.items():
            change = Change(name, None, value)
            yield ((f"{INDENT}  left {safe(name)} as {before_and_after(entry.type, change)[1]}", "dim"),)


def _facts(found: Mapping[str, str], columns: int | None) -> Iterator[Line]:
    for name, value in found.items():
        label = f"{INDENT}{name}: "
        lines = [safe(value)] if columns is None else wrapped(value, columns - len(label))
        for number, line in enumerate(lines if value else ()):
            yield (" " * len(label) if number else label, "dim"), (line, "")


def status_document(found: Status, ledgers: Ledgers) -> dict[str, Any]:
    return {
        "product": found.plan.product.name,
        **_beginning(ledgers.machine.memory),
        **{
            standing.value.replace("-", "_"): [_resource_document(each) for each in found.standing(standing)]
            for standing in Standing
        },
        "orphans": [_orphan_document(each) for each in found.orphans],
        "summary": found.counts,
    }


def ledgers(found: Ledgers, id_: str | None = None) -> Iterator[Line]:
    """Both ledgers, or the entries of one resource."""
    if id_ is not None:
        entries = tuple((ledger.domain, entry) for ledger in found for entry in _entries(ledger, id_))
        yield ((safe(id_), "bold"),)
        yield from _memory_of(entries)
        return
    for ledger in found:
        yield (f"{ledger.domain}", "bold"), (f"  {ledger.path}", "dim")
        if not ledger.exists:
            yield (("  not written yet", "dim"),)
        else:
            yield from _memory(ledger)
        yield ()


def ledgers_document(found: Ledgers, id_: str | None = None) -> dict[str, Any]:
    return {str(ledger.domain): _ledger_document(ledger, id_) for ledger in found}


def _entries(ledger: Ledger, id_: str | None) -> list[Entry]:
    return [entry for entry in ledger.memory.entries.values() if id_ in (None, entry.id)]


def _began(memory: Memory) -> str:
    if memory.began is None:
        return "converge has not run here yet"
    event, version = memory.began
    began = f"installed with {safe(version)}" if version else f"first run at an {event}"
    last = f", now at {safe(memory.history[-1].version)}" if memory.history else ""
    waiting = f"; the {memory.opened.event} is not finished" if memory.opened else ""
    return began + last + waiting


def _memory(ledger: Ledger) -> Iterator[Line]:
    memory = ledger.memory
    yield ((f"  {safe(memory.product)}: {_began(memory)}", ""),)
    ids = max((width(safe(id_)) for id_ in memory.entries), default=0)
    types = max((len(entry.type) for entry in memory.entries.values()), default=0)
    for entry in memory.entries.values():
        yield (
            (f"  {entry.status:<9}", ENTRY_STYLES.get(entry.status, "green")),
            (f"  {pad(safe(entry.id), ids)}", "bold"),
            (f"  {entry.type:<{types}}", "dim"),
            (f"  {_of_entry(entry)}", ""),
        )
    for id_ in memory.intents:
        yield ("  a run was interrupted at ", "yellow"), (safe(id_), "bold")
    for audit in memory.audit:
        yield ((f"  {safe(str(audit['time']))}: {safe(str(audit['verb']))} {safe(str(audit['id']))} by hand", "dim"),)


def _of_entry(entry: Entry) -> str:
    if entry.alias is not None:
        return f"renamed to {safe(entry.alias)}"
    revision = f"revision {entry.revision}, " if entry.revision > 1 else ""
    return f"{revision}{entry.event}" + (f": {safe(entry.reason)}" if entry.reason else "")


def _resource_document(each: Resource) -> dict[str, Any]:
    step = each.step
    return {
        "id": step.id,
        "type": step.type,
        "policy": str(step.policy),
        "standing": str(each.standing),
        "things": [thing.words for thing in step.things],
        "reason": _reason(each),
        "reason_code": step.reason_code,
        "changes": _changes_document(step.changes),
        "changed_by_user": _changes_document(each.by_user),
        "source": {"file": step.source.filename, "line": step.source.line},
        "entries": [_entry_document(entry, domain) for domain, entry in each.entries],
    }


def _changes_document(changes: tuple[Change, ...]) -> list[dict[str, Any]]:
    return [{"field": c.field, "before": shown(c.before), "after": shown(c.after)} for c in changes]


def _orphan_document(orphan: Orphan) -> dict[str, Any]:
    entries = [_entry_document(entry, domain) for domain, entry in orphan.entries]
    return {"id": orphan.id, "type": orphan.type, "entries": entries}


def _entry_document(entry: Entry, domain: Domain | None = None) -> dict[str, Any]:
    return {
        **({} if domain is None else {"domain": str(domain)}),
        "id": entry.id,
        "type": entry.type,
        "status": str(entry.status),
        "revision": entry.revision,
        "event": str(entry.event),
        "reason": entry.reason,
        "things": list(entry.things),
        "renamed_to": entry.alias,
        "run": dict(entry.run),
    }


def _beginning(memory: Memory) -> dict[str, Any]:
    began = memory.began and {"event": str(memory.began[0]), "version": memory.began[1]}
    history = [{"identity": past.identity, "version": past.version} for past in memory.history]
    return {"began": began, "open_event": memory.opened and str(memory.opened.event), "history": history}


def _ledger_document(ledger: Ledger, id_: str | None) -> dict[str, Any]:
    memory = ledger.memory
    return {
        "path": ledger.path,
        "exists": ledger.exists,
        "product": memory.product,
        **_beginning(memory),
        "entries": [_entry_document(entry) for entry in _entries(ledger, id_)],
        "intents": list(memory.intents),
        "runs": shown(memory.runs),
        "audit": list(memory.audit),
    }
