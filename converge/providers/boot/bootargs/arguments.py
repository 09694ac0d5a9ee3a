"""Kernel arguments, parsed as the kernel does it (`next_arg` in the kernel's lib/cmdline.c).

White space separates them, except in double quotes around an argument or its value; a quote cannot be escaped. In keys
`-` and `_` are the same. Arguments behind `--` are for init(1), not for the kernel.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import frozen

FOR_INIT = "--"

_ARGUMENT = re.compile(r'(?:"[^"]*(?:"|$)|[^" \t\n\v\f\r])+')
_SPACE = re.compile(r"[ \t\n\v\f\r]")

Part = tuple[str, ...]
"""Arguments as they are written, quotes included, in their order."""


@frozen
class Argument:
    """A key, and its value if it has an equals sign."""

    key: str
    value: str | None = None

    @classmethod
    def of(cls, written: str) -> "Argument":
        key, equals, value = _unquoted(written).partition("=")
        return cls(key, _unquoted(value) if equals else None)

    def __str__(self) -> str:
        """In the form for the command line."""
        if self.value is None:
            return self.key
        return f'{self.key}="{self.value}"' if _SPACE.search(self.value) else f"{self.key}={self.value}"

    def has_key(self, key: str) -> bool:
        return _folded(self.key) == _folded(key)

    def is_same(self, other: "Argument") -> bool:
        return self.has_key(other.key) and self.value == other.value


def _unquoted(text: str) -> str:
    return text[1:].removesuffix('"') if text.startswith('"') else text


def _folded(key: str) -> str:
    return key.replace("-", "_")


def split(text: str) -> Part:
    return tuple(_ARGUMENT.findall(text))


def for_kernel(parts: Sequence[Part]) -> Iterator[Argument]:
    """The kernel's arguments in some parts of a command line, without those for init."""
    for part in parts:
        yield from map(Argument.of, part[: _end(part)])


def _end(part: Part) -> int:
    """The index behind the kernel's arguments."""
    return part.index(FOR_INIT) if FOR_INIT in part else len(part)


def edited(parts: Sequence[Part], arguments: Mapping[str, bool], keys: Mapping[str, Sequence[str]]) -> tuple[Part, ...]:
    """The parts with each of the `arguments` present or absent, and exactly these arguments for each of the `keys`.

    All others stay as they are written, in their order.
    """
    now = tuple(parts)
    for written, wanted in arguments.items():
        argument = Argument.of(written)
        found = any(argument.is_same(each) for each in for_kernel(now))
        if wanted and not found:
            now = _added(now, [written])
        elif not wanted:
            now = tuple(_without(part, argument.is_same) for part in now)
    for key, requested in keys.items():
        now = _set(now, key, requested)
    return now


def of_key(parts: Sequence[Part], key: str) -> tuple[str, ...]:
    """The arguments that have a key, in their order."""
    return tuple(str(each) for each in for_kernel(parts) if each.has_key(key))


def _without(part: Part, unwanted: Callable[[Argument], bool]) -> Part:
    end = _end(part)
    return (*(each for each in part[:end] if not unwanted(Argument.of(each))), *part[end:])


def _added(parts: tuple[Part, ...], written: Sequence[str], part: int = 0, at: int | None = None) -> tuple[Part, ...]:
    """The parts with arguments inserted into one of them: at a place, or behind the kernel's last one."""
    place = _end(parts[part]) if at is None else at
    longer = (*parts[part][:place], *written, *parts[part][place:])
    return (*parts[:part], longer, *parts[part + 1 :])


def _set(parts: tuple[Part, ...], key: str, requested: Sequence[str]) -> tuple[Part, ...]:
    """The parts with the requested arguments of a key, at the place of its first argument before."""
    if of_key(parts, key) == tuple(requested):
        return parts
    part, at = _first(parts, key)
    rest = tuple(_without(each, lambda argument: argument.has_key(key)) for each in parts)
    return _added(rest, requested, part, at)


def _first(parts: tuple[Part, ...], key: str) -> tuple[int, int | None]:
    """The part with the first argument of a key, and its index there."""
    for number, part in enumerate(parts):
        for at, written in enumerate(part[: _end(part)]):
            if Argument.of(written).has_key(key):
                return number, at
    return 0, None
