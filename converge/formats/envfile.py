"""Files of assignments, such as /etc/locale.conf: `NAME=value`, and a value may be in quotes (os-release(5)).

Comments, order, other names and the quotes that a value had stay to the letter. Of several assignments the last counts.
"""

import re
from collections.abc import Iterator

from attrs import define

from converge.formats.lines import Lines

_ASSIGNMENT = re.compile(r"(\s*(?:export\s+)?)([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_PIECE = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|\\(.)|([^\"'\\]+)|(.)", re.DOTALL)
_IN_QUOTES = re.compile(r"\\([\"$`\\])")
_NEEDS_ESCAPE = re.compile(r"[\"$`\\]")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+:,./-]*")


@define
class Envfile:
    """A file of assignments in memory; `set` and `unset` change it in place."""

    lines: Lines

    @classmethod
    def parse(cls, data: bytes) -> "Envfile":
        return cls(Lines.parse(data))

    def dump(self) -> bytes:
        return self.lines.dump()

    def get(self, name: str) -> str | None:
        """A value without its quotes, None if it is not set."""
        found = [_unquoted(text) for _, _, text in self._assignments(name)]
        return found[-1] if found else None

    def set(self, name: str, value: str) -> None:
        """Set a value at the place of the name, or at the end."""
        found = list(self._assignments(name))
        if not found:
            self.lines.insert(len(self.lines.texts), f"{name}={_written(value, '')}")
        elif _unquoted(found[-1][2]) != value:
            number, before, former = found[-1]
            self.lines.replace(number, f"{before}{name}={_written(value, former.strip()[:1])}")

    def unset(self, name: str) -> None:
        self.lines.remove([number for number, _, _ in self._assignments(name)])

    def _assignments(self, name: str) -> Iterator[tuple[int, str, str]]:
        """Per assignment its line's number, the text before the name, and the value as written."""
        for number, text in enumerate(self.lines.texts):
            if (found := _ASSIGNMENT.fullmatch(text)) and found[2] == name:
                yield number, found[1], found[3]


def _unquoted(written: str) -> str:
    pieces = (_piece(found) for found in _PIECE.finditer(written.strip()))
    return "".join(pieces)


def _piece(found: re.Match[str]) -> str:
    quoted, literal, escaped, plain, odd = found.groups()
    if quoted is not None:
        return _IN_QUOTES.sub(r"\1", quoted)
    return next(text for text in (literal, escaped, plain, odd) if text is not None)


def _written(value: str, quote: str) -> str:
    """The value in these quotes, or in those that it needs."""
    if quote == "'" and "'" not in value:
        return f"'{value}'"
    if quote != '"' and _PLAIN.fullmatch(value):
        return value
    return '"' + _NEEDS_ESCAPE.sub(r"\\\g<0>", value) + '"'
