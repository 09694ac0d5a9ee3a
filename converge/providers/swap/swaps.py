"""What the running kernel swaps to, and telling it to begin and to end (swapon(8), proc_swaps(5))."""

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
"""Seconds that it may take to bring back what is swapped out, from a slow disk."""


@frozen
class Swap:
    """A line of /proc/swaps: `size` and `used` are in bytes, and leave out the page with the signature."""

    path: str
    partition: bool
    size: int
    used: int
    priority: int


def active(system: ReadOnlySystem) -> tuple[Swap, ...]:
    """All that the machine swaps to, whatever the root."""
    lines = (system.hardware.read("/proc/swaps") or b"").splitlines()[1:]
    return tuple(_swap(line.split()) for line in lines)


def _swap(words: list[bytes]) -> Swap:
    path, kind, size, used, priority = words[0], *words[-4:]
    return Swap(os.fsdecode(unescaped(path)), kind == b"partition", int(size) * KIB, int(used) * KIB, int(priority))


def active_at(system: ReadOnlySystem, path: str) -> Swap | None:
    """What the machine swaps to at a path of the host, a device or a file; None where it does not."""
    resolved = system.hardware.resolve(path)
    return next((each for each in active(system) if each.path == resolved), None)


def memory(system: ReadOnlySystem, kind: str = "MemTotal") -> int:
    """Bytes of memory of the machine, or of a kind that proc_meminfo(5) tells."""
    lines = (system.hardware.read("/proc/meminfo") or b"").decode().splitlines()
    found = next((line.split()[1] for line in lines if line.startswith(f"{kind}:")), "0")
    return int(found) * KIB


def is_leavable(system: ReadOnlySystem, swap: Swap) -> bool:
    """Whether memory, and what else is swapped to, would hold what is in it. What zram holds is in memory itself."""
    others = [each for each in active(system) if each.path != swap.path and not each.path.startswith(_ZRAM)]
    return swap.used <= memory(system, "MemAvailable") + sum(each.size - each.used for each in others)


def not_leavable(name: str) -> Later:
    return Later(f"{name} cannot be left now: memory would not hold what is swapped out to it", "idle")


def is_signed(system: ReadOnlySystem, path: str) -> bool:
    """Whether a file has the signature of a swap, which ends its first page, however large pages are."""
    start = system.read_start(path, _LARGEST_PAGE) or b""
    return any(start[page - len(_SIGNATURE) : page] == _SIGNATURE for page in _PAGES)


def content_of(system: ReadOnlySystem, node: str) -> str:
    """What is on a device of the live root, `swap` or a file system as blkid(8) calls it; empty where nothing is."""
    return system.query(["blkid", "--probe", "--match-tag", "TYPE", "--output", "value", node]).stdout.strip()


def turn_off(system: System, path: str) -> None:
    """Have the machine no longer swap to a path of the host; where it does not, nothing happens.

    Later where memory would not hold what is in it, by our reckoning or the kernel's.
    """
    swap = active_at(system, path)
    if swap is None:
        return
    if not is_leavable(system, swap):
        raise not_leavable(path)
    done = system.run(["swapoff", swap.path], view="machine", timeout=PAGES_OUT)
    if _NO_MEMORY in done.stderr or done.returncode in _KILLED:  # as the kernel does first where memory runs out
        raise not_leavable(path)
    done.require()


def turn_on(system: System, path: str, *, priority: int | None = None, discard: str | None = None) -> None:
    """Have the machine swap to a path of the live root; `discard` is `once`, `pages` or `both` (swapon(8))."""
    words = [] if priority is None else [f"--priority={priority}"]
    if discard is not None:
        words.append("--discard" if discard == "both" else f"--discard={discard}")
    done = system.run(["swapon", *words, system.resolve(path)], view="machine")
    if active_at(system, path) is None:  # else a unit of the boot was faster
        done.require()
