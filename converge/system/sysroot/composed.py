"""A root on the way to be an ostree system: a sysroot by its path, or one of its deployments.

On a booted system ostree has composed `/`: the deployment, its file system at /sysroot, the /var that all deployments
of an OS share, and /boot. Here the same is done for one that is not booted, in mounts that only this process sees: an
installer's work ends up where the machine will look for it.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from converge.errors import ConvergeError, shown
from converge.system import bootentries
from converge.system.access import Looking
from converge.system.descriptors import mounts_within
from converge.system.root import on_host
from converge.system.sysroot.base import BIND, RECURSIVE, SLAVE, SYSROOT, leave, mount, unmount

_DEPLOYMENT = re.compile(r"(?P<sysroot>.*)(?P<os>/ostree/deploy/[^/]+)/deploy/[0-9a-f]+\.\d+")


@contextmanager
def composed(path: str) -> Iterator[str]:
    """For the time of a `with`, the root to work on for a path: of a sysroot, the deployment that boots next.

    Any other root is itself. ConvergeError if it cannot be composed.
    """
    root = os.path.realpath(path)
    is_sysroot = os.path.isdir(f"{root}/ostree/deploy") and os.path.isdir(f"{root}/ostree/repo")
    if is_sysroot and not os.path.lexists(f"{root}/usr"):  # the root of a running system has /ostree as well
        root = next_deployment(root)
    found = _DEPLOYMENT.fullmatch(root)
    if found is None or os.path.isdir(f"{root}{SYSROOT}/ostree"):
        yield root
        return
    _refuse_running(found["sysroot"] or "/")
    with ExitStack() as mounts:
        try:
            leave()
            mount(None, "/", RECURSIVE | SLAVE)
            _bind(found["sysroot"] or "/", f"{root}{SYSROOT}", mounts)
            _bind(f"{found['sysroot']}{found['os']}/var", f"{root}/var", mounts)
            _bind(f"{found['sysroot']}/boot", f"{root}/boot", mounts)
        except OSError as error:
            hint = "run converge as root, and in no container"
            raise ConvergeError(f"cannot compose the root {shown(root)}: {error.strerror}", hint=hint) from error
        yield root


def next_deployment(sysroot: str) -> str:
    """The deployment that boots next: of the boot loader's entries, that with the highest version is the default."""
    tree, names = Looking(sysroot), list[str]()
    with suppress(FileNotFoundError, NotADirectoryError):
        names = list(filter(bootentries.is_of_ostree, os.listdir(on_host(tree, bootentries.FOLDER))))
    read = (bootentries.parsed(tree.read(f"{bootentries.FOLDER}/{name}") or b"") for name in names)
    for path in map(bootentries.deployed_at, bootentries.in_order(read)):
        if path:
            return on_host(tree, path)
    hint = "let `ostree admin deploy` make one first"
    raise ConvergeError(f"no deployment of {shown(sysroot)} is set up to boot", hint=hint)


def _refuse_running(sysroot: str) -> None:
    """A sysroot in use by the running system is worked on as the running system, or not at all."""
    with suppress(FileNotFoundError):
        if os.path.exists("/run/ostree-booted") and os.path.samefile(f"{sysroot}/ostree", "/ostree"):
            raise ConvergeError(f"{shown(sysroot)} is the running system's", hint="leave out --root")


def _bind(source: str, target: str, mounts: ExitStack) -> None:
    """Mount a folder at a folder that is there, unless an installer has mounted something there already."""
    if os.path.isdir(source) and os.path.isdir(target) and not os.path.islink(target) and not _is_mounted(target):
        mount(source, target, BIND | RECURSIVE)
        mounts.callback(unmount, target)


def _is_mounted(path: str) -> bool:
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return "" in mounts_within(descriptor)
    finally:
        os.close(descriptor)
