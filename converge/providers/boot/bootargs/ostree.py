"""The kernel arguments in the boot loader entries of an ostree system, one per deployment, which only ostree writes.

The deployment that boots next counts: a staged one, else the first of the entries. A new deployment copies the
arguments of the running one when it is made, so a later change there would not reach an update that waits for its
reboot. The arguments of other deployments are never changed, above all those of the one to roll back to.

- It does not run: its arguments are set in place (`instutil set-kargs`; `kargs edit-in-place` would edit all
  deployments). On a running system it may be a waiting update, or the deployment that the user usually works with and
  did not boot this time: it has its own /etc.
- It runs, or is staged: its commit is staged with the new arguments, and deployed at shutdown, with /etc as it is then.
  If the machine loses power before that, it is lost, so it does not count as done.
- Somebody rolled back to an older deployment: the arguments are not applied again before another commit boots next,
  and a `once` is not done again without the user's knowledge.
"""

from collections.abc import Sequence

from converge.errors import Later, ProviderError
from converge.providers.boot.bootargs.arguments import Part, split
from converge.providers.boot.bootargs.place import History
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
        raise Later("the running deployment has a hotfix in /usr, which a new deployment would lack", "reboot")


def history(system: ReadOnlySystem) -> History:
    note, commit = deployments.note_of(system), _next(system).checksum
    return History(tuple(_arguments(options) for checksum, options in note.left if checksum == commit), note.lost)


def write(system: System, parts: Sequence[Part], otherwise: Sequence[Part]) -> None:  # noqa: ARG001  (the protocol's)
    if read(system) == tuple(parts):
        return
    try:
        _set(system, _next(system), parts[0])
    except ProviderError:
        if read(system) != tuple(parts):  # otherwise it is done, and only ostree's work after that failed
            raise


def _arguments(options: str) -> Part:
    """Without the argument that ostree itself sets to find the deployment."""
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
    """The deployment that boots next; ProviderError if it is of another OS, or if the root neither runs nor is it."""
    here = ostree.deployment(system) or ""
    found = deployments.staged(system) or _first(system)
    if found.os_folder != here.rpartition("/")[0]:
        raise ProviderError(f"another OS boots next: {found.os}", hint="boot this OS first")
    if not deployments.is_booted(system) and found.folder != here:
        hint = "set `--root` to the sysroot: converge then uses the deployment that boots next"
        raise ProviderError(f"this deployment does not boot next: {found.folder} does", hint=hint)
    return found


def _first(system: ReadOnlySystem) -> Deployment:
    found = deployments.deployed(system)
    if not found:
        raise ProviderError(f"{FOLDER} does not contain an entry of ostree", hint="run `ostree admin deploy`")
    return found[0]
