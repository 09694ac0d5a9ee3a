"""The lines of a text file, to the letter: their ends, bytes that are no UTF-8, a last line that has no end.

What is taken out of a file can be put down as a record, from which it comes back to its places: an empty line, with the
end that the last line of the rest may lose, and then `NUMBER:LINE` per line, counted from 0.
"""

import re
from collections.abc import Iterable, Iterator

from attrs import define, evolve, frozen

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_NUMBERED = re.compile(r"([0-9]+):(.*)", re.DOTALL)


@frozen
class Line:
    """`end` is a line feed, with a carriage return before it or not; the last line of a file may have none."""

    text: str
    end: str


@define
class Lines:
    """The lines of a file in memory; what changes them does so in place. Numbers count from 0."""

    _lines: list[Line]

    @classmethod
    def parse(cls, data: bytes) -> "Lines":
        return cls(_lines(data))

    def dump(self) -> bytes:
        return "".join(f"{line.text}{line.end}" for line in self._lines).encode("utf-8", "surrogateescape")

    @property
    def texts(self) -> tuple[str, ...]:
        """The lines without their ends."""
        return tuple(line.text for line in self._lines)

    def replace(self, number: int, text: str) -> None:
        self._lines[number] = evolve(self._lines[number], text=text)

    def insert(self, number: int, text: str) -> None:
        """Put a line before the one with this number, or at the end; a last line without an end stays without."""
        unended = self._is_unended()
        self._lines.insert(number, Line(text, self._end()))
        self._mend_ends(unended=unended)

    def remove(self, numbers: Iterable[int]) -> None:
        unended, gone = self._is_unended(), set(numbers)
        self._lines = [line for number, line in enumerate(self._lines) if number not in gone]
        self._mend_ends(unended=unended)

    def record(self, numbers: Iterable[int]) -> bytes:
        """These lines as `put_back` takes them."""
        taken = set(numbers)
        rest = [line for number, line in enumerate(self._lines) if number not in taken]
        lost = rest[-1].end if rest else ""
        lines = [evolve(self._lines[number], text=f"{number}:{self._lines[number].text}") for number in sorted(taken)]
        return Lines([Line("", lost or "\n"), *lines]).dump()

    def put_back(self, record: bytes) -> None:
        """Put the lines of a record where they were; where the file has become shorter, at its end."""
        unended, (lost, *lines) = self._is_unended(), _lines(record)
        for number, line in _numbered(lines):
            self._lines.insert(number, line)
        self._mend_ends(unended=unended, end=lost.end)

    def _is_unended(self) -> bool:
        return bool(self._lines) and not self._lines[-1].end

    def _end(self) -> str:
        """How lines end in this file."""
        return next((line.end for line in self._lines if line.end), "\n")

    def _mend_ends(self, *, unended: bool, end: str = "") -> None:
        """Every line but the last has an end, and that one has none where the file lacked it before."""
        for number, line in enumerate(self._lines[:-1]):
            if not line.end:
                self._lines[number] = evolve(line, end=end or self._end())
        if unended and self._lines:
            self._lines[-1] = evolve(self._lines[-1], end="")


def _lines(data: bytes) -> list[Line]:
    return [_line(text) for text in _LINES.findall(data.decode("utf-8", "surrogateescape"))]


def _line(text: str) -> Line:
    bare = text.removesuffix("\n")
    if bare == text:
        return Line(text, "")
    return Line(bare.removesuffix("\r"), "\r\n" if bare.endswith("\r") else "\n")


def _numbered(lines: Iterable[Line]) -> Iterator[tuple[int, Line]]:
    for line in lines:
        if numbered := _NUMBERED.fullmatch(line.text):
            yield int(numbered[1]), evolve(line, text=numbered[2])
