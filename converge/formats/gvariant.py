"""Reading GVariants, as far as ostree's files have them: dictionaries of texts, lists of texts and dictionaries.

A container ends in the offsets of the ends of its members, each as wide as the size of the container asks for (the
specification of GVariant, 2.3.6). Numbers are little-endian.
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

Found: TypeAlias = "str | tuple[str, ...] | Mapping[str, Found] | None"
"""None is a value of any other type."""

_ALIGNMENT = 8


def dictionary(data: bytes) -> dict[str, Found]:
    """An a{sv}. ValueError, without details, if it is not one."""
    try:
        return dict(map(_entry, _members(data, _ALIGNMENT)))
    except IndexError as error:
        raise ValueError from error


def _members(data: bytes, alignment: int) -> Iterator[bytes]:
    """The members of an array whose members have no fixed size."""
    start = 0
    for end in _ends(data):
        start += -start % alignment
        yield data[start:end]
        start = end


def _ends(data: bytes) -> tuple[int, ...]:
    """The ends of the members of an array; the last one ends at the first of these numbers."""
    if not data:
        return ()
    width = _width(data)
    table = int.from_bytes(data[-width:], "little")
    return tuple(int.from_bytes(data[at : at + width], "little") for at in range(table, len(data), width))


def _width(data: bytes) -> int:
    return next(width for width in (1, 2, 4, 8) if len(data) < 1 << 8 * width)


def _entry(data: bytes) -> tuple[str, Found]:
    """A {sv}."""
    width = _width(data)
    end = int.from_bytes(data[-width:], "little")
    return _text(data[:end]), _variant(data[end + -end % _ALIGNMENT : -width])


def _variant(data: bytes) -> Found:
    value, _, type_ = data.rpartition(b"\0")
    match type_:
        case b"s":
            return _text(value)
        case b"as":
            return tuple(map(_text, _members(value, 1)))
        case b"a{sv}":
            return dictionary(value)
    return None


def _text(data: bytes) -> str:
    return data.removesuffix(b"\0").decode("utf-8", "surrogateescape")
