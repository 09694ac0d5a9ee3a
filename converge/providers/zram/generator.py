"""The configuration of zram-generator (zram-generator.conf(5)), of which converge has a file of its own per device."""

from collections.abc import Iterator, Mapping
from typing import Any

from converge.providers.zram.base import MIB
from converge.system import ReadOnlySystem, System
from converge.system.text.inifile import Inifile

NAME = "systemd/zram-generator.conf"
FOLDERS = ("/usr/lib", "/usr/local/lib", "/etc", "/run")
"""Where the main file and the folders are; of files of one name, the last wins."""
PROGRAMS = tuple(f"{lib}/systemd/system-generators/zram-generator" for lib in ("/usr/lib", "/lib"))
KEYS = {
    "size": "zram-size",
    "host_memory_limit": "host-memory-limit",
    "algorithm": "compression-algorithm",
    "priority": "swap-priority",
}
NO_LIMIT = "none"
OFF = "0"
"""A device of this size is not made."""


def is_installed(system: ReadOnlySystem) -> bool:
    return any(system.stat(path) for path in PROGRAMS)


def own_file(device: str) -> str:
    return f"/etc/{NAME}.d/90-converge-{device}.conf"


def unit_of(device: str) -> str:
    """The unit that the generator makes, which swaps to the device."""
    return f"dev-{device}.swap"


def units_of(device: str) -> tuple[str, ...]:
    """That one, and the one that sets the device up."""
    return unit_of(device), f"systemd-zram-setup@{device}.service"


def configured(system: ReadOnlySystem, device: str) -> dict[str, Any] | None:
    """What all files together say of a device, as state fields; None where it is not made.

    Where the generator has gone with an upgrade nobody reads them, and our own file is what is left to take away.
    """
    settings: dict[str, str] = {}
    is_there = False
    for path in _files(system) if is_installed(system) else [own_file(device)]:
        file = Inifile.parse(system.read(path) or b"")
        is_there = is_there or file.has_group(device)
        settings.update(_settings(file, device))
    if not is_there or settings.get(KEYS["size"]) == OFF:
        return None
    return {field: _read(field, settings.get(key)) for field, key in KEYS.items()}


def overruling(system: ReadOnlySystem, device: str) -> str | None:
    """A file that is read after our own and says something of the same device."""
    own = own_file(device).rpartition("/")[2]
    later = [path for path in _drop_ins(system) if path.rpartition("/")[2] > own]
    return next((path for path in later if _settings(Inifile.parse(system.read(path) or b""), device)), None)


def write(system: System, device: str, fields: Mapping[str, Any]) -> None:
    """Set these fields in our own file; what is None is left to other files and to defaults."""
    path = own_file(device)
    before = _settings(Inifile.parse(system.read(path) or b""), device)
    others = {key for file in _others(system, device) for key in _settings(file, device)}
    wanted = {**before, **{KEYS[field]: _written(field, value) for field, value in fields.items()}}
    unlimited = {key for key, value in wanted.items() if value == NO_LIMIT} - others
    wanted = {key: value for key, value in wanted.items() if value is not None and key not in unlimited}
    if wanted.get(KEYS["size"]) == OFF and "size" not in fields:
        del wanted[KEYS["size"]]
    lines = [f"[{device}]", *(f"{key} = {wanted[key]}" for key in KEYS.values() if key in wanted)]
    system.write(path, "".join(f"{line}\n" for line in lines).encode())


def remove(system: System, device: str) -> None:
    """Have the device no longer made: our own file goes or, where others still ask for it, switches it off."""
    path = own_file(device)
    if is_installed(system) and any(file.has_group(device) for file in _others(system, device)):
        system.write(path, f"[{device}]\n{KEYS['size']} = {OFF}\n".encode())
    else:
        system.remove(path)


def drop(system: System, device: str) -> None:
    """Remove our own file, whatever others say."""
    system.remove(own_file(device))


def _files(system: ReadOnlySystem) -> Iterator[str]:
    """All files in the order in which they are read."""
    main = [path for folder in _folders(system) if system.stat(path := f"{folder}/{NAME}")]
    yield from main[-1:]
    yield from _drop_ins(system)


def _others(system: ReadOnlySystem, device: str) -> list[Inifile]:
    """All files but our own."""
    return [Inifile.parse(system.read(path) or b"") for path in _files(system) if path != own_file(device)]


def _drop_ins(system: ReadOnlySystem) -> list[str]:
    found = {}
    for folder in _folders(system):
        for path in system.glob(f"{folder}/{NAME}.d/*.conf"):
            found[path.rpartition("/")[2]] = path
    return [found[name] for name in sorted(found) if system.resolve(found[name]) != "/dev/null"]


def _folders(system: ReadOnlySystem) -> tuple[str, ...]:
    """What is in /run counts only where the machine runs."""
    return FOLDERS if system.live else FOLDERS[:-1]


def _settings(file: Inifile, device: str) -> dict[str, str]:
    found = {key: file.find(device, key) for key in KEYS.values()}
    return {key: file.value(lines[-1]) or "" for key, lines in found.items() if lines}


def _read(field: str, value: str | None) -> Any:  # noqa: ANN401  (of a state field)
    if value is None or value == NO_LIMIT or field == "algorithm":
        return None if value == NO_LIMIT else value
    if not value.isdecimal():
        return value
    return int(value) if field == "priority" else int(value) * MIB


def _written(field: str, value: Any) -> str | None:  # noqa: ANN401  (of a state field)
    if value is None:
        return NO_LIMIT if field == "host_memory_limit" else None
    return str(value // MIB) if isinstance(value, int) and field != "priority" else str(value)
