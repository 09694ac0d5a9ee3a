"""What the machine wakes from hibernation by: `resume` and `resume_offset` in the kernel's kernel-parameters."""

from converge.system import ReadOnlySystem


def devices(system: ReadOnlySystem) -> tuple[str, ...]:
    """By number, path or tag: what the kernel has been told, which may have been the initramfs, and what it is asked.

    A machine that does not run wakes by nothing.
    """
    told = (_line(system, "/sys/power/resume"), _arguments(system).get("resume", ""))
    return tuple(each for each in told if each not in ("", "0:0")) if system.live else ()


def is_by_file(system: ReadOnlySystem) -> bool:
    """Whether by a swap file on the device, and not by all of it: the kernel is told where on it that begins."""
    told = (_line(system, "/sys/power/resume_offset"), _arguments(system).get("resume_offset", ""))
    return any(offset not in ("", "0") for offset in told)


def _arguments(system: ReadOnlySystem) -> dict[str, str]:
    """The last one of each name counts."""
    return dict(word.partition("=")[::2] for word in _line(system, "/proc/cmdline").split())


def _line(system: ReadOnlySystem, path: str) -> str:
    return (system.read(path) or b"").decode(errors="replace").strip()
