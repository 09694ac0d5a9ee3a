"""The kernel arguments in the boot loader entries of an ostree system, one per deployment, which only ostree writes.

What counts is what boots next: a staged deployment, else the first one of the entries. New deployments take their
arguments from the running one as they are made, so what was changed in that afterwards would not reach an update that
waits for its reboot. The arguments of other deployments are left alone, above all those of the one to roll back to.

- What boots next does not run: its arguments are set in place (`instutil set-kargs`; `kargs edit-in-place` would edit
  all deployments). On a running system it may be an update that waits, or what its user works with and has gone back
  from for once: it has an /etc of its own.
- It runs, or is staged: its commit is staged with the other arguments, and deployed as the machine goes down, with /etc
  as it is by then. Where the machine loses its power before that, it is lost, so it does not count as done.
- Somebody made an older deployment the one that boots next: what they have gone back from is not set again before
  another commit is to boot, and a `once` is not done again behind their back.
"""

from collections.abc import Sequence

from converge.errors import Later, ProviderError
from converge.providers.boot.bootargs.base import History, Part, split
from converge.system import ReadOnlySystem, System, deployments, ostree
from converge.system.bootentries import FOLDER
from converge.system.deployments import Deployment

_OURS = "ostree="


def rules(system: ReadOnlySystem) -> bool:
    return ostree.deployment(system) is not None


def read(system: ReadOnlySystem) -> tuple[Part, ...]:
    return (_arguments(_next(system).options),)


def read_lasting(system: ReadOnlySystem) -> tuple[Part, ...]:
    return (_arguments(_first(system).options),)


def require_changeable(system: ReadOnlySystem) -> None:
    target = _next(system)
    if deployments.is_booted(system) and _is_running(system, target) and target.has_hotfix(system):
        raise Later("the running deployment has a hotfix in /usr, which one that is made now would lack", "reboot")


def history(system: ReadOnlySystem) -> History:
    note, commit = deployments.note_of(system), _next(system).checksum
    return History(tuple(_arguments(options) for checksum, options in note.left if checksum == commit), note.lost)


def write(system: System, parts: Sequence[Part], otherwise: Sequence[Part]) -> None:  # noqa: ARG001  (the protocol's)
    if read(system) == tuple(parts):
        return
    try:
        _set(system, _next(system), parts[0])
    except ProviderError:
        if read(system) != tuple(parts):  # else it came to its end, and only what ostree does afterwards failed
            raise


def _arguments(options: str) -> Part:
    """Without the one that ostree itself sets, which leads to the deployment."""
    return tuple(written for written in split(options) if not written.startswith(_OURS))


def _set(system: System, target: Deployment, arguments: Part) -> None:
    in_place = ("instutil", "set-kargs", *(f"--append={written}" for written in arguments))
    if not deployments.is_booted(system):
        deployments.admin(system, *in_place)
    elif target.staged or _is_running(system, target):
        deployments.arrange_finalizing(system)
        deployments.stage(system, target, arguments)
    else:
        system.run_on_root_disk(["ostree", "admin", *in_place])


def _is_running(system: ReadOnlySystem, target: Deployment) -> bool:
    return target.folder == ostree.deployment(system)


def _next(system: ReadOnlySystem) -> Deployment:
    """What boots next; ProviderError where the root is not of its OS, or does not run and is not itself what boots."""
    here = ostree.deployment(system) or ""
    found = deployments.staged(system) or _first(system)
    if found.os_folder != here.rpartition("/")[0]:
        raise ProviderError(f"another OS boots next, {found.os}", hint="let this one boot first")
    if not deployments.is_booted(system) and found.folder != here:
        hint = "name the sysroot by --root, and the one that does is taken"
        raise ProviderError(f"this deployment is not the one that boots next, {found.folder}", hint=hint)
    return found


def _first(system: ReadOnlySystem) -> Deployment:
    found = deployments.deployed(system)
    if not found:
        raise ProviderError(f"there is no entry of ostree in {FOLDER}", hint="let `ostree admin deploy` make one")
    return found[0]
