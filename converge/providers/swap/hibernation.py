"""What the machine wakes from hibernation by: `resume` and `resume_offset` in the kernel's kernel-parameters."""

from collections.abc import Callable

from converge.errors import ProviderError
from converge.system import ReadOnlySystem


def wakes_by(
    system: ReadOnlySystem, device: str, named: Callable[[ReadOnlySystem, str], str | None], *, in_file: bool
) -> bool:
    """Whether the machine wakes by all that is on a device, or, `in_file`, by a swap file there.

    `named` tells the device that a name stands for (`disks.device_named`).
    """
    names = _devices(system) if in_file is _is_by_file(system) else ()
    return any(named(system, each) == device for each in names)


def needed(name: str) -> ProviderError:
    hint = "first have `resume` dropped from the kernel arguments, or from the initramfs, and the machine restarted"
    return ProviderError(f"the machine wakes from hibernation by {name}", hint=hint)


def _devices(system: ReadOnlySystem) -> tuple[str, ...]:
    """By number, path or tag: what the kernel has been told, which may have been the initramfs, and what it is asked.

    A machine that does not run wakes by nothing.
    """
    told = (system.read_line("/sys/power/resume"), _arguments(system).get("resume", ""))
    return tuple(each for each in told if each not in ("", "0:0")) if system.live else ()


def _is_by_file(system: ReadOnlySystem) -> bool:
    """Whether by a swap file on the device, and not by all of it: the kernel is told where on it that begins."""
    told = (system.read_line("/sys/power/resume_offset"), _arguments(system).get("resume_offset", ""))
    return any(offset not in ("", "0") for offset in told)


def _arguments(system: ReadOnlySystem) -> dict[str, str]:
    """The last one of each name counts."""
    return dict(word.partition("=")[::2] for word in system.read_line("/proc/cmdline").split())
