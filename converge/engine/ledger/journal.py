"""The journal: one record per line, each with its checksum, and its replay into a memory. Pure."""

import json
import zlib
from collections.abc import Iterator
from typing import Any

from attrs import evolve

from converge.engine.ledger.base import (
    Intent,
    Memory,
    Opened,
    began_from,
    effect_from,
    entry_from,
    intent_from,
    opened_from,
    to_json,
)
from converge.errors import LedgerError
from converge.model import Effect, Entry, Event

Record = dict[str, Any]

REMEDY = "nothing was changed; restore it from a backup, or move ledger and journal away: converge then adopts again"


def heading(generation: int) -> Record:
    """The first record: the generation of the ledger that the others add to."""
    return {"op": "journal", "generation": generation}


def opening(opened: Opened, began: tuple[Event, str | None], product: str, source: str = "") -> Record:
    return {"op": "open", "opened": to_json(opened), "began": list(began), "product": product, "source": source}


def intending(intent: Intent) -> Record:
    return {"op": "intent", "intent": to_json(intent)}


def committing(entry: Entry, former: str | None, effects: tuple[Effect, ...]) -> Record:
    return {"op": "entry", "entry": to_json(entry), "former": former, "effects": to_json(effects)}


def finishing(effect: Effect) -> Record:
    return {"op": "effect-done", "effect": to_json(effect)}


def replay(memory: Memory, record: Record) -> Memory:
    """The memory after one record. A record of an unknown kind comes from a newer converge and adds nothing."""
    match record["op"]:
        case "open":
            opened, began = opened_from(record["opened"]), began_from(record["began"])
            return memory.with_event(opened, began, record["product"], record.get("source", ""))
        case "intent":
            return memory.with_intent(intent_from(record["intent"]))
        case "entry":
            effects = tuple(effect_from(effect) for effect in record["effects"])
            entry, former = entry_from(record["entry"]), record["former"]
            return memory.with_change(entry, former).with_entry(entry, former).with_effects(effects)
        case "effect-done":
            done = effect_from(record["effect"])
            return evolve(memory, effects=tuple(effect for effect in memory.effects if effect != done))
        case _:
            return memory


def line(record: Record) -> bytes:
    text = json.dumps(record, separators=(",", ":"), sort_keys=True).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def records(data: bytes, generation: int, path: str) -> Iterator[Record]:
    """The records that a journal adds to the ledger of this generation; none if that ledger contains them already.

    A last line that a kill or a power cut left unfinished was never acted on. Raises LedgerError for a line that is
    damaged before the last one, and for a journal of a ledger that is newer than ours.
    """
    *complete, torn = data.split(b"\n")
    for number, each in enumerate(complete, 1):
        record = _parse(each)
        if record is None:
            if number == len(complete) and not torn:
                return
            raise LedgerError(f"line {number} of the journal {path} is damaged", hint=REMEDY)
        if number > 1:
            yield record
        elif record["generation"] > generation:
            raise LedgerError(f"the journal {path} belongs to a newer ledger than the one beside it", hint=REMEDY)
        elif record["generation"] < generation:
            return


def _parse(text: bytes) -> Record | None:
    checksum, _, text = text.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    record: Record = json.loads(text)
    return record
