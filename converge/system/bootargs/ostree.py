"""The boot loader entries of an ostree system, one per deployment, which only ostree writes.

What counts is what boots next: a staged deployment, else the first one of the entries. On the running system that may
be an update that waits for its reboot; new deployments take their arguments from the running one as they are made, so
what was changed in that afterwards would not reach it. Other deployments are left alone, above all the one to roll back
to: whoever goes back to that gets what it had, and a `once` is not done again behind their back.

- Nothing runs: the arguments of the first deployment are set in place (`instutil set-kargs`; `kargs edit-in-place`
  would edit all deployments).
- The system runs: the commit of the first deployment is deployed once more, with the other arguments, and takes the
  place of one that waits for its reboot. (That could be set in place, but not where /sysroot is read-only.) The /etc of
  the running one is copied to it before the ledger in there knows of the end: the first run after the reboot goes on
  from what was begun, and finds it done. What is changed in /etc between that and the reboot stays behind, as ostree
  has it; the reboot is asked for.
- One is staged: its commit is staged again. That is lost where the machine loses its power before it goes down, so what
  is staged does not count as done.
"""

from collections.abc import Iterator, Mapping, Sequence

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
_OVERLAYS, _STAGED_OVERLAYS = "/ostree/initramfs-overlays/", "/run/ostree/staged-initrds"
_TRANSIENT = "libostree-transient"
"""The group of an origin that holds for one deployment only, such as that it is pinned."""


@frozen
class Deployment:
    """One that is to boot. `folder` is below /sysroot."""

    folder: str
    arguments: Part
    overlays: tuple[str, ...] = ()
    """Paths of what is laid over its initial RAM disk."""
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


def write(system: System, parts: Sequence[Part], otherwise: Sequence[Part]) -> None:  # noqa: ARG001  (the protocol's)
    if read(system) == tuple(parts):
        return
    try:
        _set(system, _next(system), parts[0])
    except ProviderError:
        if read(system) != tuple(parts):  # else it came to its end, and only what ostree does afterwards failed
            raise


def _set(system: System, target: Deployment, arguments: Part) -> None:
    if target.staged:
        _deploy(system, target, arguments, "--stage")
    elif _is_booted(system):
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
    if not _is_booted(system) and found.folder != here:
        hint = "name the sysroot by --root, and the one that does is taken"
        raise ProviderError(f"this deployment is not the one that boots next, {found.folder}", hint=hint)
    return found


def _is_booted(system: ReadOnlySystem) -> bool:
    """Whether ostree takes the root for the running system: not where somebody has only gone into it (chroot(1))."""
    return system.live and system.stat(ostree.BOOTED) is not None


def _first(system: ReadOnlySystem) -> Deployment:
    found = _deployed(system)
    if not found:
        raise ProviderError(f"there is no entry of ostree in {ENTRIES}", hint="let `ostree admin deploy` make one")
    return found[0]


def _deployed(system: ReadOnlySystem) -> list[Deployment]:
    """Those that have an entry, in the order of booting: that of their versions, the highest first."""
    entries = [_entry(system, path) for path in system.glob(f"{ENTRIES}/ostree-*.conf")]
    entries.sort(key=_version, reverse=True)
    return [each for entry in entries for each in _of_entry(system, entry)]


def _version(entry: Mapping[str, Sequence[str]]) -> int:
    text = "".join(entry.get("version", ()))
    return int(text) if text.isdecimal() else 0


def _entry(system: ReadOnlySystem, path: str) -> Mapping[str, Sequence[str]]:
    """The values in a boot loader entry by their keys (UAPI.1); some may be there several times."""
    found: dict[str, list[str]] = {}
    for line in (system.read(path) or b"").decode("utf-8", "surrogateescape").splitlines():
        key, _, value = line.strip().partition(" ")
        found.setdefault(key, []).append(value.strip())
    return found


def _of_entry(system: ReadOnlySystem, entry: Mapping[str, Sequence[str]]) -> Iterator[Deployment]:
    """The deployment that an entry boots, where that is said."""
    arguments = split(" ".join(entry.get("options", ())))
    rest = tuple(written for written in arguments if not written.startswith(_OURS))
    overlays = tuple(path.rpartition("/")[2] for path in entry.get("initrd", ()) if _OVERLAYS in path)
    for written in arguments:
        if written.startswith(_OURS):
            folder = system.resolve(written.removeprefix(_OURS))
            yield Deployment(folder, rest, tuple(f"/boot{_OVERLAYS}{name}" for name in overlays))


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
    arguments, overlays = found.get("kargs"), found.get("overlay-initrds")
    inherited = (each.arguments for each in _deployed(system) if each.folder == source)
    return Deployment(
        target,
        arguments if isinstance(arguments, tuple) else next(inherited, ()),
        tuple(f"{_STAGED_OVERLAYS}/{name}" for name in overlays) if isinstance(overlays, tuple) else (),
        staged=True,
    )


def _folder(deployment: object, here: str) -> str:
    """The folder of a deployment by its names; `here` is another one's."""
    names = deployment if isinstance(deployment, Mapping) else {}
    return f"{here.split('/deploy/')[0]}/deploy/{names['osname']}/deploy/{names['name']}"


def _deploy(system: System, target: Deployment, arguments: Part, *how: str) -> None:
    origin = Keyfile.parse(system.read(f"{target.folder}.origin") or b"", f"{target.folder}.origin")
    origin.remove_group(_TRANSIENT)
    system.write(ORIGIN, origin.dump(), keep=False)
    appended = [f"--karg-append={written}" for written in arguments]
    overlays = [f"--overlay-initrd={path}" for path in target.overlays]
    words = (*how, f"--os={target.os}", f"--origin-file={ORIGIN}", *overlays, "--karg-none", *appended, target.checksum)
    try:
        _run(system, "deploy", *words)
    finally:
        system.remove(ORIGIN, keep=False)


def _run(system: System, *words: str) -> None:
    system.run(["ostree", "admin", *words], timeout=TIME_LIMIT).require()
