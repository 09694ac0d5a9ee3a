"""What the ledgers hold and what the machine says of it, as text and as JSON documents."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from converge.engine.ledger import Ledger, Ledgers, Memory
from converge.engine.status import Remembered, Status
from converge.engine.step import Step
from converge.model import Entry
from converge.model import Status as EntryStatus
from converge.render.base import Line, before_and_after, pad, part_by_part, plural, safe, shown, width

STYLES = {EntryStatus.FAILED: "bold red", EntryStatus.BLOCKED: "bold red", EntryStatus.OWED: "yellow"}


def status(found: Status, ledgers: Ledgers, *, verbose: bool) -> Iterator[Line]:
    """What is settled, owed, failed, drifted and orphaned; the last line counts."""
    product = found.plan.product
    yield (safe(product.title), "bold"), (f" ({safe(product.name)}): {_began(ledgers.machine.memory)}", "")
    yield ()
    entries = _entries(found)
    told = [each for each in entries if verbose or not each.entry.status.settled]
    yield from _table(told)
    for step in found.drifted:
        yield from _drifted(step)
    for each in found.orphans:
        yield ("  ? ", "yellow"), (safe(each.entry.id), "bold"), (f"  {each.entry.type}  no longer in the product", "")
    if told or found.drifted or found.orphans:
        yield ()
    yield _count(found)


def status_document(found: Status, ledgers: Ledgers) -> dict[str, Any]:
    by_status = {
        name: [_entry(each) for each in _entries(found) if each.entry.status in members]
        for name, members in _GROUPS.items()
    }
    drifted = [
        {
            "id": step.id,
            "type": step.type,
            "changes": [{"field": c.field, "before": shown(c.before), "after": shown(c.after)} for c in step.changes],
        }
        for step in found.drifted
    ]
    return {
        "product": found.plan.product.name,
        **_beginning(ledgers.machine.memory),
        **by_status,
        "drifted": drifted,
        "orphans": [_entry(each) for each in found.orphans],
        "summary": _counts(found),
    }


def ledgers(found: Ledgers) -> Iterator[Line]:
    for ledger in found:
        yield (f"{ledger.domain}", "bold"), (f"  {ledger.path}", "dim")
        if not ledger.exists:
            yield (("  there is none yet", "dim"),)
        else:
            yield from _memory(ledger)
        yield ()


def ledgers_document(found: Ledgers) -> dict[str, Any]:
    return {str(ledger.domain): _ledger_document(ledger) for ledger in found}


_GROUPS = {
    "settled": (EntryStatus.DONE, EntryStatus.BASELINED),
    "owed": (EntryStatus.OWED,),
    "failed": (EntryStatus.FAILED,),
    "blocked": (EntryStatus.BLOCKED,),
}


def _entries(found: Status) -> list[Remembered]:
    return [each for each in found.entries if each not in found.orphans]


def _counts(found: Status) -> dict[str, int]:
    statuses = [each.entry.status for each in _entries(found)]
    counts = {name: sum(status in members for status in statuses) for name, members in _GROUPS.items()}
    return {**counts, "drifted": len(found.drifted), "orphans": len(found.orphans)}


def _count(found: Status) -> Line:
    counts = _counts(found)
    orphans = plural(counts.pop("orphans"), "orphan")
    words = ", ".join(f"{count} {name}" for name, count in counts.items())
    return ("Status: ", "bold"), (f"{words}, {orphans}.", "")


def _began(memory: Memory) -> str:
    if memory.began is None:
        return "converge has not run here yet"
    event, version = memory.began
    began = f"installed with {safe(version)}" if version else f"began with an {event}"
    last = f", now at {safe(memory.history[-1].version)}" if memory.history else ""
    waiting = f"; the {memory.opened.event} is not finished" if memory.opened else ""
    return began + last + waiting


def _table(entries: Iterable[Remembered]) -> Iterator[Line]:
    told = list(entries)
    count = Counter(each.entry.id for each in told)
    ids = max((width(safe(each.entry.id)) for each in told), default=0)
    types = max((len(each.entry.type) for each in told), default=0)
    for each in told:
        entry = each.entry
        half = f"in the {each.domain}'s ledger: " if count[entry.id] > 1 else ""
        yield (
            (f"  {entry.status:<9}", STYLES.get(entry.status, "green")),
            (f"  {pad(safe(entry.id), ids)}", "bold"),
            (f"  {entry.type:<{types}}", "dim"),
            (f"  {half}{_told(entry)}", ""),
        )


def _told(entry: Entry) -> str:
    if entry.alias is not None:
        return f"renamed to {safe(entry.alias)}"
    revision = f"revision {entry.revision}, " if entry.revision > 1 else ""
    return f"{revision}{entry.event}" + (f": {safe(entry.reason)}" if entry.reason else "")


def _drifted(step: Step) -> Iterator[Line]:
    yield ("  drifted  ", "bold yellow"), (f"  {safe(step.id)}", "bold"), (f"  {step.type}", "dim")
    for change in part_by_part(step.changes):
        before, after = before_and_after(step.type, change)
        yield ((f"      {safe(change.field)}: {after} -> {before}", ""),)


def _memory(ledger: Ledger) -> Iterator[Line]:
    memory = ledger.memory
    yield ((f"  {safe(memory.product)}: {_began(memory)}", ""),)
    yield from _table(Remembered(ledger.domain, entry) for entry in memory.entries.values())
    for id_ in memory.intents:
        yield ("  a run was interrupted at ", "yellow"), (safe(id_), "bold")
    for audit in memory.audit:
        yield ((f"  {safe(str(audit['time']))}: {safe(str(audit['verb']))} {safe(str(audit['id']))} by hand", "dim"),)


def _entry(each: Remembered) -> dict[str, Any]:
    return {"domain": str(each.domain), **_entry_document(each.entry)}


def _entry_document(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "type": entry.type,
        "status": str(entry.status),
        "revision": entry.revision,
        "event": str(entry.event),
        "reason": entry.reason,
        "things": list(entry.things),
        "renamed_to": entry.alias,
    }


def _beginning(memory: Memory) -> dict[str, Any]:
    began = memory.began and {"event": str(memory.began[0]), "version": memory.began[1]}
    history = [{"identity": past.identity, "version": past.version} for past in memory.history]
    return {"began": began, "open_event": memory.opened and str(memory.opened.event), "history": history}


def _ledger_document(ledger: Ledger) -> dict[str, Any]:
    memory = ledger.memory
    return {
        "path": ledger.path,
        "exists": ledger.exists,
        "product": memory.product,
        **_beginning(memory),
        "entries": [_entry_document(entry) for entry in memory.entries.values()],
        "intents": list(memory.intents),
        "runs": shown(memory.runs),
        "audit": list(memory.audit),
    }
