"""A zram device on the running machine; a root that does not run has none yet."""

from attrs import frozen

from converge.providers.swap import swaps
from converge.system import ReadOnlySystem, disks, systemd
from converge.values import size_words

CONTAINER = "/run/systemd/container"
"""Exists if systemd runs in a container."""

_SYSFS = "/sys/block"


@frozen
class Running:
    """A device in use as swap; `size` is in bytes."""

    size: int
    algorithm: str | None
    priority: int

    @property
    def words(self) -> str:
        algorithm = f", {self.algorithm}" if self.algorithm else ""
        return f"{size_words(self.size)}{algorithm}, priority {self.priority}"


def is_expected(system: ReadOnlySystem, found: Running | None) -> bool:
    """Whether the configured device should be in use by now: never in a container, and during a boot not yet."""
    if not systemd.manages(system) or system.stat(CONTAINER) is not None:
        return False
    return found is not None or not systemd.is_booting(systemd.state(system))


def swap(system: ReadOnlySystem, device: str) -> Running | None:
    """The device, if the machine swaps to it."""
    found = swaps.active_at(system, f"/dev/{device}") if system.live else None
    if found is None:
        return None
    return Running(_size(system, device), _chosen(system, device), found.priority)


def other_use(system: ReadOnlySystem, device: str) -> str | None:
    """Another use of the device; a device that was used as swap before is free."""
    node, mounts = f"/dev/{device}", disks.mounts(system) if system.live else ()
    mounted = next((f"a file system at {mount.point}" for mount in mounts if mount.source == node), None)
    is_set_up = system.live and _size(system, device)
    return mounted or ("something else" if is_set_up and swaps.content_of(system, node) != "swap" else None)


def _size(system: ReadOnlySystem, device: str) -> int:
    """In bytes; 0 if it is not set up, or missing."""
    return int(system.read_line(f"{_SYSFS}/{device}/disksize") or 0)


def algorithms(system: ReadOnlySystem, device: str) -> tuple[str, ...]:
    """The algorithms that the kernel has; empty if they are unknown."""
    return tuple(word.strip("[]") for word in _offered(system, device)) if system.live else ()


def _chosen(system: ReadOnlySystem, device: str) -> str | None:
    return next((word.strip("[]") for word in _offered(system, device) if word.startswith("[")), None)


def _offered(system: ReadOnlySystem, device: str) -> list[str]:
    """The algorithm in use is in brackets (the kernel's documentation, admin-guide/blockdev/zram)."""
    return system.read_line(f"{_SYSFS}/{device}/comp_algorithm").split()
