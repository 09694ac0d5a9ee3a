"""What the parts of the reader share: the document, the text it is read from, and marks."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from attrs import define, field, frozen

from converge.diagnostics import Mark, Path, Report
from converge.model import Value

Event: TypeAlias = Any
"""An event of ruamel.yaml's, which has no common type for what the reader asks of it."""

MAX_BYTES: Final = 1 << 20


class Float(str):
    """A number that is no integer, as it was written. converge has none, so it is an error wherever it stands."""

    __slots__ = ()


@frozen
class Document:
    """The data of one file and where it was written.

    The mark of a text is that of its content, without the quotes, so that an offset into a text on one line is an
    offset into its mark.
    """

    filename: str
    text: str = field(repr=False)
    data: Value
    marks: Mapping[Path, Mark] = field(repr=False)
    key_marks: Mapping[Path, Mark] = field(repr=False)
    unread: frozenset[Path] = frozenset()
    """The values that a fault of syntax hides; a text stands in for each."""

    def mark(self, path: Path) -> Mark:
        """Where the value at `path` was written, or the nearest thing that holds it."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks[path]

    def key_mark(self, path: Path) -> Mark:
        """Where the key of the value at `path` was written, or the nearest thing that holds it."""
        return self.key_marks.get(path) or self.mark(path)

    def source(self, path: Path) -> str:
        """The value at `path` as it was written; its first line only."""
        mark = self.mark(path)
        line = self.text.split("\n")[mark.line - 1]
        return line[mark.column - 1 : mark.end_column - 1 if mark.end_line == mark.line else None]


def stretch(mark: Mark, text: str, offset: int, length: int) -> Mark:
    """The mark of a part of `text`, which stands at `mark`; all of it where escapes or line breaks hide the place."""
    if mark.line != mark.end_line or mark.end_column - mark.column != len(text):
        return mark
    start = mark.column + offset
    return Mark(mark.filename, mark.line, start, mark.line, start + max(length, 1))


@define
class Source:
    """A text, and a readable copy of the same length in which masks stand for what YAML cannot read."""

    filename: str
    text: str
    readable: str
    masked: dict[int, str] = field(factory=dict)
    """Per place where a mask begins: the text it stands for."""
    unread: set[int] = field(factory=set)
    """The masks that stand for a fault of syntax, where it is unsure what was meant."""

    def mask(self, start: int, end: int) -> str:
        """Read the stretch as a text from now on; returns that text."""
        meant = re.sub(r"\s*\n\s*", " ", self.text[start:end])
        self.masked[start] = meant
        self.readable = self.readable[:start] + re.sub(r"\S", "x", self.readable[start:end]) + self.readable[end:]
        return meant

    def is_masked(self, start: int, end: int) -> bool:
        """Whether a mask begins in the stretch."""
        return any(start <= masked < end for masked in self.masked)


class Unquoted(Exception):
    """A `{{` where YAML takes it for two maps."""

    def __init__(self, index: int, *, in_flow: bool) -> None:
        super().__init__()
        self.index = index
        self.in_flow = in_flow


class GiveUp(Exception):
    """The document is not worth reading on; the reason has been reported."""


def quoted(text: str) -> str:
    """The text as YAML in quotes."""
    return f'"{text}"' if '"' not in text and "\\" not in text else "'" + text.replace("'", "''") + "'"


def report_unquoted(report: Report, meant: str, mark: Mark) -> None:
    message = "an expression in braces must be quoted"
    report.error(
        "unquoted-expression",
        message,
        mark,
        hint=f"quote it: {quoted(meant if len(meant) <= 80 else meant[:80] + '…')}",
    )


def mark_at(filename: str, text: str, start: int, end: int | None = None) -> Mark:
    """The mark of text[start:end], of one character where no end is given."""

    def place(index: int) -> tuple[int, int]:
        return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)

    return Mark(filename, *place(start), *place(start + 1 if end is None else end))
