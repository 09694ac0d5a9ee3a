"""The system's flatpak installation: its files, and the use of its command line.

Looking is done by files alone, since even `flatpak remotes` writes (it imports remotes.d), and costs a process.
"""

import os
import re
from collections.abc import Iterator

from attrs import frozen

from converge.errors import Later, ProviderError
from converge.formats.keyfile import Keyfile
from converge.system import CommandResult, CommandTimeout, ReadOnlySystem, System

INSTALLATION = "/var/lib/flatpak"
REPO = f"{INSTALLATION}/repo"
CONFIG = f"{REPO}/config"
KINDS = ("app", "runtime")

_FOLDERS = ("tmp", "extensions", "state", "refs/heads", "refs/mirrors", "refs/remotes", "objects")
_NEW_CONFIG = b"[core]\nrepo_version=1\nmode=bare-user-only\nmin-free-space-size=500MB\n"
"""As flatpak 1.14 makes it."""

_REMOTE = re.compile(r'remote "(.+)"')
_ARCHES = {"i386": "i386", "i486": "i386", "i586": "i386", "i686": "i386", "armv7l": "arm", "armv6l": "arm"}
_NO_NETWORK = re.compile(
    r"\[(5|6|7|28|52|55|56)\] "  # libcurl-errors(3), as ostree shows them: resolve, connect, time-out, broken off
    r"|resolve (host|proxy|hostname)|resolving|failed to connect|could not connect|couldn.t connect|connection refused"
    r"|connection (reset|terminated|timed)|network is unreachable|no route to host|timed out|timeout"
    r"|HTTP (502|503|504)|temporary failure|is offline",
    re.IGNORECASE,
)
_NO_ROOM = re.compile(r"min-free-space|no space left|not enough (disk )?space|disk quota", re.IGNORECASE)
_BAD_SIGNATURE = re.compile(r"signature|GPG", re.IGNORECASE)


@frozen
class InstalledRef:
    """A deployed ref; `kind` is app or runtime, `origin` the remote that it came from."""

    kind: str
    id: str
    arch: str
    branch: str
    origin: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}/{self.arch}/{self.branch}"


def default_arch() -> str:
    """The architecture in flatpak's words (flatpak_get_arch)."""
    machine = os.uname().machine
    return _ARCHES.get(machine, machine)


def installed(system: ReadOnlySystem) -> tuple[InstalledRef, ...]:
    """Everything that is deployed in the system's installation."""
    return tuple(found for kind in KINDS for found in _installed(system, f"{kind}/*/*/*"))


def matching(system: ReadOnlySystem, kind: str, id_: str, arch: str, branch: str | None) -> tuple[InstalledRef, ...]:
    """The deployed refs of one id; of any branch if that is None."""
    if branch is None:
        return tuple(_installed(system, f"{kind}/{id_}/{arch}/*"))
    origin = origin_of(system, f"{kind}/{id_}/{arch}/{branch}")
    return () if origin is None else (InstalledRef(kind, id_, arch, branch, origin),)


def _installed(system: ReadOnlySystem, pattern: str) -> Iterator[InstalledRef]:
    for path in system.glob(f"{INSTALLATION}/{pattern}"):
        ref = path.removeprefix(f"{INSTALLATION}/")
        origin = origin_of(system, ref)
        if origin is not None:
            kind, id_, arch, branch = ref.split("/")
            yield InstalledRef(kind, id_, arch, branch, origin)


def origin_of(system: ReadOnlySystem, ref: str) -> str | None:
    """The remote that a deployed ref came from; None if it is not deployed.

    `deploy` is a GVariant of type (ssasta{sv}), whose first member is the origin.
    """
    deploy = system.read(f"{INSTALLATION}/{ref}/active/deploy")
    return None if deploy is None else deploy.partition(b"\0")[0].decode(errors="surrogateescape")


def config(system: ReadOnlySystem) -> Keyfile:
    """The repository's configuration; an empty one if nothing is installed yet."""
    return Keyfile.parse(system.read(CONFIG) or b"", CONFIG)


def group_of(remote: str) -> str:
    """The group of a remote in a repository's configuration (ostree.repo-config(5))."""
    return f'remote "{remote}"'


def remotes(system: ReadOnlySystem) -> tuple[str, ...]:
    found = map(_REMOTE.fullmatch, config(system).groups())
    return tuple(match[1] for match in found if match)


def keyring_of(remote: str) -> str:
    return f"{REPO}/{remote}.trustedkeys.gpg"


def is_pulled(system: ReadOnlySystem, remote: str, ref: str) -> bool:
    """The ref is in the repository, be it deployed or only fetched."""
    return system.stat(f"{REPO}/refs/remotes/{remote}/{ref}") is not None


