"""What the tests of the ledger remember, and a ledger at the points of a run."""

from pathlib import Path

from attrs import evolve

from converge.diagnostics import Mark
from converge.engine.ledger import Deployment, Intent, Ledger, Opened
from converge.model import Change, Domain, Effect, EffectKind, Entry, Event, Policy, Resource, Status
from converge.system import ReadOnlySystem, System

V1, V2 = Deployment("aaa", "3.7.4"), Deployment("bbb", "3.8.0")
UPGRADE = Opened(Event.UPGRADE, adopting=True, deployment=V1)
BEGAN = (Event.UPGRADE, None)
RESOURCE = Resource("fix", "file", Policy.ONCE, Mark("p.yaml", 1, 1, 1, 2))
CHANGES = (Change("mode", "0644", "0600"), Change("refs", None, ("a", "b")))
DONE = Entry(
    "fix",
    "file",
    Status.DONE,
    things=("file:/etc/x", "path:/etc/x"),
    revision=2,
    event=Event.UPGRADE,
    adopting=True,
    reason="",
    base={"mode": "0600", "refs": ("a", "b"), "filter": None, "size": 7, "on": True, "map": {"k": ("v",)}},
    definition="0123",
)
OWED = evolve(DONE, status=Status.OWED, revision=0, reason="no network")
RESTART, REBOOT = Effect(EffectKind.RESTART, "cups.service"), Effect(EffectKind.REBOOT)


def load(system: ReadOnlySystem, domain: Domain = Domain.MACHINE) -> Ledger:
    return Ledger.load(system, domain)


def file(system: System) -> Path:
    return Path(system.root, "var/lib/converge/ledger.json")


def journal(system: System) -> Path:
    return Path(system.root, "var/lib/converge/ledger.journal")


def files(system: System) -> dict[str, tuple[bytes, int]]:
    """What is on the disk: each file's bytes and inode, which an atomic replacement changes."""
    found = (path for path in Path(system.root).rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_ino) for path in found}


def opened(system: System) -> Ledger:
    """A ledger whose run has opened its event and not changed anything yet."""
    ledger = load(system)
    ledger.open(system, UPGRADE, BEGAN, "school")
    return ledger


def finished(system: System) -> Ledger:
    """A ledger after one whole run."""
    ledger = opened(system)
    ledger.intend(system, Intent("fix", CHANGES, OWED))
    ledger.commit(system, DONE, RESOURCE, ())
    ledger.close(V1, "school")
    ledger.fold(system)
    return ledger
