"""Mounts that only this process sees, and those that it starts; they end with it (mount_namespaces(7))."""

import os

SYSROOT = "/sysroot"
"""The folder at which a deployment has the file system that it is on."""

BOOT = "/boot"

BIND, REMOUNT, RECURSIVE = 0x1000, 0x20, 0x4000
PRIVATE, SLAVE = 0x40000, 0x80000
"""mount(2)."""

_CLONE_NEWNS = 0x20000
"""unshare(2)."""
_MNT_DETACH = 2
"""umount2(2)."""


def leave() -> None:
    """Go into a mount namespace of one's own; OSError if that is not allowed."""
    _call("unshare", _CLONE_NEWNS)


def mount(source: str | None, target: str, flags: int) -> None:
    _call("mount", None if source is None else os.fsencode(source), os.fsencode(target), None, flags, None)


def unmount(target: str) -> None:
    """Unmount, as soon as nobody works there."""
    _call("umount2", os.fsencode(target), _MNT_DETACH)


def _call(name: str, *arguments: int | bytes | None) -> None:
    import ctypes  # slow to import, and few runs mount anything

    words = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*words):
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
