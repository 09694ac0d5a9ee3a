"""The files that zram-generator reads (zram-generator.conf(5)), and their combined settings."""

from collections.abc import Iterable, Iterator, Mapping

from converge.formats.ini import Inifile
from converge.system import ReadOnlySystem

NAME = "systemd/zram-generator.conf"
FOLDERS = ("/usr/lib", "/usr/local/lib", "/etc", "/run")
"""The folders of the main file and of drop-ins; the last file of the same name wins."""

SIZE, LIMIT, ALGORITHM, PRIORITY = "zram-size", "host-memory-limit", "compression-algorithm", "swap-priority"
OTHER_NAMES = {"memory-limit": LIMIT}
FRACTION, LARGEST = "zram-fraction", "max-zram-size"
"""Obsolete, but if either of them is set, `zram-size` is ignored. Nothing unsets them."""
FILE_SYSTEM = ("mount-point", "fs-type")
"""Keys of a device that is not for swap."""
NO_LIMIT = "none"
OFF = "0"
"""A device of this size is not made."""
_ALL = "1000000"
"""With a fraction this large, only the largest size counts."""

Settings = Mapping[str, str]


def paths(system: ReadOnlySystem) -> Iterator[str]:
    """All files in the order in which they are read."""
    main = [path for folder in _folders(system) if _is_there(system, path := f"{folder}/{NAME}")]
    yield from (path for path in main[-1:] if not _hides(system, path))
    yield from drop_ins(system)


def drop_ins(system: ReadOnlySystem) -> list[str]:
    found = {}
    for folder in _folders(system):
        for path in system.glob(f"{folder}/{NAME}.d/*.conf"):
            found[path.rpartition("/")[2]] = path
    return [found[name] for name in sorted(found) if not _hides(system, found[name])]


def _is_there(system: ReadOnlySystem, path: str) -> bool:
    return _hides(system, path) or system.stat(path) is not None


def _hides(system: ReadOnlySystem, path: str) -> bool:
    """Whether it is a link to /dev/null, which hides a vendor's file of the same name."""
    return system.resolve(path) == "/dev/null"


def _folders(system: ReadOnlySystem) -> tuple[str, ...]:
    """/run counts only if the machine runs."""
    return FOLDERS if system.live else FOLDERS[:-1]


def settings(system: ReadOnlySystem, read: Iterable[str], device: str) -> dict[str, str] | None:
    """The settings of a device in some files, with the present names of the keys; the last of several lines counts.

    None if none of the files contains the device.
    """
    parsed = [Inifile.parse(system.read(path) or b"") for path in read]
    if not any(file.has_group(device) for file in parsed):
        return None
    return {key: value for file in parsed for key, value in _lines(file, device)}


def _lines(file: Inifile, device: str) -> Iterator[tuple[str, str]]:
    names = (SIZE, LIMIT, ALGORITHM, PRIORITY, *OTHER_NAMES, FRACTION, LARGEST, *FILE_SYSTEM)
    lines = sorted((number, name) for name in names for number in file.find(device, name))
    return ((OTHER_NAMES.get(name, name), file.value(number) or "") for number, name in lines)


def size(found: Settings) -> str | None:
    """In MiB, or as an expression."""
    if not {FRACTION, LARGEST} & found.keys():
        return found.get(SIZE)
    fraction, largest = found.get(FRACTION, "0.5"), found.get(LARGEST, NO_LIMIT)
    if fraction == _ALL or largest == OFF:
        return largest
    return f"ram * {fraction}" if largest == NO_LIMIT else f"min(ram * {fraction}, {largest})"


def text(device: str, wanted: Settings, others: Settings) -> bytes:
    """The text of a file with these settings. If other files set the size in the obsolete way, it does so as well."""
    lines = [f"{key} = {wanted[key]}" for key in (SIZE, LIMIT, ALGORITHM, PRIORITY) if key in wanted]
    if SIZE in wanted and {FRACTION, LARGEST} & others.keys():
        lines += [f"{FRACTION} = {_ALL}", f"{LARGEST} = {wanted[SIZE]}"]
    return "".join(f"{line}\n" for line in (f"[{device}]", *lines)).encode()


def is_for_file_system(found: Settings) -> bool:
    return any(found.get(key, "swap") != "swap" for key in FILE_SYSTEM)