def require_repository(system: System) -> None:
    """Let flatpak make its repository if it is missing.

    If flatpak was killed as it made one, it never finishes it; so that is done here. `objects` comes last.
    """
    if system.stat(REPO) is None:
        system.run(["flatpak", "--system", "remotes"]).require()
    elif system.stat(f"{REPO}/objects") is None:
        if system.stat(CONFIG) is None:
            system.write(CONFIG, _NEW_CONFIG, keep=False)
        for name in _FOLDERS:
            system.make_folder(f"{REPO}/{name}")


def finish(system: System, remote: str, ref: str) -> None:
    """Have flatpak finish an installation in which it was killed: to flatpak, a ref with a folder is installed."""
    runtime = _runtime_of(system, ref)
    if origin_of(system, ref) is None or (runtime and origin_of(system, runtime) is None):
        run(system, "install", "--reinstall", remote, ref)
    for each in filter(None, (_runtime_of(system, ref), ref)):
        origin = origin_of(system, each)
        if origin is not None and not _is_whole(system, each):
            unpinned = () if each == ref else ("--no-auto-pin",)
            run(system, "install", "--reinstall", "--no-pull", *unpinned, origin, each)


def _runtime_of(system: ReadOnlySystem, ref: str) -> str | None:
    """The ref of the runtime that a deployed app needs."""
    path = f"{INSTALLATION}/{ref}/active/metadata"
    runtime = Keyfile.parse(system.read(path) or b"", path).get("Application", "runtime")
    return f"runtime/{runtime}" if runtime else None


def _is_whole(system: ReadOnlySystem, ref: str) -> bool:
    """Whether everything exists that flatpak makes for a ref after it has deployed it."""
    made = [f"{REPO}/refs/heads/deploy/{ref}"]
    if ref.startswith("app/"):
        made += [f"{INSTALLATION}/app/{ref.split('/')[1]}/current"]
        found = system.walk(f"{INSTALLATION}/{ref}/active/export")
        made += [f"{INSTALLATION}/exports/{each.path}" for each in found if each.kind != "directory"]
    return all(system.stat(path, follow=False) for path in made)


def mark_changed(system: System) -> None:
    """Notify the watchers of the installation (software centres) that something in it changed, as flatpak does."""
    path = f"{INSTALLATION}/.changed"
    system.remove(path, keep=False)
    system.write(path, b"", keep=False)


def run(system: System, verb: str, *words: str) -> None:
    """Run flatpak without a prompt; Later if it lacks network, room or the right time.

    `-y` answers every question that `--noninteractive` does, but still shows how far a download is.
    It downloads by way of /var/tmp, which a root that has never booted may lack.
    """
    system.make_folder("/var/tmp", mode=0o1777)  # noqa: S108  (the root's)
    try:
        result = system.run(["flatpak", verb, "--system", "-y", *words], timeout=TIME_LIMIT)
    except CommandTimeout as error:
        raise Later(f"flatpak {verb} took too long", until="network") from error
    if not result.ok:
        raise _explained(system, verb, result)


TIME_LIMIT = 3600.0
"""Seconds; flatpak itself may wait for a dead server for ever."""


def _explained(system: System, verb: str, result: CommandResult) -> Later | ProviderError:
    output = result.stderr.strip() or result.stdout.strip() or f"it ended with code {result.returncode}"
    last = output.splitlines()[-1].removeprefix("error: ").removeprefix("Error: ")
    if _NO_ROOM.search(output):
        return Later(f"not enough room: {last}", until="room")
    if _NO_NETWORK.search(output):
        return Later(f"no network: {last}", until="network")
    if _BAD_SIGNATURE.search(last) and not _time_is_right(system):
        return Later(f"the clock is not synchronised yet: {last}", until="network")
    return ProviderError(f"flatpak {verb} failed: {last}")


def _time_is_right(system: ReadOnlySystem) -> bool:
    """False only if systemd reports that the clock has not been synchronised since the start."""
    if not system.live or system.stat("/run/systemd/timesync/synchronized"):
        return True
    try:
        answer = system.query(["timedatectl", "show", "--property=NTPSynchronized", "--value"], timeout=5)
    except ProviderError:
        return True
    return answer.stdout.strip() != "no"


def is_metered(system: ReadOnlySystem) -> bool:
    """NetworkManager knows or guesses so (NMMetered 1 and 3); an unknown connection is not metered."""
    name = "org.freedesktop.NetworkManager"
    if not system.live:
        return False
    try:
        answer = system.query(
            ["busctl", "get-property", name, f"/{name.replace('.', '/')}", name, "Metered"], timeout=5
        )
    except ProviderError:
        return False
    return answer.stdout.split() in (["u", "1"], ["u", "3"])
