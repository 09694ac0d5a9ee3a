"""Masks of units (systemd.unit(5)): a link to /dev/null, or an empty file."""

from collections.abc import Iterable, Iterator

from converge.system import ReadOnlySystem, System, unitfiles

_RUNTIME = "/run/systemd/system"
"""The folder of masks that last until the next boot."""


def hide(system: ReadOnlySystem, units: Iterable[str]) -> bool:
    """Whether any of the units is masked."""
    return any(_found(system, units))


def remove(system: System, units: Iterable[str]) -> None:
    for path in _found(system, units):
        system.remove(path)


def _found(system: ReadOnlySystem, units: Iterable[str]) -> Iterator[str]:
    folders = (unitfiles.CONFIG, _RUNTIME) if system.live else (unitfiles.CONFIG,)
    paths = [f"{folder}/{unit}" for folder in folders for unit in units]
    return (path for path in paths if unitfiles.text_of(system, path) == "")
