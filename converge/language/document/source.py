"""The document that the reader returns, the source text that it reads, and marks in it."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from attrs import define, field, frozen

from converge.diagnostics import Mark, Path, Report
from converge.model import Value

Event: TypeAlias = Any
"""An event of ruamel.yaml, whose events have no common type with the attributes that the reader uses."""

MAX_BYTES: Final = 1 << 20


class Float(str):
    """A number that is not an integer, as text. converge has only integers, so it is an error in any place."""

    __slots__ = ()


@frozen
class Document:
    """The data of one file and the places of its values.

    The mark of a text is that of its content, without the quotes, so that an offset into a text on one line is an
    offset into its mark.
    """

    filename: str
    text: str = field(repr=False)
    data: Value
    marks: Mapping[Path, Mark] = field(repr=False)
    key_marks: Mapping[Path, Mark] = field(repr=False)
    unread: frozenset[Path] = frozenset()
    """The values that a fault of syntax hides; each is replaced by a text."""

    def mark(self, path: Path) -> Mark:
        """The place of the value at `path`, or of the nearest value that contains it."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks[path]

    def key_mark(self, path: Path) -> Mark:
        """The place of the key of the value at `path`, or of the nearest value that contains it."""
        return self.key_marks.get(path) or self.mark(path)

    def source(self, path: Path) -> str:
        """The source text of the value at `path`; its first line only."""
        mark = self.mark(path)
        line = self.text.split("\n")[mark.line - 1]
        return line[mark.column - 1 : mark.end_column - 1 if mark.end_line == mark.line else None]


def stretch(mark: Mark, text: str, offset: int, length: int) -> Mark:
    """The mark of a part of `text`, which is at `mark`; `mark` itself if escapes or line breaks hide the place."""
    if mark.line != mark.end_line or mark.end_column - mark.column != len(text):
        return mark
    start = mark.column + offset
    return Mark(mark.filename, mark.line, start, mark.line, start + max(length, 1))


@define
class Source:
    """A text, and a readable copy of the same length in which masks replace the values that YAML cannot read."""

    filename: str
    text: str
    readable: str
    masked: dict[int, str] = field(factory=dict)
    """By the start of each mask, the text that it replaces."""
    unread: set[int] = field(factory=set)
    """The masks that replace a fault of syntax, so that the intended value is not certain."""

    def mask(self, start: int, end: int) -> str:
        """Read the stretch as a text from now on; returns that text."""
        masked = re.sub(r"\s*\n\s*", " ", self.text[start:end])
        self.masked[start] = masked
        self.readable = self.readable[:start] + re.sub(r"\S", "x", self.readable[start:end]) + self.readable[end:]
        return masked

    def is_masked(self, start: int, end: int) -> bool:
        """Whether a mask begins in the stretch."""
        return any(start <= masked < end for masked in self.masked)


class Unquoted(Exception):
    """A `{{` that YAML reads as two maps."""

    def __init__(self, index: int, *, in_flow: bool) -> None:
        super().__init__()
        self.index = index
        self.in_flow = in_flow


class GiveUp(Exception):
    """The rest of the document cannot be read; the reason has been reported."""


def quoted(text: str) -> str:
    """The text as YAML in quotes."""
    return f'"{text}"' if '"' not in text and "\\" not in text else "'" + text.replace("'", "''") + "'"


def report_unquoted(report: Report, text: str, mark: Mark) -> None:
    hint = f"quote it: {quoted(text if len(text) <= 80 else text[:80] + '…')}"
    report.error("unquoted-expression", "an expression in braces must be quoted", mark, hint=hint)


def mark_at(filename: str, text: str, start: int, end: int | None = None) -> Mark:
    """The mark of text[start:end], of one character without an end."""

    def place(index: int) -> tuple[int, int]:
        return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)

    return Mark(filename, *place(start), *place(start + 1 if end is None else end))
