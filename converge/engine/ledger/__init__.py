"""The durable memory: one ledger per domain, each a JSON file with an append-only journal beside it.

While a run changes things it appends to the journal (intent before the change, entry after it), with one fdatasync
per intent; that sync makes the entry before it durable too. At the end the journal is folded into the file, which is
replaced atomically, and only if it differs. Both carry a generation: a journal of an older one is already folded in.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from attrs import define, evolve, frozen

from converge.engine.ledger import journal
from converge.engine.ledger.base import (
    Deployment,
    Intent,
    Memory,
    Opened,
    former_id,
    frozen_value,
    memory_from,
    to_json,
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
    """There is a journal on the disk that adds to the file."""
    journal_left: bool = False
    """There is one that adds nothing: it was folded already, or has no record yet."""
    saved: bytes = b""
    """The file as it is on the disk."""
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
        """Put away what a killed run left, so that nothing is appended to a journal that may end in half a line."""
        if self.journal_open:
            self.fold(system)
        elif self.journal_left:
            self._drop_journal(system)

    def put(self, entry: Entry, resource: Resource) -> None:
        """Remember an entry; it reaches the disk when the run is folded."""
        self.memory = self.memory.with_entry(entry, former_id(resource, entry.id))

    def drop(self, id_: str) -> None:
        memory = self.memory
        self.memory = evolve(memory, entries=without(memory.entries, id_), intents=without(memory.intents, id_))

    def release(self, debt: Entry, resource: Resource) -> None:
        """Drop a debt that is one no longer; a revision that was settled before it is so again."""
        if not debt.revision:
            return self.drop(debt.id)
        status = Status.DONE if debt.base else Status.BASELINED
        return self.put(evolve(debt, status=status, reason=""), resource)

    def open(self, system: System, opened: Opened, began: tuple[Event, str | None], product: str) -> None:
        """Make the event durable before anything is changed under it."""
        if self.memory.opened != opened:
            self._record(system, journal.opening(opened, began, product), sync=True)

    def intend(self, system: System, intent: Intent) -> None:
        """Make an intent durable; what it says may be changed once this returns."""
        self._record(system, journal.intending(intent), sync=True)

    def commit(self, system: System, entry: Entry, resource: Resource, effects: tuple[Effect, ...]) -> None:
        """Close an intent: the entry as it is now, with the effects that the change calls for."""
        self._record(system, journal.committing(entry, former_id(resource, entry.id), effects), sync=False)

    def effect_done(self, system: System, effect: Effect) -> None:
        self._record(system, journal.finishing(effect), sync=False)

    def close(self, deployment: Deployment, product: str) -> None:
        """Record that every resource was decided for this deployment; it reaches the disk when the run is folded."""
        self.memory = self.memory.closed(deployment, product)

    def end_run(self, version: str) -> None:
        """Put what was changed, also by runs that were killed, under a number and a time."""
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
    """The root is an ostree tree before its deployment: it has /usr/etc and is none of a sysroot's deployments."""
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
        raise LedgerError(f"the ledger {path} cannot be read: {error.message}", hint=journal.MEND) from error


@contextmanager
def _refusing_damage(path: str) -> Iterator[None]:
    """Whatever cannot be understood makes a LedgerError. It is never taken for empty."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise LedgerError(f"the ledger {path} is damaged ({error})", hint=journal.MEND) from error


def _encode(memory: Memory, generation: int) -> bytes:
    return (json.dumps({"generation": generation, **to_json(memory)}, indent=1, sort_keys=True) + "\n").encode()


def _decode(data: bytes) -> tuple[int, Memory]:
    document = json.loads(data)
    unknown_here = {key: value for key, value in document.items() if key != "generation"}
    return int(document["generation"]), memory_from(unknown_here)
