"""Facts, known and unknown, as text and as a JSON document."""

from collections.abc import Iterator, Mapping
from typing import Any

from converge.model import Unknown, Version
from converge.render.base import Line, brief, pad, safe, width

UNSHORTENED = 1 << 16
UNITS = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20))


def lines(found: Mapping[str, object]) -> Iterator[Line]:
    cells = max((width(safe(name)) for name in found), default=0)
    for name, value in found.items():
        yield (pad(safe(name), cells), "bold"), ("  ", ""), *_value(name, value)


def document(found: Mapping[str, object]) -> dict[str, Any]:
    """Values by name, null if unknown, and the reasons of the unknown ones."""
    return {
        "facts": {name: None if isinstance(value, Unknown) else _plain(value) for name, value in found.items()},
        "unknown": {name: value.reason for name, value in found.items() if isinstance(value, Unknown)},
    }


def _value(name: str, value: object) -> Line:
    if isinstance(value, Unknown):
        names_itself = value.reason.startswith(f"{name} is unknown")
        return (
            (safe(value.reason.removeprefix(f"{name} is ") if names_itself else f"unknown: {value.reason}"), "dim"),
        )
    if isinstance(value, Version) and value.text is None:
        return (("lower than all versions", "green"),)
    size = _size(value) if isinstance(value, int) else ""
    return (brief(_plain(value), UNSHORTENED), "green"), (size, "dim")


def _size(number: int) -> str:
    """A number of bytes in its usual unit; empty for a small number."""
    return next((f"  {number / bytes_:.1f} {unit}" for unit, bytes_ in UNITS if number >= bytes_), "")


def _plain(value: object) -> object:
    """A value as JSON has it, at any depth."""
    if isinstance(value, Version):
        return value.text
    if isinstance(value, Unknown):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
