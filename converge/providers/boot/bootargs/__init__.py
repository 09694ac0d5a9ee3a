"""The kernel arguments of the next boot, in the place that this kind of system uses."""

from converge.errors import ProviderError
from converge.providers.boot.bootargs import grub, kernelinstall, ostree
from converge.providers.boot.bootargs.arguments import Argument, Part, edited, for_kernel, of_key, split
from converge.providers.boot.bootargs.place import Place
from converge.system import ReadOnlySystem

__all__ = ["Argument", "Part", "Place", "edited", "for_kernel", "of_key", "place_of", "running", "split"]

_PLACES: tuple[Place, ...] = (ostree, kernelinstall, grub)


def place_of(system: ReadOnlySystem) -> Place:
    """The place where a root has the arguments; ProviderError if there is none."""
    for place in _PLACES:
        if place.rules(system):
            return place
    raise ProviderError(
        f"cannot find the kernel arguments: not an ostree system, and {kernelinstall.PATH} and {grub.PATH} are missing",
        hint=f"on a system with systemd-boot, write the present arguments into {kernelinstall.PATH}",
    )


def running(system: ReadOnlySystem) -> tuple[Part, ...]:
    """The arguments of the running kernel."""
    return (split((system.read("/proc/cmdline") or b"").decode("utf-8", "surrogateescape")),)
