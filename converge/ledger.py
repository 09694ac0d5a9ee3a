"""The durable memory: one ledger per domain, each a JSON file with an append-only journal beside it.

While a run changes things it appends to the journal (intent before the change, entry after it), with one fdatasync
per intent; that sync makes the entry before it durable too. At the end the journal is folded into the file, which is
replaced atomically, and only if it differs. Both carry a generation: a journal of an older one is already folded in.
"""

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import attrs
from attrs import define, evolve, field, frozen

from converge.errors import LedgerError
from converge.model import Change, Domain, Effect, EffectKind, Entry, Event, Resource, Status, Value
from converge.system import ReadOnlySystem, System

_T = TypeVar("_T")

FORMAT = 1
FOLDERS = {Domain.DEPLOYMENT: "/etc/converge", Domain.MACHINE: "/var/lib/converge"}
RUNS_KEPT = 50
HISTORY_KEPT = 100


@frozen
class Deployment:
    """A deployment that a run has decided completely: its identity and its OS version."""

    identity: str
    version: str


@frozen
class Opened:
    """An event that no run has yet decided completely, and the deployment it came with."""

    event: Event
    adopting: bool
    deployment: Deployment


@frozen
class Intent:
    """What a run set out to change: written before the change, gone after it."""

    id: str
    changes: tuple[Change, ...]
    entry: Entry


@frozen
class Memory:
    """What one ledger holds, as a value."""

    product: str = ""
    began: tuple[Event, str | None] | None = None
    """How this machine began: the event, and the OS version at an install (None where converge was not there)."""
    opened: Opened | None = None
    history: tuple[Deployment, ...] = ()
    """Oldest first; the last one is the deployment of the last run that decided everything."""
    entries: Mapping[str, Entry] = field(factory=dict)
    intents: Mapping[str, Intent] = field(factory=dict)
    effects: tuple[Effect, ...] = ()
    runs: tuple[Mapping[str, Any], ...] = ()
    """What each of the last runs changed, with the state before: {run, time, version, changes: [...]}; for undo."""
    audit: tuple[Mapping[str, Any], ...] = ()
    unknown: Mapping[str, Any] = field(factory=dict)
    """Keys that a newer converge wrote; kept."""

    @property
    def identity(self) -> str | None:
        return self.history[-1].identity if self.history else None

    def find(self, resource: Resource, id_: str) -> Entry | None:
        """The entry of a resource: under its id, the id it was renamed from, or the id that this one became."""
        entry = self.entries.get(id_) or self.entries.get(_former_id(resource, id_) or "")
        if entry is not None and entry.alias is not None:
            entry = self.entries.get(entry.alias, entry)
        return entry if entry is not None and entry.type == resource.type else None


def _former_id(resource: Resource, id_: str) -> str | None:
    return None if resource.renamed_from is None else resource.renamed_from + id_[len(resource.id) :]


