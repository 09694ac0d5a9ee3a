"""The files of ostree repositories: remotes, above all those of the system's own repository, and commits.

The files are read as libostree does, which cannot open a repository for which two of them name the same remote.
"""

import re
import sys
from collections.abc import Iterator

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.system import ReadOnlySystem

REPO = "/ostree/repo"
CONFIG = f"{REPO}/config"
REMOTES_D = "/etc/ostree/remotes.d"
BOOTED = "/run/ostree-booted"
"""It exists if ostree has composed the running system."""
STAGED = "/run/ostree/staged-deployment"
"""The deployment to make as the machine goes down."""

_DEPLOYMENTS = "/ostree/deploy/*/deploy/*"
_REMOTE = re.compile(r'remote "(.+)"')
_BINDING = b"ostree.collection-binding\0"
_ALIGNMENT = 8
_BACKING_ROOT = re.compile(rb"backing-root-device-inode\0.*?(.{8})(.{8})\0\(tt\)", re.DOTALL)


def require_repository(system: ReadOnlySystem) -> None:
    if system.stat(CONFIG) is None:
        raise ProviderError(
            f"there is no ostree repository at {REPO}",
            hint="this is for systems that ostree deploys; set `when: deployment.booted` if others get the product too",
        )


def deployment(system: ReadOnlySystem) -> str | None:
    """The folder below /sysroot of the deployment that is the root; None if the root is not a deployment."""
    here = _backing_root(system.read(BOOTED) or b"") or _identity(system, "/")
    folders = system.glob(f"/sysroot{_DEPLOYMENTS}.*")
    return next((folder for folder in folders if _identity(system, folder) == here), None)


def _identity(system: ReadOnlySystem, path: str) -> tuple[int, int] | None:
    found = system.stat(path)
    return (found.device, found.inode) if found else None


def _backing_root(booted: bytes) -> tuple[int, int] | None:
    """Device and inode of the deployment's folder if `/` is a composefs: ostree leaves them in /run/ostree-booted.

    The file is a GVariant of type a{sv}, in which this value is a (tt) in the machine's byte order.
    """
    match = _BACKING_ROOT.search(booted)
    return (int.from_bytes(match[1], sys.byteorder), int.from_bytes(match[2], sys.byteorder)) if match else None


def group_of(remote: str) -> str:
    """The group of a remote in a repository's configuration (ostree.repo-config(5))."""
    return f'remote "{remote}"'


def remote_of(group: str) -> str | None:
    """The remote that a group is about; None if it is about something else."""
    matched = _REMOTE.fullmatch(group)
    return matched[1] if matched else None


def keyring_of(remote: str) -> str:
    """The keys of a remote of the system's repository, also of one in remotes.d."""
    return f"{REPO}/{remote}.trustedkeys.gpg"


def load(system: ReadOnlySystem, path: str) -> Keyfile:
    """A configuration; an empty one if it is missing."""
    return Keyfile.parse(system.read(path) or b"", path)


def conf_files(system: ReadOnlySystem) -> tuple[str, ...]:
    """The files in remotes.d that libostree reads; `add-remotes-config-dir` is for new remotes only."""
    paths = (f"{REMOTES_D}/{name}" for name in system.list_folder(REMOTES_D) if name.endswith(".conf"))
    return tuple(path for path in paths if (found := system.stat(path)) and found.kind == "file")


def remotes_in(config: Keyfile) -> tuple[str, ...]:
    return tuple(name for name in map(remote_of, config.groups()) if name)


def remotes(system: ReadOnlySystem) -> tuple[str, ...]:
    """The remotes of the system's repository, each once."""
    files = (CONFIG, *conf_files(system))
    return tuple(dict.fromkeys(name for path in files for name in remotes_in(load(system, path))))


def files_with(system: ReadOnlySystem, remote: str) -> tuple[str, ...]:
    """The files that name a remote of the system's repository; the repository's own, if it is one of them, first."""
    files = (CONFIG, *conf_files(system))
    return tuple(path for path in files if remote in remotes_in(load(system, path)))


def deployments_with(system: ReadOnlySystem, remote: str) -> tuple[str, ...]:
    """The deployments whose own remotes.d names a remote."""
    found = system.glob(f"{_DEPLOYMENTS}{REMOTES_D}/*.conf")
    header = f"[{group_of(remote)}]".encode()
    return tuple(path.removesuffix(REMOTES_D) for path in found if header in (system.read(path) or b""))


def deployments_from(system: ReadOnlySystem, remote: str) -> tuple[str, ...]:
    """The deployments that are updated from a remote: the refspecs in their origins name it."""
    found = system.glob(f"{_DEPLOYMENTS}.origin")
    specs = {path.removesuffix(".origin"): load(system, path).get("origin", "refspec") or "" for path in found}
    return tuple(path for path, spec in specs.items() if spec.partition(":")[0] == remote)


def require_binding(system: ReadOnlySystem, repo: str, remote: str, collection_id: str) -> None:
    """ProviderError if a commit that was pulled from the remote is bound to another collection, or to none."""
    for ref, bound in collection_bindings(system, repo, remote):
        if bound != collection_id:
            raise ProviderError(
                f"the collection ID {collection_id} contradicts {ref} of the remote '{remote}', "
                f"which is bound to {bound or 'none'}",
                hint="the next update would fail; get the collection ID from the operator of the repository",
            )


def collection_bindings(system: ReadOnlySystem, repo: str, remote: str) -> tuple[tuple[str, str], ...]:
    """Per ref that was pulled from a remote: the ref, and the collection ID that its commit is bound to."""
    found = []
    for ref, commit in _refs(system, f"{repo}/refs/remotes/{remote}", ""):
        data = system.read(f"{repo}/objects/{commit[:2]}/{commit[2:]}.commit")
        binding = None if data is None else _binding(data)
        if binding is not None:
            found.append((ref, binding))
    return tuple(found)


def _refs(system: ReadOnlySystem, folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    for name in system.list_folder(folder):
        path, ref = f"{folder}/{name}", f"{prefix}{name}"
        found = system.stat(path, follow=False)
        if found and found.kind == "directory":
            yield from _refs(system, path, f"{ref}/")
        elif found and found.kind == "file":
            yield ref, (system.read(path) or b"").decode("ascii", "replace").strip()


def _binding(commit: bytes) -> str | None:
    """The collection binding in a commit's metadata; None if it is not bound.

    A commit is a GVariant whose first member is a{sv}; entries and the values in them are aligned to 8 bytes.
    """
    at = commit.find(_BINDING)
    while at % _ALIGNMENT and at != -1:
        at = commit.find(_BINDING, at + 1)
    if at == -1:
        return None
    start = -(-(at + len(_BINDING)) // _ALIGNMENT) * _ALIGNMENT
    return commit[start:].partition(b"\0")[0].decode(errors="replace")
