"""The arguments that a kernel is given, as it takes them apart (`next_arg` in the kernel's lib/cmdline.c).

Blanks separate them; double quotes around an argument, or around its value, keep blanks together, and nothing escapes
a quote. In keys `-` and `_` are the same. What stands behind `--` is for init(1) and is none of the kernel's.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from attrs import frozen

from converge.system import ReadOnlySystem, System
from converge.system.bootentries import is_of_ostree

FOR_INIT = "--"

_FOLDERS = ("/efi", "/boot", "/boot/efi")
"""Where boot entries are looked for (UAPI.1, and bootctl(1))."""
_ARGUMENT = re.compile(r'(?:"[^"]*(?:"|$)|[^" \t\n\v\f\r])+')
_BLANK = re.compile(r"[ \t\n\v\f\r]")

Part = tuple[str, ...]
"""Arguments as they are written, quotes included, in their order."""


@frozen
class Argument:
    """A key, and its value where it has an equals sign."""

    key: str
    value: str | None = None

    @classmethod
    def of(cls, written: str) -> "Argument":
        key, equals, value = _unquoted(written).partition("=")
        return cls(key, _unquoted(value) if equals else None)

    def __str__(self) -> str:
        """As it is to be written."""
        if self.value is None:
            return self.key
        return f'{self.key}="{self.value}"' if _BLANK.search(self.value) else f"{self.key}={self.value}"

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
    """The arguments in some parts of a command line, without what is init's."""
    for part in parts:
        yield from map(Argument.of, part[: _end(part)])


def _end(part: Part) -> int:
    """Where the kernel's arguments end."""
    return part.index(FOR_INIT) if FOR_INIT in part else len(part)


def boot_entries(system: ReadOnlySystem) -> tuple[str, ...]:
    """The boot loader entries, and images that are their own entry, but those that ostree keeps."""
    patterns = ("loader/entries/*.conf", "EFI/Linux/*.efi")
    found = (system.glob(f"{folder}/{pattern}") for folder in _FOLDERS for pattern in patterns)
    return tuple(path for paths in found for path in paths if not is_of_ostree(path.rpartition("/")[2]))


@frozen
class History:
    left: tuple[Part, ...] = ()
    """Command lines that were set here, and that somebody has gone back from."""
    lost: int = 0
    """How many times in a row what was to be there at the next boot was not."""


class Place(Protocol):
    """Where a kind of system has the arguments of its next boot."""

    def rules(self, system: ReadOnlySystem) -> bool:
        """Whether this is where the root has them."""

    def read(self, system: ReadOnlySystem) -> tuple[Part, ...]:
        """The parts that the command line is put together from; the first one is where new arguments go."""

    def read_lasting(self, system: ReadOnlySystem) -> tuple[Part, ...]:
        """The same as it would be if the machine lost its power now."""

    def require_changeable(self, system: ReadOnlySystem) -> None:
        """Later where they cannot be changed yet."""

    def history(self, system: ReadOnlySystem) -> History:
        """What has become of changes before."""

    def write(self, system: System, parts: Sequence[Part], otherwise: Sequence[Part]) -> None:
        """Have the next boot use parts that `read` gave and `edited` has changed; where that fails, leave the others.

        What is made out of them is made also where they are there already: a run may have been killed in between.
        """


def edited(parts: Sequence[Part], arguments: Mapping[str, bool], keys: Mapping[str, Sequence[str]]) -> tuple[Part, ...]:
    """The parts in which each of the `arguments` is there or not, and each of the `keys` has just these arguments.

    What stays, stays as it is written and in its order.
    """
    now = tuple(parts)
    for written, wanted in arguments.items():
        argument = Argument.of(written)
        found = any(argument.is_same(each) for each in for_kernel(now))
        if wanted and not found:
            now = _added(now, [written])
        elif not wanted:
            now = tuple(_without(part, argument.is_same) for part in now)
    for key, asked in keys.items():
        now = _set(now, key, asked)
    return now


def of_key(parts: Sequence[Part], key: str) -> tuple[str, ...]:
    """The arguments that have a key, in their order."""
    return tuple(str(each) for each in for_kernel(parts) if each.has_key(key))


def _without(part: Part, unwanted: Callable[[Argument], bool]) -> Part:
    end = _end(part)
    return (*(each for each in part[:end] if not unwanted(Argument.of(each))), *part[end:])


def _added(parts: tuple[Part, ...], written: Sequence[str], part: int = 0, at: int | None = None) -> tuple[Part, ...]:
    """The parts with arguments put into one of them: in a place, or behind the kernel's last one."""
    place = _end(parts[part]) if at is None else at
    longer = (*parts[part][:place], *written, *parts[part][place:])
    return (*parts[:part], longer, *parts[part + 1 :])


def _set(parts: tuple[Part, ...], key: str, asked: Sequence[str]) -> tuple[Part, ...]:
    """The parts where a key has the arguments asked: in the place of the first one that it had."""
    if of_key(parts, key) == tuple(asked):
        return parts
    part, at = _first(parts, key)
    rest = tuple(_without(each, lambda argument: argument.has_key(key)) for each in parts)
    return _added(rest, asked, part, at)


def _first(parts: tuple[Part, ...], key: str) -> tuple[int, int | None]:
    """The part that has a key's first argument, and where it is in it."""
    for number, part in enumerate(parts):
        for at, written in enumerate(part[: _end(part)]):
            if Argument.of(written).has_key(key):
                return number, at
    return 0, None
