"""The arguments of the kernel's next boot, wherever a kind of system has them."""

from converge.errors import ProviderError
from converge.providers.boot.bootargs import grub, kernelinstall, ostree
from converge.providers.boot.bootargs.base import Argument, Part, Place, edited, for_kernel, of_key, split
from converge.system import ReadOnlySystem

__all__ = ["Argument", "Part", "Place", "edited", "for_kernel", "of_key", "place_of", "running", "split"]

_PLACES: tuple[Place, ...] = (ostree, kernelinstall, grub)


def place_of(system: ReadOnlySystem) -> Place:
    """Where a root has the arguments; ProviderError where nothing tells."""
    for place in _PLACES:
        if place.rules(system):
            return place
    raise ProviderError(
        f"nothing here says what the kernel is to be given: no ostree, no {kernelinstall.PATH}, no {grub.PATH}",
        hint="on a system with systemd-boot, write the arguments it has now into the former",
    )


def running(system: ReadOnlySystem) -> tuple[Part, ...]:
    """What the running kernel was given."""
    return (split((system.read("/proc/cmdline") or b"").decode("utf-8", "surrogateescape")),)
