"""What the running kernel goes by: its host name and its parameters. Under a foreign root there is none to change."""

import os

from converge.errors import ProviderError, shown
from converge.system.root import Root, problem

PARAMETERS = "/proc/sys"

_WRITE = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def set_host_name(root: Root, name: str) -> None:
    """sethostname(2), which needs no bus and no service."""
    import socket  # few runs have use for it, and it is slow to import

    _require_running(root)
    try:
        socket.sethostname(name)
    except OSError as error:
        raise problem("set", "the host name", error) from error


def set_parameter(root: Root, name: str, value: str) -> None:
    """Write to a file of /proc/sys, by its path below that (proc(5)); ProviderError where the kernel refuses it."""
    _require_running(root)
    path = f"{PARAMETERS}/{name}"
    with root.place("set", path, follow=False) as place:
        if place.stat is None:
            raise ProviderError(f"there is no {shown(path)}", hint="the module that has it may not be loaded")
        descriptor = os.open(place.name, _WRITE, dir_fd=place.folder)
        try:
            os.write(descriptor, f"{value}\n".encode())
        finally:
            os.close(descriptor)


def _require_running(root: Root) -> None:
    if not root.live:
        raise ProviderError(f"{shown(root.path)} is not the running system, so it has no kernel to change")
