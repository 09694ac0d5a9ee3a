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
from converge.system.root import Root, mounts_within
from converge.system.sysroot.base import BIND, RECURSIVE, SLAVE, SYSROOT, leave, mount, unmount

_DEPLOYMENT = re.compile(r"(?P<sysroot>.*)(?P<os>/ostree/deploy/[^/]+)/deploy/[0-9a-f]+\.\d+")


@contextmanager
def composed(path: str) -> Iterator[str]:
    """For the time of a `with`, the root that a path means: of a sysroot, the deployment that boots next.

    Any other root is what it is. ConvergeError where it cannot be composed.
    """
    root = os.path.realpath(path)
    if os.path.isdir(f"{root}/ostree/deploy") and os.path.isdir(f"{root}/ostree/repo") and not _is_tree(root):
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
            for source, target in _places(found["sysroot"], found["sysroot"] + found["os"], root):
                _bind(source, target, mounts)
        except OSError as error:
            hint = "run converge as root, and in no container"
            raise ConvergeError(f"cannot mount what belongs to {shown(root)}: {error.strerror}", hint=hint) from error
        yield root


def _is_tree(root: str) -> bool:
    """Whether a folder is the root of a system itself, which has /ostree as well."""
    return os.path.lexists(f"{root}/usr")


def next_deployment(sysroot: str) -> str:
    """The deployment that boots next: of the boot loader's entries, that with the highest version is the default."""
    tree, names = Root(sysroot), list[str]()
    with suppress(FileNotFoundError, NotADirectoryError):
        names = list(filter(bootentries.is_of_ostree, os.listdir(tree.on_host(bootentries.FOLDER))))
    read = (bootentries.parsed(tree.read(f"{bootentries.FOLDER}/{name}") or b"") for name in names)
    for path in map(bootentries.deployed_at, bootentries.in_order(read)):
        if path:
            return tree.on_host(path)
    hint = "let `ostree admin deploy` make one first"
    raise ConvergeError(f"no deployment of {shown(sysroot)} is set up to boot", hint=hint)


def _refuse_running(sysroot: str) -> None:
    """What the running system has in use is worked on as the running system, or not at all."""
    with suppress(FileNotFoundError):
        if os.path.exists("/run/ostree-booted") and os.path.samefile(f"{sysroot}/ostree", "/ostree"):
            raise ConvergeError(f"{shown(sysroot)} is the running system's", hint="leave out --root")


def _places(sysroot: str, os_folder: str, root: str) -> Iterator[tuple[str, str]]:
    """What belongs to a deployment, and where in it."""
    yield sysroot or "/", f"{root}{SYSROOT}"
    yield f"{os_folder}/var", f"{root}/var"
    yield f"{sysroot}/boot", f"{root}/boot"


def _bind(source: str, target: str, mounts: ExitStack) -> None:
    """What an installer has mounted there already stays what it is."""
    if os.path.isdir(source) and os.path.isdir(target) and not os.path.islink(target) and not _is_mounted(target):
        mount(source, target, BIND | RECURSIVE)
        mounts.callback(unmount, target)


def _is_mounted(path: str) -> bool:
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return "" in mounts_within(descriptor)
    finally:
        os.close(descriptor)
