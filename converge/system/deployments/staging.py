"""Staging a deployment that is not an update, and following what becomes of it.

ostree makes the staged deployment as the machine goes down, and then drops those that are older than the running one,
unless they are pinned. So they are pinned meanwhile, to keep a way to roll back. A note remembers the staged and pinned
ones from boot to boot; each run first looks how the staging came out.
"""

import json
from collections.abc import Sequence

from attrs import asdict, evolve, frozen

from converge.system import ReadOnlySystem, System
from converge.system.deployments.base import TRANSIENT, Deployment, admin, deployed, is_booted, staged

NOTE = "/var/lib/converge/staged.json"
ORIGIN = "/run/converge/origin"
"""The origin file of a deployment, while it is made."""


@frozen
class Note:
    staged: str = ""
    """The folder of the staged deployment, until it is known how that came out; its commit while it is being staged."""
    pinned: tuple[str, ...] = ()
    """The folders of deployments that are pinned until then."""
    lost: int = 0
    """How many times in a row the staged deployment was not made."""
    made: str = ""
    """The folder of the deployment that was staged and made, until it is rolled back."""
    left: tuple[tuple[str, str], ...] = ()
    """The commits and kernel arguments of deployments that were rolled back, until another commit boots next."""


def stage(system: System, target: Deployment, arguments: Sequence[str]) -> None:
    """Have the commit of the running or the staged deployment deployed with just these kernel arguments."""
    found, note = deployed(system), _read(system)
    older = _to_pin(system, target, found)
    # First: if a run is killed from here on, the next one knows which ones are ours.
    _write(system, evolve(note, staged=target.checksum, pinned=(*note.pinned, *(each.folder for each in older))))
    for each in older:
        admin(system, "pin", str(found.index(each)))
    _deploy(system, target, arguments)
    _write(system, note_of(system))


def _to_pin(system: ReadOnlySystem, target: Deployment, found: Sequence[Deployment]) -> list[Deployment]:
    """The deployments older than the running one; if an update is staged, that would drop them anyway."""
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
    """Note how the staging came out, and unpin the deployments that were pinned for it unless it still waits."""
    before = _read(system)
    note = note_of(system)
    if note == before:
        return
    if before.pinned != note.pinned:
        places = [each for each in (staged(system), *deployed(system)) if each]
        for number, each in enumerate(places):
            if each.folder in before.pinned and each.is_pinned(system):
                admin(system, "pin", "--unpin", str(number))
    _write(system, note)


def note_of(system: ReadOnlySystem) -> Note:
    """The note as it has to be by now; `settle` writes it."""
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
    """A deployment that was made is the first one, with the highest serial of its commit, until it is rolled back."""
    first = found[0]
    made = next((each for each in found if each.folder == note.made), None)
    left = tuple(pair for pair in note.left if pair[0] == first.checksum)
    if made and made.checksum == first.checksum and made.serial > first.serial:
        return evolve(note, made="", left=(*left, (made.checksum, made.options)))
    return evolve(note, made=made.folder if made else "", left=left)


def _read(system: ReadOnlySystem) -> Note:
    """The note; an empty one if it is missing or damaged."""
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
