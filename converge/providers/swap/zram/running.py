"""What is made of a zram device on the running machine; what a foreign root will have is not made yet."""

from converge.providers.swap import swaps
from converge.providers.swap.zram.base import Running, Spec
from converge.system import ReadOnlySystem, disks, systemd

CONTAINER = "/run/systemd/container"
"""There where systemd finds itself in one."""

_SYSFS = "/sys/block"


def is_expected(system: ReadOnlySystem, found: Running | None) -> bool:
    """Whether what is configured would be in use by now: never in a container, and in a boot it may still come."""
    if not systemd.manages(system) or system.stat(CONTAINER) is not None:
        return False
    return found is not None or not systemd.is_booting(systemd.state(system))


def swap(system: ReadOnlySystem, spec: Spec) -> Running | None:
    """The device as the machine swaps to it."""
    found = swaps.active_at(system, spec.node) if system.live else None
    if found is None:
        return None
    return Running(_size(system, spec), _chosen(system, spec), found.priority)


def other_use(system: ReadOnlySystem, spec: Spec) -> str | None:
    """What somebody else has the device for; what was swapped to before is nobody's."""
    mounts = disks.mounts(system) if system.live else ()
    mounted = next((f"a file system at {mount.point}" for mount in mounts if mount.source == spec.node), None)
    is_set_up = system.live and _size(system, spec)
    return mounted or ("something else" if is_set_up and swaps.content_of(system, spec.node) != "swap" else None)


def _size(system: ReadOnlySystem, spec: Spec) -> int:
    """In bytes; 0 where it is not set up, or not there."""
    return int(system.read_line(f"{_SYSFS}/{spec.device}/disksize") or 0)


def algorithms(system: ReadOnlySystem, spec: Spec) -> tuple[str, ...]:
    """What the kernel offers; none where it cannot be asked."""
    return tuple(word.strip("[]") for word in _offered(system, spec))


def _chosen(system: ReadOnlySystem, spec: Spec) -> str | None:
    return next((word.strip("[]") for word in _offered(system, spec) if word.startswith("[")), None)


def _offered(system: ReadOnlySystem, spec: Spec) -> list[str]:
    """The one in use stands in brackets (the kernel's documentation, admin-guide/blockdev/zram)."""
    return system.read_line(f"{_SYSFS}/{spec.device}/comp_algorithm").split()
