"""Staging a deployment that is no update, and seeing to what becomes of it.

ostree deploys what is staged as the machine goes down, and drops what is older than the running deployment then, unless
that is pinned. So it is pinned meanwhile, and there still is what one could roll back to. A note remembers from boot to
boot what was staged and pinned; each run looks first how that has come out.
"""

import json
from collections.abc import Sequence

from attrs import asdict, evolve, frozen

from converge.system import ReadOnlySystem, System
from converge.system.deployments.base import TRANSIENT, Deployment, admin, deployed, is_booted, staged

NOTE = "/var/lib/converge/staged.json"
ORIGIN = "/run/converge/origin"
"""What a deployment is told of where it comes from, while it is made."""


@frozen
class Note:
    staged: str = ""
    """The folder of what was staged, until it is known how that has come out; while that is done, its commit."""
    pinned: tuple[str, ...] = ()
    """The folders of deployments that are pinned until then."""
    lost: int = 0
    """How many times in a row what was staged has not been deployed."""
    made: str = ""
    """The folder of what was staged and deployed, as long as nobody has gone back from it."""
    left: tuple[tuple[str, str], ...] = ()
    """What somebody has gone back from, until another commit boots next: its commit, and what the kernel was given."""


def stage(system: System, target: Deployment, arguments: Sequence[str]) -> None:
    """Have the commit of the running deployment, or of what is staged, deployed with just these kernel arguments."""
    found, note = deployed(system), _read(system)
    older = _to_pin(system, target, found)
    # First: where a run is killed from here on, the next one knows what is ours.
    _write(system, evolve(note, staged=target.checksum, pinned=(*note.pinned, *(each.folder for each in older))))
    for each in older:
        admin(system, "pin", str(found.index(each)))
    _deploy(system, target, arguments)
    _write(system, note_of(system))


def _to_pin(system: ReadOnlySystem, target: Deployment, found: Sequence[Deployment]) -> list[Deployment]:
    """What is older than the running deployment; where an update is staged, that would drop it anyway."""
    if target.staged:
        return []
    older = found[found.index(target) + 1 :]
    return [each for each in older if each.os == target.os and not each.is_pinned(system)]


def _deploy(system: System, target: Deployment, arguments: Sequence[str]) -> None:
    origin = target.origin(system)
    origin.remove_group(TRANSIENT)
    system.write(ORIGIN, origin.dump(), keep=False)
    overlays = [f"--overlay-initrd={path}" for path in target.overlays]
    appended = [f"--karg-append={each}" for each in arguments]
    words = (f"--os={target.os}", f"--origin-file={ORIGIN}", *overlays, "--karg-none", *appended, target.checksum)
    try:
        admin(system, "deploy", "--stage", *words)
    finally:
        system.remove(ORIGIN, keep=False)


def settle(system: System) -> None:
    """See how what was staged has come out: unpin what was pinned for it, unless it is staged still."""
    before = _read(system)
    note = note_of(system)
    if note == before:
        return
    if before.pinned != note.pinned:
        _unpin(system, before.pinned)
    _write(system, note)


def _unpin(system: System, folders: Sequence[str]) -> None:
    places = [each for each in (staged(system), *deployed(system)) if each]
    for number, each in enumerate(places):
        if each.folder in folders and each.is_pinned(system):
            admin(system, "pin", "--unpin", str(number))


def note_of(system: ReadOnlySystem) -> Note:
    """The note as it is to be by now; `settle` makes it so."""
    note = _read(system)
    if note == Note() or not is_booted(system):
        return note
    waiting, found = staged(system), deployed(system)
    if not found:
        return note
    if waiting and note.staged in (waiting.folder, waiting.checksum):
        return evolve(note, staged=waiting.folder)
    return _left(_come_out(note, found, replaced=waiting is not None), found)


def _come_out(note: Note, found: Sequence[Deployment], *, replaced: bool) -> Note:
    """`replaced`: something else is staged now, as the updater does."""
    if any(each.folder == note.staged for each in found):
        return evolve(note, staged="", pinned=(), made=note.staged, lost=0)
    is_lost = bool(note.staged) and not replaced
    return evolve(note, staged="", pinned=(), lost=note.lost + is_lost)


def _left(note: Note, found: Sequence[Deployment]) -> Note:
    """Whatever is made is the first one, and has the highest serial of its commit, until somebody goes back from it."""
    first = found[0]
    made = next((each for each in found if each.folder == note.made), None)
    left = tuple(pair for pair in note.left if pair[0] == first.checksum)
    if made and made.checksum == first.checksum and made.serial > first.serial:
        return evolve(note, made="", left=(*left, (made.checksum, made.options)))
    return evolve(note, made=made.folder if made else "", left=left)


def _read(system: ReadOnlySystem) -> Note:
    """An empty one where there is none, or one that nobody can read."""
    try:
        found = json.loads(system.read(NOTE) or b"{}")
        pinned, left = tuple(map(str, found["pinned"])), tuple((str(one), str(other)) for one, other in found["left"])
        return Note(str(found["staged"]), pinned, int(found["lost"]), str(found["made"]), left)
    except (ValueError, TypeError, LookupError):
        return Note()


def _write(system: System, note: Note) -> None:
    if note == Note():
        system.remove(NOTE, keep=False)
    else:
        system.write(NOTE, json.dumps(asdict(note)).encode(), mode=0o600, keep=False)
