"""Keeping what there is to roll back to, where the deployment that boots next is staged.

As the machine goes down, ostree drops what is older than the running deployment, unless it is pinned. So it is pinned
when something is staged that is no update, and let go by the first run that finds nothing staged any more: then it is
as if it had never been, and the next update drops it as it always would. A note says what was pinned by us.
"""

import json

from converge.system import ReadOnlySystem, System, ostree
from converge.system.deployments.base import Deployment, admin, deployed, is_booted

NOTE = "/var/lib/converge/pinned.json"


def keep(system: System) -> None:
    """Pin what is older than the running deployment, of the same OS. Nothing is staged."""
    here, found = ostree.deployment(system), deployed(system)
    running = next((each for each in found if each.folder == here), None)
    if running is None:
        return
    older = found[found.index(running) + 1 :]
    to_pin = [each for each in older if each.os == running.os and not each.is_pinned(system)]
    if to_pin:
        noted = (*_noted(system), *(each.folder for each in to_pin))
        system.write(NOTE, json.dumps(sorted(set(noted))).encode(), mode=0o600, keep=False)
    for each in to_pin:
        admin(system, "pin", _number(found, each))


def let_go(system: System) -> None:
    """Unpin what `keep` has pinned, unless something is staged still."""
    noted = _noted(system)
    if not noted or not is_booted(system) or system.stat(ostree.STAGED) is not None:
        return
    found = deployed(system)
    for each in found:
        if each.folder in noted and each.is_pinned(system):
            admin(system, "pin", "--unpin", _number(found, each))
    system.remove(NOTE, keep=False)


def _number(found: tuple[Deployment, ...], deployment: Deployment) -> str:
    """By what ostree-admin(1) calls a deployment."""
    return str(found.index(deployment))


def _noted(system: ReadOnlySystem) -> tuple[str, ...]:
    """The folders; none where the note cannot be read, since then it is nobody's word."""
    try:
        return tuple(map(str, json.loads(system.read(NOTE) or b"[]")))
    except (ValueError, TypeError):
        return ()
