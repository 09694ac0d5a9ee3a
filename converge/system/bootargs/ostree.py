"""The kernel arguments in the boot loader entries of an ostree system, one per deployment, which only ostree writes.

What counts is what boots next: a staged deployment, else the first one of the entries. On the running system that may
be an update that waits for its reboot; new deployments take their arguments from the running one as they are made, so
what was changed in that afterwards would not reach it. Other deployments are left alone, above all the one to roll back
to: whoever goes back to that gets what it had, and a `once` is not done again behind their back.

- Nothing runs: the arguments of the first deployment are set in place (`instutil set-kargs`; `kargs edit-in-place`
  would edit all deployments).
- The system runs: the commit of what boots next is staged with the other arguments, and deployed as the machine goes
  down, with /etc as it is by then. What is older than the running deployment outlasts that (`deployments.rollback`),
  unless an update was staged, which would have dropped it as well.
- What is staged is lost where the machine loses its power before it goes down, so it does not count as done.
"""

from collections.abc import Sequence

from converge.errors import Later, ProviderError
from converge.system import ReadOnlySystem, System, deployments, ostree
from converge.system.bootargs.base import Part, Suits, split
from converge.system.bootentries import FOLDER
from converge.system.deployments import Deployment

ORIGIN = "/run/converge/origin"
"""What a deployment is told of where it comes from, while it is made."""

_OURS = "ostree="


def rules(system: ReadOnlySystem) -> bool:
    return ostree.deployment(system) is not None


def read(system: ReadOnlySystem) -> tuple[Part, ...]:
    return (_arguments(_next(system)),)


def read_lasting(system: ReadOnlySystem) -> tuple[Part, ...]:
    return (_arguments(_first(system)),)


def require_changeable(system: ReadOnlySystem, suits: Suits) -> None:
    """Later where somebody has gone back from a deployment that has what is asked: until an update boots next."""
    if any(suits((_arguments(each),)) for each in deployments.gone_back_from(system, _next(system))):
        reason = "not set again, since somebody went back from the deployment that has it"
        raise Later(f"{reason}; the next update gets it", until="reboot")


def write(system: System, parts: Sequence[Part], otherwise: Sequence[Part]) -> None:  # noqa: ARG001  (the protocol's)
    if read(system) == tuple(parts):
        return
    try:
        _set(system, _next(system), parts[0])
    except ProviderError:
        if read(system) != tuple(parts):  # else it came to its end, and only what ostree does afterwards failed
            raise


def _arguments(deployment: Deployment) -> Part:
    """Without the one that ostree itself sets, which leads to the deployment."""
    return tuple(written for written in split(deployment.options) if not written.startswith(_OURS))


def _set(system: System, target: Deployment, arguments: Part) -> None:
    if not deployments.is_booted(system):
        deployments.admin(system, "instutil", "set-kargs", *(f"--append={written}" for written in arguments))
        return
    if not target.staged:
        deployments.rollback.keep(system)
    _stage(system, target, arguments)


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


def _stage(system: System, target: Deployment, arguments: Part) -> None:
    """Have the commit of a deployment deployed with other arguments, in its place, as the machine goes down."""
    origin = target.origin(system)
    origin.remove_group(deployments.TRANSIENT)
    system.write(ORIGIN, origin.dump(), keep=False)
    appended = [f"--karg-append={written}" for written in arguments]
    overlays = [f"--overlay-initrd={path}" for path in target.overlays]
    words = (f"--os={target.os}", f"--origin-file={ORIGIN}", *overlays, "--karg-none", *appended, target.checksum)
    try:
        deployments.admin(system, "deploy", "--stage", *words)
    finally:
        system.remove(ORIGIN, keep=False)
