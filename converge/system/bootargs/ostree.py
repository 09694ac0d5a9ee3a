"""The boot loader entries of an ostree system, one per deployment, which only ostree writes.

What counts is what boots next: a staged deployment, else the first one of the entries. On the running system that may
be an update that waits for its reboot; new deployments take their arguments from the running one as they are made, so
what was changed in that afterwards would not reach it. Other deployments are left alone, above all the one to roll back
to: whoever goes back to that gets what it had, and a `once` is not done again behind their back.

- The first deployment does not run: its arguments are set in place (`instutil set-kargs`; `kargs edit-in-place` would
  edit all deployments).
- It runs: its commit is deployed once more, with the other arguments. Its /etc is copied to the new one before the
  ledger in it knows of the end: the first run after the reboot goes on from what was begun, and finds it done.
- One is staged: its commit is staged again. That is lost where the machine loses its power before it goes down, so what
  is staged does not count as done.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from converge.errors import ProviderError
from converge.system import Keyfile, ReadOnlySystem, System, ostree
from converge.system.bootargs.base import Part, split
from converge.system.gvariant import dictionary

ENTRIES = "/boot/loader/entries"
ORIGIN = "/run/converge/origin"
"""What a deployment is told of where it comes from, while it is made."""
TIME_LIMIT = 900.0
"""Seconds: everything that was written is synchronized to the disk, and /etc is copied."""

_OURS = "ostree="
_TRANSIENT = "libostree-transient"
"""The group of an origin that holds for one deployment only, such as that it is pinned."""


@frozen
class Deployment:
    """One that is to boot. `folder` is below /sysroot."""

    folder: str
    arguments: Part
    staged: bool = False

    @property
    def os(self) -> str:
        return self.folder.split("/")[-3]

    @property
    def checksum(self) -> str:
        return self.folder.rpartition("/")[2].partition(".")[0]


def rules(system: ReadOnlySystem) -> bool:
    return ostree.deployment(system) is not None


def read(system: ReadOnlySystem) -> tuple[Part, ...]:
    return (_next(system).arguments,)


def read_lasting(system: ReadOnlySystem) -> tuple[Part, ...]:
    return (_first(system).arguments,)


def require_changeable(system: ReadOnlySystem) -> None:
    """They can be at any time."""


def write(system: System, parts: Sequence[Part]) -> None:
    try:
        _set(system, _next(system), parts[0])
    except ProviderError:
        if read(system) != tuple(parts):  # else it came to its end, and only what ostree does afterwards failed
            raise


def _set(system: System, target: Deployment, arguments: Part) -> None:
    if target.staged:
        _deploy(system, target, arguments, "--stage")
    elif target.folder == ostree.deployment(system) and system.live:
        _deploy(system, target, arguments, "--retain-rollback")
    else:
        appended = [f"--append={written}" for written in arguments]
        _run(system, "instutil", "set-kargs", *appended)


def _next(system: ReadOnlySystem) -> Deployment:
    """What boots next; ProviderError where the root is not of its OS, or does not run and is not itself what boots."""
    here = ostree.deployment(system) or ""
    found = _staged(system, here) or _first(system)
    if found.folder.rpartition("/")[0] != here.rpartition("/")[0]:
        raise ProviderError(f"another OS boots next, {found.os}", hint="let this one boot first")
    if not system.live and found.folder != here:
        hint = "name the sysroot by --root, and the one that does is taken"
        raise ProviderError(f"this deployment is not the one that boots next, {found.folder}", hint=hint)
    return found


def _first(system: ReadOnlySystem) -> Deployment:
    found = _deployed(system)
    if not found:
        raise ProviderError(f"there is no entry of ostree in {ENTRIES}", hint="let `ostree admin deploy` make one")
    return found[0]


def _deployed(system: ReadOnlySystem) -> list[Deployment]:
    """Those that have an entry, in the order of booting."""
    found = []
    for path in system.glob(f"{ENTRIES}/ostree-*.conf"):
        entry = _entry(system, path)
        arguments = split(entry.get("options", ""))
        links = [written.removeprefix(_OURS) for written in arguments if written.startswith(_OURS)]
        if links:
            rest = tuple(written for written in arguments if not written.startswith(_OURS))
            found.append((int(entry.get("version") or 0), Deployment(system.resolve(links[0]), rest)))
    return [each for _, each in sorted(found, key=lambda pair: -pair[0])]


def _entry(system: ReadOnlySystem, path: str) -> Mapping[str, str]:
    """The lines of a boot loader entry (UAPI.1), by their keys."""
    text = (system.read(path) or b"").decode("utf-8", "surrogateescape")
    words = [line.partition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {key: value.strip() for key, _, value in words}


def _staged(system: ReadOnlySystem, here: str) -> Deployment | None:
    """What is staged; without arguments of its own it gets those of the deployment whose /etc it gets."""
    data = system.read(ostree.STAGED) if system.live else None
    if data is None:
        return None
    try:
        found = dictionary(data)
        target, source = (_folder(found[name], here) for name in ("target", "merge-deployment"))
    except (KeyError, ValueError) as error:
        hint = "reboot, so that what is staged is deployed"
        raise ProviderError(f"{ostree.STAGED} cannot be read", hint=hint) from error
    arguments = found.get("kargs")
    inherited = (each.arguments for each in _deployed(system) if each.folder == source)
    return Deployment(target, arguments if isinstance(arguments, tuple) else next(inherited, ()), staged=True)


def _folder(deployment: object, here: str) -> str:
    """The folder of a deployment by its names; `here` is another one's."""
    names = deployment if isinstance(deployment, Mapping) else {}
    return f"{here.split('/deploy/')[0]}/deploy/{names['osname']}/deploy/{names['name']}"


def _deploy(system: System, target: Deployment, arguments: Part, *how: str) -> None:
    origin = Keyfile.parse(system.read(f"{target.folder}.origin") or b"", f"{target.folder}.origin")
    origin.remove_group(_TRANSIENT)
    system.write(ORIGIN, origin.dump(), keep=False)
    appended = [f"--karg-append={written}" for written in arguments]
    words = (*how, f"--os={target.os}", f"--origin-file={ORIGIN}", "--karg-none", *appended, target.checksum)
    try:
        _run(system, "deploy", *words)
    finally:
        system.remove(ORIGIN, keep=False)


def _run(system: System, *words: str) -> None:
    system.run(["ostree", "admin", *words], timeout=TIME_LIMIT).require()
