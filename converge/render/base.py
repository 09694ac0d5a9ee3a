"""Shared by the renderers: text that is safe to show, its width on a terminal, and lines of styled spans."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO, TypeAlias

from attrs import define, field

from converge.diagnostics import Mark
from converge.language.schema import sizes
from converge.model import Change
from converge.system.secrets import LEFT_OUT, is_digest
from converge.values import size_words

Span: TypeAlias = tuple[str, str]
"""Text and its style as rich names it ("bold red"); the empty style is plain."""
Line: TypeAlias = tuple[Span, ...]

VALUE_WIDTH = 60
ADDRESS_DIGITS = 12


def safe(text: str) -> str:
    """The text on one line; characters that could control a terminal or hide text (bidirectional marks) are escaped."""
    return text if text.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte that is not UTF-8, as os.fsdecode returns it
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def width(text: str) -> int:
    """How many cells of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pad(text: str, cells: int) -> str:
    return text + " " * (cells - width(text))


def shorten(text: str, cells: int) -> str:
    """The text in at most `cells` cells. A longer one loses its middle, because values differ at their ends."""
    if width(text) <= cells:
        return text
    tail = _fitting(text[::-1], cells // 3)[::-1]
    return _fitting(text, cells - 1 - width(tail)) + "…" + tail


def _fitting(text: str, cells: int) -> str:
    taken = 0
    for index, char in enumerate(text):
        taken += _cells(char)
        if taken > cells:
            return text[:index]
    return text


def brief(value: object, cells: int = VALUE_WIDTH) -> str:
    """A value for a person: text in quotes, None as `unset`, without its middle if it is long."""
    if isinstance(value, str):
        return LEFT_OUT if is_digest(value) else _brief_text(value, cells)
    return shorten(_literal(value), cells)


def part_by_part(changes: Iterable[Change]) -> Iterator[Change]:
    """The changes; a change of a map becomes one change per part."""
    for change in changes:
        sides = [side for side in (change.before, change.after) if side is not None]
        if not sides or not all(isinstance(side, Mapping) for side in sides):
            yield change
            continue
        before, after = ({} if side is None else side for side in (change.before, change.after))
        assert isinstance(before, Mapping)  # noqa: S101  (seen above)
        assert isinstance(after, Mapping)  # noqa: S101
        for name in {**before, **after}:
            if before.get(name) != after.get(name):
                yield Change(f"{change.field}[{name}]", before.get(name), after.get(name))


def before_and_after(type_: str, change: Change, cells: int = VALUE_WIDTH) -> tuple[str, str]:
    """The values before and after a change, for a person; the second of two secrets is shown as another one."""
    words = _brief_size if change.field in sizes(type_) else brief
    differing = is_digest(change.before) and is_digest(change.after)
    return words(change.before, cells), "(another secret)" if differing else words(change.after, cells)


def _brief_size(value: object, cells: int) -> str:
    return size_words(value) if isinstance(value, int) else brief(value, cells)


def shown(value: Any) -> Any:  # noqa: ANN401  (whatever JSON holds)
    """A value as it may be shown. Digests of secrets are left out: they differ from run to run until a key is saved."""
    if isinstance(value, Mapping):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return LEFT_OUT if is_digest(value) else value


_ADDRESS = re.compile(r"(?P<kind>sha256|tree):(?P<digits>[0-9a-f]{64})(?: \((?P<words>.*)\))?", re.DOTALL)
"""The address of a content, or of the values in a tree, with words that describe them."""


def _brief_text(text: str, cells: int) -> str:
    address = _brief_address(text)
    return f'"{shorten(safe(text), cells - 2)}"' if address is None else shorten(address, cells)


def _brief_address(text: str) -> str | None:
    """The first digits of an address, or its words; None if the text is not an address."""
    address = _ADDRESS.fullmatch(text)
    if address is None:
        return None
    return safe(address["words"] or f"{address['kind']}:{address['digits'][:ADDRESS_DIGITS]}")


def _literal(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return LEFT_OUT if is_digest(value) else _brief_address(value) or f'"{safe(value)}"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{safe(str(key))}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return safe(str(value))


def wrapped(text: str, cells: int) -> list[str]:
    """The text in lines of at most so many cells, broken between words; a longer word gets a line of its own."""
    lines: list[str] = []
    for word in safe(text).split():
        if lines and width(lines[-1]) + 1 + width(word) <= cells:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def plain(line: Line) -> str:
    return "".join(text for text, _ in line).rstrip()


def write(lines: Iterable[Line], stream: TextIO, *, color: bool) -> None:
    """Write lines, in colour through rich; plain text does not import it."""
    if not color:
        stream.writelines(plain(line) + "\n" for line in lines)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)
    for line in lines:
        console.print(Text.assemble(*line), soft_wrap=True)


@define
class Sources:
    """The lines of the files with findings, each file read at most once; `hidden` stretches become dots."""

    hidden: Sequence[Mark] = ()
    _files: dict[str, list[str]] = field(factory=dict)

    def line(self, filename: str, number: int) -> str | None:
        """A line by its number from 1; None if it cannot be read (any more) or is hidden completely."""
        lines = self._files.get(filename)
        if lines is None:
            lines = self._files[filename] = _read_lines(filename)
        return self._without_secrets(filename, number, lines[number - 1]) if 0 < number <= len(lines) else None

    def _without_secrets(self, filename: str, number: int, line: str) -> str | None:
        for mark in self.hidden:
            if mark.filename == filename and mark.line <= number <= mark.end_line:
                start = mark.column - 1 if number == mark.line else 0
                end = mark.end_column - 1 if number == mark.end_line else len(line)
                if (start, end) == (0, len(line)):
                    return None
                line = line[:start] + "•" * (end - start) + line[end:]
        return line


def _read_lines(filename: str) -> list[str]:
    if not os.path.isfile(filename):  # a pipe, such as a shell's <(…), can be read once only
        return []
    try:
        with open(filename, encoding="utf-8-sig", errors="replace") as file:
            return file.read().split("\n")
    except OSError:
        return []


def relative(filename: str) -> str:
    """The path relative to the working directory if it is inside it: CI services match it with their checkout."""
    path = os.path.relpath(filename)
    return filename if path.startswith(os.pardir) else path