@define
class Ledger:
    """One domain's memory on its way between the disk and a run."""

    domain: Domain
    exists: bool
    memory: Memory
    generation: int = 0
    journal_open: bool = False
    saved: bytes = b""
    refused: bool = False
    """Nothing may be remembered here: the tree is to become /usr/etc of an image, and memory in it would be false."""

    @property
    def path(self) -> str:
        return f"{FOLDERS[self.domain]}/ledger.json"

    @property
    def journal_path(self) -> str:
        return f"{FOLDERS[self.domain]}/ledger.journal"

    @classmethod
    def load(cls, system: ReadOnlySystem, domain: Domain) -> "Ledger":
        """Read a ledger and what its journal adds. Raises LedgerError where either cannot be read or trusted."""
        ledger = cls(domain, exists=False, memory=Memory())
        ledger.refused = domain is Domain.DEPLOYMENT and _is_undeployed(system)
        data = _read(system, ledger.path)
        if data is not None:
            ledger.exists, ledger.saved = True, data
            ledger.generation, ledger.memory = _decode(data, ledger.path)
        for record in _journal(_read(system, ledger.journal_path) or b"", ledger):
            ledger.exists = ledger.journal_open = True
            ledger.memory = _replay(ledger.memory, record)
        return ledger

    def put(self, entry: Entry, resource: Resource) -> None:
        """Remember an entry; it reaches the disk when the run is folded."""
        self.memory = _with_entry(self.memory, entry, _former_id(resource, entry.id))

    def drop(self, id_: str) -> None:
        self._update(entries=_less(self.memory.entries, id_), intents=_less(self.memory.intents, id_))

    def open(self, system: System, opened: Opened, began: tuple[Event, str | None], product: str) -> None:
        """Make the event durable before anything is changed under it."""
        if self.exists and self.memory.opened == opened:
            return
        self._record(
            system,
            {"op": "open", "opened": _unstructure(opened), "began": began, "product": product},
            sync=True,
        )

    def intend(self, system: System, intent: Intent) -> None:
        """Make an intent durable; what it says may be changed once this returns."""
        self._record(system, {"op": "intent", "intent": _unstructure(intent)}, sync=True)

    def commit(self, system: System, entry: Entry, resource: Resource, effects: tuple[Effect, ...]) -> None:
        """Close an intent: the entry as it is now, with the effects that the change calls for."""
        former = _former_id(resource, entry.id)
        record = {"op": "entry", "entry": _unstructure(entry), "former": former, "effects": _unstructure(effects)}
        self._record(system, record, sync=False)

    def effect_done(self, system: System, effect: Effect) -> None:
        self._record(system, {"op": "effect-done", "effect": _unstructure(effect)}, sync=False)

    def close(self, deployments: tuple[Deployment, ...], product: str) -> None:
        """Record that every resource was decided for the last of `deployments`."""
        for intent in self.memory.intents.values():
            reason = "interrupted, and declared no longer"
            self.memory = _with_entry(self.memory, evolve(intent.entry, status=Status.FAILED, reason=reason), None)
        known = tuple(d for d in self.memory.history if d not in deployments)
        self._update(opened=None, history=(*known, *deployments)[-HISTORY_KEPT:], product=product)

    def add_run(self, version: str, changes: list[dict[str, Any]]) -> None:
        number = self.memory.runs[-1]["run"] + 1 if self.memory.runs else 1
        run = {"run": number, "time": _now(), "version": version, "changes": changes}
        self._update(runs=(*self.memory.runs, run)[-RUNS_KEPT:])

    def add_audit(self, verb: str, id_: str) -> None:
        self._update(audit=(*self.memory.audit, {"time": _now(), "verb": verb, "id": id_})[-RUNS_KEPT:])

    def fold(self, system: System) -> None:
        """Put the memory into the file, if it differs, and drop the journal."""
        if _encode(self.memory, self.generation) != self.saved:
            self.generation += 1
            self.saved = _encode(self.memory, self.generation)
            system.write(self.path, self.saved, mode=0o600, uid=0, gid=0, keep=False)
        if self.journal_open:
            system.remove(self.journal_path, keep=False)
        self.exists, self.journal_open = True, False

    def _update(self, **changed: Any) -> None:  # noqa: ANN401  (the fields of Memory, which attrs checks)
        self.memory = evolve(self.memory, **changed)

    def _record(self, system: System, record: dict[str, Any], *, sync: bool) -> None:
        if not self.journal_open:
            system.append(self.journal_path, _line({"op": "journal", "generation": self.generation}), sync=False)
            self.journal_open = True
        system.append(self.journal_path, _line(record), sync=sync)
        self.memory = _replay(self.memory, record)


@frozen
class Ledgers:
    """The two ledgers of a machine."""

    machine: Ledger
    deployment: Ledger

    @classmethod
    def load(cls, system: ReadOnlySystem) -> "Ledgers":
        return cls(Ledger.load(system, Domain.MACHINE), Ledger.load(system, Domain.DEPLOYMENT))

    def of(self, domain: Domain) -> Ledger:
        return self.machine if domain is Domain.MACHINE else self.deployment

    def __iter__(self) -> Iterator[Ledger]:
        return iter((self.machine, self.deployment))


def _is_undeployed(system: ReadOnlySystem) -> bool:
    """The root is an ostree tree before its deployment: it has /usr/etc and is none of a sysroot's deployments."""
    if system.live or system.stat("/usr/etc") is None:
        return False
    return not re.fullmatch(r".*/ostree/deploy/[^/]+/deploy/[0-9a-f]+\.\d+/?", system.root)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(system: ReadOnlySystem, path: str) -> bytes | None:
    from converge.errors import ConvergeError

    try:
        if system.live:
            system.require_trusted(path)
        return system.read(path)
    except ConvergeError as error:
        raise LedgerError(f"the ledger {path} cannot be read: {error.message}", hint=_MEND) from error


_MEND = "nothing was changed; restore the file from a backup, or move it away to let converge adopt the machine anew"


def _journal(data: bytes, ledger: Ledger) -> Iterator[dict[str, Any]]:
    """The records of a journal of this generation; a last line cut short by a kill was never acted on."""
    lines = data.split(b"\n")
    complete, torn = lines[:-1], lines[-1]
    for number, line in enumerate(complete, 1):
        record = _parse_line(line)
        if record is None:
            if number == len(complete) and not torn:
                return  # a power cut may leave the last line's blocks unwritten
            raise LedgerError(f"line {number} of the journal {ledger.journal_path} is damaged", hint=_MEND)
        if number == 1 and record.get("generation") != ledger.generation:
            return
        if number > 1:
            yield record


def _line(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":"), sort_keys=True).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parse_line(line: bytes) -> dict[str, Any] | None:
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    record: dict[str, Any] = json.loads(text)
    return record


