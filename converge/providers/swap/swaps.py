"""The swaps of the running kernel; turn them on and off (swapon(8), proc_swaps(5))."""

import os
from signal import SIGKILL

from attrs import frozen

from converge.errors import Later
from converge.formats.fstab import unescaped
from converge.system import ReadOnlySystem, System

KIB = 1024
_ZRAM = "/dev/zram"
_SIGNATURE = b"SWAPSPACE2"
_PAGES = (4096, 8192, 16384, 65536)
_LARGEST_PAGE = _PAGES[-1]
_NO_MEMORY = "Cannot allocate memory"
_KILLED = (-SIGKILL, 128 + SIGKILL)
PAGES_OUT = 600.0
"""Seconds for reading all swapped data back into memory from a slow disk."""


@frozen
class Swap:
    """A line of /proc/swaps: `size` and `used` are in bytes, without the page that has the signature."""

    path: str
    partition: bool
    size: int
    used: int
    priority: int


def active(system: ReadOnlySystem) -> tuple[Swap, ...]:
    """All swaps of the running machine, for any root."""
    lines = (system.hardware.read("/proc/swaps") or b"").splitlines()[1:]
    return tuple(
        Swap(os.fsdecode(unescaped(path)), kind == b"partition", int(size) * KIB, int(used) * KIB, int(priority))
        for path, *_, kind, size, used, priority in map(bytes.split, lines)
    )


def active_at(system: ReadOnlySystem, path: str) -> Swap | None:
    """The swap in use at a path of the host, a device or a file; None if there is none."""
    resolved = system.hardware.resolve(path)
    return next((each for each in active(system) if each.path == resolved), None)


def memory(system: ReadOnlySystem, kind: str = "MemTotal") -> int:
    """Bytes of memory of the machine, or of another kind in proc_meminfo(5)."""
    lines = (system.hardware.read("/proc/meminfo") or b"").decode().splitlines()
    found = next((line.split()[1] for line in lines if line.startswith(f"{kind}:")), "0")
    return int(found) * KIB


def is_leavable(system: ReadOnlySystem, swap: Swap) -> bool:
    """Whether memory and the other swaps can hold its contents; zram does not count, because it is in memory itself."""
    others = [each for each in active(system) if each.path != swap.path and not each.path.startswith(_ZRAM)]
    return swap.used <= memory(system, "MemAvailable") + sum(each.size - each.used for each in others)


def not_leavable(name: str) -> Later:
    return Later(f"{name} cannot be turned off now: memory cannot hold the data swapped out to it", "idle")


def is_signed(system: ReadOnlySystem, path: str) -> bool:
    """Whether a file has the signature of a swap at the end of its first page, for any page size."""
    start = system.read_start(path, _LARGEST_PAGE) or b""
    return any(start[page - len(_SIGNATURE) : page] == _SIGNATURE for page in _PAGES)


def content_of(system: ReadOnlySystem, node: str) -> str:
    """The contents of a device of the live root: `swap` or a file system type of blkid(8); empty if there are none."""
    return system.query(["blkid", "--probe", "--match-tag", "TYPE", "--output", "value", node]).stdout.strip()


def turn_off(system: System, path: str) -> None:
    """Turn off the swap at a path of the host; nothing happens if it is not in use.

    Later if memory cannot hold its contents, by our calculation or the kernel's.
    """
    swap = active_at(system, path)
    if swap is None:
        return
    if not is_leavable(system, swap):
        raise not_leavable(path)
    done = system.run(["swapoff", swap.path], view="machine", timeout=PAGES_OUT)
    if _NO_MEMORY in done.stderr or done.returncode in _KILLED:  # the kernel kills it first if memory runs out
        raise not_leavable(path)
    done.require()


def turn_on(system: System, path: str, *, priority: int | None = None, discard: str | None = None) -> None:
    """Turn on the swap at a path of the live root; `discard` is `once`, `pages` or `both` (swapon(8))."""
    words = [] if priority is None else [f"--priority={priority}"]
    if discard is not None:
        words.append("--discard" if discard == "both" else f"--discard={discard}")
    done = system.run(["swapon", *words, system.resolve(path)], view="machine")
    if active_at(system, path) is None:  # otherwise a unit of the boot was faster
        done.require()
