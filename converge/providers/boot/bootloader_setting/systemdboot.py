"""systemd-boot's loader.conf on the EFI system partition: a key, spaces and a value in each line (loader.conf(5)).

A value that a user set in the menu itself is stored in the firmware, and overrides the file.
"""

from converge.formats.lines import Lines
from converge.system import ReadOnlySystem, System

PARTITIONS = ("/efi", "/boot/efi", "/boot")
"""The usual mount points of the partition (bootctl(1))."""


def is_there(system: ReadOnlySystem) -> bool:
    return bool(_found(system))


def path(system: ReadOnlySystem) -> str:
    return _found(system)[0]


def _found(system: ReadOnlySystem) -> list[str]:
    """The files of the partitions that have systemd-boot.

    A `loader` that is a link, as ostree makes it, does not count: it changes with each deploy, and the file would be
    lost.
    """
    programs = (folder for folder in PARTITIONS if system.glob(f"{folder}/EFI/systemd/systemd-boot*.efi"))
    return [f"{each}/loader/loader.conf" for each in programs if system.read_link(f"{each}/loader") is None]


def read(system: ReadOnlySystem, setting: str) -> str | None:
    lines = Lines.parse(system.read(path(system)) or b"")
    found = _set_in(lines, setting)
    return lines.texts[found[-1]].split(None, 1)[1].strip() if found else None


def require_changeable(system: ReadOnlySystem) -> None:
    """It can always be changed."""


def write(system: System, setting: str, value: str | None) -> None:
    file = path(system)
    lines = Lines.parse(system.read(file) or b"")
    found = _set_in(lines, setting)
    if value is None:
        lines.remove(found)
    elif found:
        lines.replace(found[-1], f"{setting} {value}")
    else:
        lines.insert(len(lines.texts), f"{setting} {value}")
    if lines.texts:
        system.write(file, lines.dump())
    else:
        system.remove(file)


def _set_in(lines: Lines, setting: str) -> list[int]:
    """The lines that set it; the last one counts."""
    words = [text.split(None, 1) for text in lines.texts]
    return [number for number, word in enumerate(words) if len(word) > 1 and word[0] == setting]