def _replay(memory: Memory, record: dict[str, Any]) -> Memory:
    """The memory after one record. A record of a kind we do not know comes from a newer converge and adds nothing."""
    match record["op"]:
        case "open":
            began = memory.began or _began(record["began"])
            return evolve(memory, opened=_opened(record["opened"]), began=began, product=record["product"])
        case "intent":
            intent = _intent(record["intent"])
            return evolve(memory, intents={**memory.intents, intent.id: intent})
        case "entry":
            return _replay_entry(memory, record)
        case "effect-done":
            done = _effect(record["effect"])
            return evolve(memory, effects=tuple(e for e in memory.effects if e != done))
        case _:
            return memory


def _replay_entry(memory: Memory, record: dict[str, Any]) -> Memory:
    entry = _entry(record["entry"])
    new = [_effect(e) for e in record["effects"]]
    return evolve(
        _with_entry(memory, entry, record["former"]),
        effects=(*memory.effects, *(e for e in new if e not in memory.effects)),
    )


def _with_entry(memory: Memory, entry: Entry, former: str | None) -> Memory:
    """Remember an entry; the one of the id that it had before stays as an alias, for a rollback to find."""
    entries = {**memory.entries, entry.id: entry}
    memory = evolve(memory, intents=_less(memory.intents, entry.id))
    if former is not None and former in memory.entries:
        entries[former] = evolve(memory.entries[former], alias=entry.id)
    return evolve(memory, entries=entries)


def _less(mapping: Mapping[str, _T], key: str) -> dict[str, _T]:
    return {other: value for other, value in mapping.items() if other != key}


def _encode(memory: Memory, generation: int) -> bytes:
    known = _unstructure(memory)
    known |= {"entries": {e.pop("id"): e for e in known["entries"].values()}}
    known["intents"] = list(known["intents"].values())
    document = {"converge_ledger": FORMAT, "generation": generation, **known.pop("unknown"), **known}
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def _decode(data: bytes, path: str) -> tuple[int, Memory]:
    try:
        document = json.loads(data)
        return document["generation"], _memory(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LedgerError(f"the ledger {path} is damaged ({error})", hint=_MEND) from error


def _memory(document: dict[str, Any]) -> Memory:
    known = {a.name for a in attrs.fields(Memory)} | {"converge_ledger", "generation"}
    opened, began = document["opened"], document["began"]
    return Memory(
        product=document["product"],
        began=_began(began) if began else None,
        opened=_opened(opened) if opened else None,
        history=tuple(Deployment(**d) for d in document["history"]),
        entries={id_: _entry({"id": id_, **entry}) for id_, entry in document["entries"].items()},
        intents={intent["id"]: _intent(intent) for intent in document["intents"]},
        effects=tuple(_effect(e) for e in document["effects"]),
        runs=tuple(document["runs"]),
        audit=tuple(document["audit"]),
        unknown={key: value for key, value in document.items() if key not in known},
    )


def _unstructure(value: object) -> Any:  # noqa: ANN401  (whatever JSON holds)
    if attrs.has(type(value)):
        return {a.name: _unstructure(getattr(value, a.name)) for a in attrs.fields(type(value))}  # type: ignore[arg-type]  # has() said so
    if isinstance(value, Mapping):
        return {key: _unstructure(item) for key, item in value.items()}
    return [_unstructure(item) for item in value] if isinstance(value, tuple | list) else value


def _began(data: Any) -> tuple[Event, str | None]:  # noqa: ANN401
    return Event(data[0]), data[1]


def _opened(data: dict[str, Any]) -> Opened:
    return Opened(Event(data["event"]), data["adopting"], Deployment(**data["deployment"]))


def _change(data: dict[str, Value]) -> Change:
    return Change(str(data["field"]), frozen_value(data["before"]), frozen_value(data["after"]))


def _intent(data: dict[str, Any]) -> Intent:
    return Intent(data["id"], tuple(_change(c) for c in data["changes"]), _entry(data["entry"]))


def _effect(data: dict[str, str]) -> Effect:
    return Effect(EffectKind(data["kind"]), data["unit"])


def _entry(data: dict[str, Any]) -> Entry:
    names = {a.name for a in attrs.fields(Entry)}
    known = {key: value for key, value in data.items() if key in names}
    known |= {"status": Status(data["status"]), "event": Event(data["event"]), "things": tuple(data["things"])}
    known["base"] = {key: frozen_value(value) for key, value in data["base"].items()}
    return Entry(**known)


def frozen_value(value: Value) -> Value:
    """A JSON value with its lists as tuples, so that it compares with the values that providers find."""
    if isinstance(value, list | tuple):
        return tuple(frozen_value(item) for item in value)
    return {key: frozen_value(item) for key, item in value.items()} if isinstance(value, Mapping) else value
