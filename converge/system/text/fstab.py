"""The swap lines of an fstab(5). Lines that converge has written bear an option that says so."""

from collections.abc import Iterable

from attrs import define, frozen

from converge.system.base import unescaped
from converge.system.text.base import Lines

OURS = "x-converge"
"""A comment among the options: whatever begins with `x-` is for others than the kernel (mount(8))."""

_FIELDS = 4
_ODD = " \t\n\\#"


@frozen
class SwapLine:
    """A line that is about swap; `options` without the mark."""

    number: int
    source: str
    options: tuple[str, ...]
    ours: bool


@define
class Fstab:
    """An fstab in memory; lines that are not about swap stay to the letter."""

    lines: Lines

    @classmethod
    def parse(cls, data: bytes) -> "Fstab":
        return cls(Lines.parse(data))

    def dump(self) -> bytes:
        return self.lines.dump()

    def find(self, source: str) -> SwapLine | None:
        """The line about a file or device, as it is named there; of several the first counts."""
        found = (_swap_line(number, text) for number, text in enumerate(self.lines.texts))
        return next((line for line in found if line and _plain(line.source) == source), None)

    def put(self, source: str, options: Iterable[str]) -> None:
        """Set the options of the line, which is made if need be; a foreign one stays foreign."""
        found = self.find(source)
        if found is None:
            self.lines.insert(len(self.lines.texts), _text(_escaped(source), [*options, OURS]))
        else:
            self.lines.replace(found.number, _text(found.source, [*options, OURS] if found.ours else options))

    def drop(self, source: str) -> None:
        found = self.find(source)
        self.lines.remove([found.number] if found else [])


def _swap_line(number: int, text: str) -> SwapLine | None:
    fields = text.split()
    if len(fields) < _FIELDS or fields[0].startswith("#") or fields[2] != "swap":
        return None
    options = fields[3].split(",")
    return SwapLine(number, fields[0], tuple(option for option in options if option != OURS), OURS in options)


def _text(source: str, options: Iterable[str]) -> str:
    return f"{source} none swap {','.join(options) or 'defaults'} 0 0"


def _plain(source: str) -> str:
    return unescaped(source.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _escaped(source: str) -> str:
    return "".join(f"\\{ord(char):03o}" if char in _ODD else char for char in source)
