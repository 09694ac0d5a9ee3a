"""The place of the hibernation image: `resume` and `resume_offset` in the kernel's kernel-parameters."""

from collections.abc import Callable

from converge.errors import ProviderError
from converge.system import ReadOnlySystem


def wakes_by(
    system: ReadOnlySystem, device: str, named: Callable[[ReadOnlySystem, str], str | None], *, in_file: bool
) -> bool:
    """Whether the machine wakes from hibernation by a whole device, or, with `in_file`, by a swap file on it.

    `named` returns the device of a name (`disks.device_named`).
    """
    names = _devices(system) if in_file is _is_by_file(system) else ()
    return any(named(system, each) == device for each in names)


def needed(name: str) -> ProviderError:
    hint = "remove `resume` from the kernel arguments, or from the initramfs, and restart the machine"
    return ProviderError(f"{name} is needed to wake the machine from hibernation", hint=hint)


def _devices(system: ReadOnlySystem) -> tuple[str, ...]:
    """Numbers, paths or tags: the kernel's setting, which the initramfs may have made, and the kernel argument.

    Empty if the root does not run.
    """
    names = (system.read_line("/sys/power/resume"), _arguments(system).get("resume", ""))
    return tuple(each for each in names if each not in ("", "0:0")) if system.live else ()


def _is_by_file(system: ReadOnlySystem) -> bool:
    """Whether a swap file on the device is used, not all of it: the kernel then has the offset of the file."""
    offsets = (system.read_line("/sys/power/resume_offset"), _arguments(system).get("resume_offset", ""))
    return any(offset not in ("", "0") for offset in offsets)


def _arguments(system: ReadOnlySystem) -> dict[str, str]:
    """The last argument of each name counts."""
    return dict(word.partition("=")[::2] for word in system.read_line("/proc/cmdline").split())
