"""INI-like files of any dialect: `[group]`, `key = value`, comments with `#` or `;`, keys before any group.

Other than `converge.formats.keyfile`, which is GLib's format, this refuses nothing and takes a value as it is
there, without the space around it: escapes, quotes and comments behind it are its own. A line that ends in a backslash
goes on in the next one. Other lines stay as they are.
"""

import re
from collections.abc import Iterator

from attrs import define, frozen

from converge.formats.lines import Lines

_HEADER = re.compile(r"\[([^\[\]]+)\](\s*[#;].*)?")
_COMMENT = ("#", ";")


@frozen
class _Pair:
    """`key = value` in its line: the text before the value, and the space behind it."""

    before: str
    key: str
    value: str
    behind: str

    @classmethod
    def of(cls, text: str) -> "_Pair | None":
        left, equals, right = text.partition("=")
        key, value = left.strip(), right.strip()
        if not equals or not key or key.startswith((*_COMMENT, "[")):
            return None
        before = text[: len(text) - len(right.lstrip())] if value else text
        return cls(before, key, value, text[len(before) + len(value) :])

    @property
    def indent(self) -> str:
        return self.before[: len(self.before) - len(self.before.lstrip())]

    @property
    def equals(self) -> str:
        """The equals sign as it is written: with space around it or without."""
        return " = " if self.before.partition("=")[0].endswith((" ", "\t")) else "="

    def with_value(self, value: str) -> str:
        before = self.before if self.value or not value else f"{self.indent}{self.key}{self.equals}"
        return f"{before}{value}{self.behind}" if value else before.rstrip()


@frozen
class _Entry:
    """A line that has a meaning: a header (no pair), or a pair in its group (None: before any)."""

    number: int
    group: str | None
    pair: _Pair | None
    end: int
    """The number of the next line that is not part of it."""


@define
class Inifile:
    """An INI-like file in memory. `lines` may be changed beside it."""

    lines: Lines

    @classmethod
    def parse(cls, data: bytes) -> "Inifile":
        return cls(Lines.parse(data))

    def dump(self) -> bytes:
        return self.lines.dump()

    def has_group(self, group: str) -> bool:
        return any(entry.group == group for entry in self._entries())

    def find(self, group: str | None, key: str) -> list[int]:
        """The numbers of the lines that set a key, in order: readers take the last one, or refuse several."""
        pairs = [entry for entry in self._entries() if entry.group == group]
        return [entry.number for entry in pairs if entry.pair and entry.pair.key == key]

    def value(self, number: int) -> str | None:
        """The value in a line that `find` found; None if it continues in the next line."""
        text = self.lines.texts[number]
        pair = _Pair.of(text)
        return None if pair is None or _goes_on(text) else pair.value

    def set_value(self, number: int, value: str) -> None:
        """Set the value in a line that `find` found; the line keeps its style."""
        pair = _Pair.of(self.lines.texts[number])
        if pair and pair.value != value:
            self.lines.replace(number, pair.with_value(value))

    def add(self, group: str | None, key: str, value: str) -> None:
        """Set a key in a new line at the end of its group, in the style of the group; the group is made if need be."""
        entries = list(self._entries())
        own = [entry for entry in entries if entry.group == group]
        pairs = [entry.pair for entry in own or entries if entry.pair]
        indent, equals = (pairs[-1].indent if own else "", pairs[-1].equals) if pairs else ("", "=")
        if group is not None and not own:
            self._append(*([""] if self.lines.texts else []), f"[{group}]")
        place = own[-1].end if own else self._top(entries) if group is None else len(self.lines.texts)
        self.lines.insert(place, f"{indent}{key}{equals}{value}".rstrip())

    def remove_group_if_empty(self, group: str) -> None:
        """Remove a group of which nothing but the header is left, and the empty line that was made above it."""
        entries = list(self._entries())
        own = [number for number, entry in enumerate(entries) if entry.group == group]
        if len(own) != 1 or entries[own[0]].pair:
            return
        header = entries[own[0]].number
        below = entries[own[0] + 1].number if own[0] + 1 < len(entries) else len(self.lines.texts)
        if not any(text.strip() for text in self.lines.texts[header + 1 : below]):
            above = [header - 1] if header and not self.lines.texts[header - 1] else []
            self.lines.remove([*above, header])

    def _append(self, *texts: str) -> None:
        for text in texts:
            self.lines.insert(len(self.lines.texts), text)

    def _top(self, entries: list[_Entry]) -> int:
        """The place for the first key before any group: above the first header and the comments right above it."""
        texts = self.lines.texts
        place = next((entry.number for entry in entries if not entry.pair), len(texts))
        while place < len(texts) and place and texts[place - 1].lstrip().startswith(_COMMENT):
            place -= 1
        return place

    def _entries(self) -> Iterator[_Entry]:
        group: str | None = None
        end = 0
        for number, text in enumerate(self.lines.texts):
            bare = text.strip()
            if number < end or bare.startswith(_COMMENT):
                continue
            end = self._end(number)
            if header := _HEADER.fullmatch(bare):
                group = header[1]
                yield _Entry(number, group, None, end)
            elif pair := _Pair.of(text):
                yield _Entry(number, group, pair, end)

    def _end(self, number: int) -> int:
        """The number of the line after this one and those in which it goes on."""
        texts = self.lines.texts
        while number < len(texts) and _goes_on(texts[number]):
            number += 1
        return number + 1


def _goes_on(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1
