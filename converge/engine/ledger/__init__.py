"""The durable memory: one ledger per domain, each a JSON file with an append-only journal beside it.

While a run changes things it appends to the journal (intent before the change, entry after it), with one fdatasync
per intent; that sync makes the entry before it durable too. At the end the journal is folded into the file, which is
replaced atomically, and only if it differs. Both carry a generation: a journal of an older one is already folded in.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from attrs import define, evolve, field, frozen

from converge.engine.ledger import journal
from converge.engine.ledger.base import (
    Deployment,
    Intent,
    Memory,
    Opened,
    former_id,
    frozen_value,
    memory_from,
    plain,
    without,
)
from converge.errors import ConvergeError, LedgerError
from converge.model import Domain, Effect, Entry, Event, Resource, Status
from converge.system import ReadOnlySystem, System

__all__ = ["Deployment", "Intent", "Ledger", "Ledgers", "Memory", "Opened", "former_id", "frozen_value"]

FOLDERS = {Domain.DEPLOYMENT: "/etc/converge", Domain.MACHINE: "/var/lib/converge"}
RUNS_KEPT = 50


@define
class Ledger:
    """One domain's memory on its way between the disk and a run."""

    domain: Domain
    exists: bool
    memory: Memory
    generation: int = 0
    journal_open: bool = False
    """The disk has a journal that adds to the file."""
    journal_left: bool = False
    """The disk has a journal that adds nothing: it was folded already, or contains only its heading."""
    saved: bytes = b""
    """The file as it is on the disk."""
    run: Mapping[str, str] = field(factory=dict)
    """The run in progress, for the entries that it writes."""
    refused: bool = False
    """Nothing may be recorded here: the tree will become /usr/etc of an image, and a ledger in it would be false."""

    @property
    def path(self) -> str:
        return f"{FOLDERS[self.domain]}/ledger.json"

    @property
    def journal_path(self) -> str:
        return f"{FOLDERS[self.domain]}/ledger.journal"

    @classmethod
    def load(cls, system: ReadOnlySystem, domain: Domain) -> "Ledger":
        """Read a ledger and its journal. Raises LedgerError if one of them cannot be read or trusted."""
        ledger = cls(domain, exists=False, memory=Memory())
        ledger.refused = domain is Domain.DEPLOYMENT and _is_undeployed(system)
        with _refusing_damage(ledger.path):
            data = _read(system, ledger.path)
            if data is not None:
                ledger.exists, ledger.saved = True, data
                ledger.generation, ledger.memory = _decode(data)
        with _refusing_damage(ledger.journal_path):
            data = _read(system, ledger.journal_path)
            for record in journal.records(data or b"", ledger.generation, ledger.journal_path):
                ledger.exists = ledger.journal_open = True
                ledger.memory = journal.replay(ledger.memory, record)
            ledger.journal_left = data is not None and not ledger.journal_open
        return ledger

    def recover(self, system: System) -> None:
        """Fold the journal of a killed run: it may end in half a line, so nothing may be appended to it."""
        if self.journal_open:
            self.fold(system)
        elif self.journal_left:
            self._drop_journal(system)

    def stamp(self, event: Event, version: str, product: str) -> None:
        """Set the run that writes entries from now on."""
        self.run = {"time": _now(), "event": event, "version": version, "product": product}

    def has(self, entry: Entry) -> bool:
        """Whether the entry is recorded already, by any run."""
        held = self.memory.entries.get(entry.id)
        return held is not None and held == evolve(entry, run=held.run, alias=held.alias, unknown=held.unknown)

    def _stamped(self, entry: Entry) -> Entry:
        return evolve(entry, run=self.memory.entries[entry.id].run if self.has(entry) else entry.run or self.run)

    def put(self, entry: Entry, resource: Resource) -> None:
        """Record an entry; it reaches the disk when the run is folded."""
        self.memory = self.memory.with_entry(self._stamped(entry), former_id(resource, entry.id))

    def drop(self, id_: str) -> None:
        memory = self.memory
        self.memory = evolve(memory, entries=without(memory.entries, id_), intents=without(memory.intents, id_))

    def release(self, debt: Entry, resource: Resource) -> None:
        """Drop a debt that is no longer due; a revision that was settled before is settled again."""
        if not debt.revision:
            return self.drop(debt.id)
        status = Status.DONE if debt.base else Status.BASELINED
        return self.put(evolve(debt, status=status, reason=""), resource)

    def open(
        self, system: System, opened: Opened, began: tuple[Event, str | None], product: str, source: str = ""
    ) -> None:
        """Make the event durable before anything is changed under it."""
        if self.memory.opened != opened:
            self._record(system, journal.opening(opened, began, product, source), sync=True)

    def intend(self, system: System, intent: Intent) -> None:
        """Make an intent durable; its changes may be made after this returns."""
        intent = evolve(intent, entry=evolve(intent.entry, run=self.run))
        self._record(system, journal.intending(intent), sync=True)

    def commit(self, system: System, entry: Entry, resource: Resource, effects: tuple[Effect, ...]) -> None:
        """Close an intent: record the entry, with the effects of the change."""
        former = former_id(resource, entry.id)
        self._record(system, journal.committing(self._stamped(entry), former, effects), sync=False)

    def effect_done(self, system: System, effect: Effect) -> None:
        self._record(system, journal.finishing(effect), sync=False)

    def close(self, deployment: Deployment, product: str, source: str = "") -> None:
        """Record that every resource was decided for this deployment; it reaches the disk when the run is folded."""
        self.memory = self.memory.closed(deployment, product, source)

    def end_run(self, version: str) -> None:
        """Record the changes, also those of killed runs, under a number and a time."""
        runs, changes = self.memory.runs, self.memory.underway
        if changes:
            number = runs[-1]["run"] + 1 if runs else 1
            run = {"run": number, "time": _now(), "version": version, "changes": changes}
            self.memory = evolve(self.memory, runs=(*runs, run)[-RUNS_KEPT:], underway=())

    def add_audit(self, verb: str, id_: str) -> None:
        audit = (*self.memory.audit, {"time": _now(), "verb": verb, "id": id_})
        self.memory = evolve(self.memory, audit=audit[-RUNS_KEPT:])

    def fold(self, system: System) -> None:
        """Put the memory into the file, if it differs, and drop the journal."""
        if _encode(self.memory, self.generation) != self.saved:
            self.generation += 1
            self.saved = _encode(self.memory, self.generation)
            system.write(self.path, self.saved, mode=0o600, keep=False)
        if self.journal_open:
            self._drop_journal(system)
        self.exists = True

    def _record(self, system: System, record: journal.Record, *, sync: bool) -> None:
        if not self.journal_open:
            self._start_journal(system)
        system.append(self.journal_path, journal.line(record), sync=sync)
        self.memory = journal.replay(self.memory, record)

    def _start_journal(self, system: System) -> None:
        if self.journal_left:
            self._drop_journal(system)
        system.append(self.journal_path, journal.line(journal.heading(self.generation)), sync=False)
        self.journal_open = True

    def _drop_journal(self, system: System) -> None:
        system.remove(self.journal_path, keep=False)
        self.journal_open = self.journal_left = False


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
        """The machine's is last: as long as it is open, a run killed between the two goes on as what it was."""
        return iter((self.deployment, self.machine))


