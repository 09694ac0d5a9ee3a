"""The lines of a text file, to the letter: their ends, bytes that are not UTF-8, a last line that has no end.

What is taken out of a file can be put down as a record, from which it comes back: an empty line, with the end that the
last line of the rest may lose, and then the lines. Their places are separate, because they change with what others
do to the same file, and the lines do not.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from attrs import define, evolve, frozen

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
LONGEST_PLACES = 100
"""Characters for the numbers of lines."""


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
        self._restore_ends(unended=unended)

    def remove(self, numbers: Iterable[int]) -> None:
        unended, gone = self._is_unended(), set(numbers)
        self._lines = [line for number, line in enumerate(self._lines) if number not in gone]
        self._restore_ends(unended=unended)

    def record(self, numbers: Iterable[int]) -> bytes:
        """These lines as `put_back` takes them."""
        taken = set(numbers)
        rest = [line for number, line in enumerate(self._lines) if number not in taken]
        lost = rest[-1].end if rest else ""
        return Lines([Line("", lost or "\n"), *(self._lines[number] for number in sorted(taken))]).dump()

    def put_back(self, record: bytes, numbers: Iterable[int]) -> None:
        """Put the lines of a record back at their places, in rising order; those without one go last."""
        unended, (lost, *lines) = self._is_unended(), _lines(record)
        number = len(self._lines) - 1
        for line, given in zip_longest(lines, numbers):
            number = number + 1 if given is None else given
            if line is not None:
                self._lines.insert(number, line)
        self._restore_ends(unended=unended, end=lost.end)

    def _is_unended(self) -> bool:
        return bool(self._lines) and not self._lines[-1].end

    def _end(self) -> str:
        """How lines end in this file."""
        return next((line.end for line in self._lines if line.end), "\n")

    def _restore_ends(self, *, unended: bool, end: str = "") -> None:
        """Every line but the last has an end, and that one has none if the file lacked it before."""
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


def places_of(numbers: Sequence[int]) -> str:
    """The numbers of lines, which rise, as people write them: counted from 1, `3,5-7`. A long text ends in `,…`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    text = ",".join("-".join(str(number + 1) for number in run) for run in runs)
    return text if len(text) <= LONGEST_PLACES else text[:LONGEST_PLACES].rpartition(",")[0] + ",…"


def numbers_at(places: str) -> Iterator[int]:
    """The numbers that `places_of` made a text of, as far as it tells."""
    for run in places.removesuffix(",…").split(","):
        first, _, last = run.partition("-")
        yield from range(int(first) - 1, int(last or first))
