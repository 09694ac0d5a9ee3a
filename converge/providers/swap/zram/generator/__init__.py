"""The configuration of zram-generator (zram-generator.conf(5)); converge has its own file per device."""

import re
from collections.abc import Mapping
from typing import Any

from converge.providers.swap.sizes import MIB
from converge.providers.swap.zram.generator import files
from converge.system import ReadOnlySystem, System

PROGRAMS = tuple(f"{lib}/systemd/system-generators/zram-generator" for lib in ("/usr/lib", "/lib"))
KEYS = {
    "size": files.SIZE,
    "host_memory_limit": files.LIMIT,
    "algorithm": files.ALGORITHM,
    "priority": files.PRIORITY,
}

_SWITCHED_OFF = ("systemd.zram=0", "systemd.zram=no", "systemd.zram=false")
"""Kernel arguments that turn all devices off."""
_NUMBER = re.compile(r"-?[0-9]+")


def is_installed(system: ReadOnlySystem) -> bool:
    return any(system.stat(path) for path in PROGRAMS)


def own_file(device: str) -> str:
    return f"/etc/{files.NAME}.d/90-converge-{device}.conf"


def is_switched_off(system: ReadOnlySystem) -> bool:
    """Whether a kernel argument turns all devices off."""
    words = (system.read("/proc/cmdline") or b"").decode(errors="replace").split()
    arguments = [word for word in words if word.partition("=")[0] == "systemd.zram"]
    return bool(arguments) and arguments[-1] in _SWITCHED_OFF


def unit_of(device: str) -> str:
    """The generator's unit that swaps to the device."""
    return f"dev-{device}.swap"


def units_of(device: str) -> tuple[str, ...]:
    """The unit that swaps to the device, and the unit that sets it up."""
    return unit_of(device), f"systemd-zram-setup@{device}.service"


def configured(system: ReadOnlySystem, device: str) -> dict[str, Any] | None:
    """The settings of a device in all files, as state fields; None if the device is not made.

    If an upgrade removed the generator, the files are not read any more: only our own file is left to remove.
    """
    read = files.paths(system) if is_installed(system) else [own_file(device)]
    settings = files.settings(system, read, device)
    size = files.size(settings or {})
    if settings is None or size == files.OFF:
        return None
    effective = {**settings, files.SIZE: size}
    return {field: _read(field, effective.get(key)) for field, key in KEYS.items()}


def overriding(system: ReadOnlySystem, device: str) -> dict[str, str]:
    """Per state field a file that is read after our own and sets it; a size also decides on `ensure`."""
    own = own_file(device).rpartition("/")[2]
    later = [path for path in files.drop_ins(system) if path.rpartition("/")[2] > own]
    paths = {key: path for path in later for key in files.settings(system, [path], device) or ()}
    found = {field: paths[key] for field, key in KEYS.items() if key in paths}
    sizes = [paths[key] for key in (files.SIZE, files.FRACTION, files.LARGEST) if key in paths]
    return found | dict.fromkeys(("ensure", "size"), sizes[-1]) if sizes else found


def with_file_system(system: ReadOnlySystem, device: str) -> str | None:
    """A file that configures the device for a file system."""
    found = ((path, files.settings(system, [path], device)) for path in files.paths(system))
    return next((path for path, settings in found if files.is_for_file_system(settings or {})), None)


def write(system: System, device: str, fields: Mapping[str, Any]) -> None:
    """Set these fields in our own file; a field that is None is left to other files and to defaults."""
    before = files.settings(system, [own_file(device)], device) or {}
    wanted = {**before, **{KEYS[field]: _written(field, value) for field, value in fields.items()}}
    if wanted.get(files.SIZE) == files.OFF and "size" not in fields:
        del wanted[files.SIZE]
    _write(system, device, wanted)


def _write(system: System, device: str, wanted: Mapping[str, str | None]) -> None:
    others = _others(system, device) or {}
    settings = {key: value for key, value in wanted.items() if value is not None}
    if settings.get(files.LIMIT) == files.NO_LIMIT and files.LIMIT not in others:
        del settings[files.LIMIT]
    system.write(own_file(device), files.text(device, settings, others))


def _others(system: ReadOnlySystem, device: str) -> dict[str, str] | None:
    """The settings of a device in all files but our own."""
    paths = [path for path in files.paths(system) if path != own_file(device)]
    return files.settings(system, paths, device)


def remove(system: System, device: str) -> None:
    """Remove the device: our own file goes or, if other files still configure the device, switches it off."""
    if not is_installed(system) or _others(system, device) is None:
        drop(system, device)
    else:
        _write(system, device, {files.SIZE: files.OFF})


def drop(system: System, device: str) -> None:
    """Remove our own file, even if other files configure the device."""
    system.remove(own_file(device))


def _read(field: str, value: str | None) -> Any:  # noqa: ANN401  (of a state field)
    if value is None or value == files.NO_LIMIT or field == "algorithm":
        return None if value == files.NO_LIMIT else value
    if not _NUMBER.fullmatch(value):
        return value
    return int(value) if field == "priority" else int(value) * MIB


def _written(field: str, value: Any) -> str | None:  # noqa: ANN401  (of a state field)
    if value is None:
        return files.NO_LIMIT if field == "host_memory_limit" else None
    return str(value // MIB) if isinstance(value, int) and field != "priority" else str(value)