def _is_undeployed(system: ReadOnlySystem) -> bool:
    """The root is an ostree tree before its deployment: it has /usr/etc and is not a deployment in a sysroot."""
    if system.live or system.stat("/usr/etc") is None:
        return False
    return not re.fullmatch(r".*/ostree/deploy/[^/]+/deploy/[0-9a-f]+\.\d+/?", system.root)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(system: ReadOnlySystem, path: str) -> bytes | None:
    try:
        if system.live:
            system.require_trusted(path)
        return system.read(path)
    except ConvergeError as error:
        raise LedgerError(f"the ledger {path} cannot be read: {error.message}", hint=journal.REMEDY) from error


@contextmanager
def _refusing_damage(path: str) -> Iterator[None]:
    """Raise LedgerError for a ledger that cannot be parsed. It is never taken for empty."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise LedgerError(f"the ledger {path} is damaged ({error})", hint=journal.REMEDY) from error


def _encode(memory: Memory, generation: int) -> bytes:
    return (
        json.dumps({"generation": generation, **plain(memory)}, default=plain, indent=1, sort_keys=True) + "\n"
    ).encode()


def _decode(data: bytes) -> tuple[int, Memory]:
    document = json.loads(data)
    unknown_here = {key: value for key, value in document.items() if key != "generation"}
    return int(document["generation"]), memory_from(unknown_here)
