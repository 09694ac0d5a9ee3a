"""What the machine wakes from hibernation by (the kernel's admin-guide/kernel-parameters: `resume`, `resume_offset`)."""

import re
from collections.abc import Iterator
from contextlib import suppress

from converge.errors import ProviderError
from converge.system import ReadOnlySystem, disks

_TAG = re.compile(r"(UUID|LABEL|PARTUUID|PARTLABEL)=(.+)")


def resumes_from(system: ReadOnlySystem, device: str, *, by_file: bool) -> bool:
    """Whether it does so by what is on a device, or in a swap file there; the kernel knows that file by its place.

    A machine that does not run wakes from nothing.
    """
    number = _line(system, f"{device}/dev")
    return system.live and bool(number) and by_file is _has_offset(system) and number in _devices(system)


def _line(system: ReadOnlySystem, path: str) -> str:
    return (system.read(path) or b"").decode(errors="replace").strip()


def _arguments(system: ReadOnlySystem) -> dict[str, str]:
    """The last one of each name counts."""
    return dict(word.partition("=")[::2] for word in _line(system, "/proc/cmdline").split())


def _has_offset(system: ReadOnlySystem) -> bool:
    said = (_line(system, "/sys/power/resume_offset"), _arguments(system).get("resume_offset", ""))
    return any(offset not in ("", "0") for offset in said)


def _devices(system: ReadOnlySystem) -> Iterator[str]:
    """By their numbers: what the kernel has been told, which may have been the initramfs, and what it is asked."""
    yield _line(system, "/sys/power/resume")
    asked = _arguments(system).get("resume", "")
    with suppress(ProviderError):  # what is not there is waited for in vain
        tag = _TAG.fullmatch(asked)
        node = disks.find(system, f"/dev/disk/by-{tag[1].lower()}/{tag[2]}", asked) if tag else asked
        device = disks.device_at(system, node) if node.startswith("/dev/") else None
        yield _line(system, f"{device}/dev") if device else node
