"""Key files as flatpak and ostree read and write them: GLib's GKeyFile.

Whatever is not changed stays as it is: comments, order, blank lines, unknown groups and keys.
"""

import re
from collections.abc import Iterator

from attrs import define, evolve, frozen

from converge.errors import ProviderError, shown

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_HEADER = re.compile(r"\[([^\[\]\x00-\x1f\x7f]+)\]\s*")
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_SPACE = " \t\r\n\f"
"""Space, as g_ascii_isspace() defines it."""
_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
_WRITTEN = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@frozen
class _Line:
    """One line with its end: a header (group, no key), a pair (group and key), or a comment or blank line (neither)."""

    text: str
    group: str | None = None
    key: str | None = None
    value: str = ""

    @property
    def is_header(self) -> bool:
        return self.group is not None and self.key is None

    @property
    def is_blank(self) -> bool:
        return not self.text.strip(_SPACE)


@define
class Keyfile:
    """A key file in memory. `set`, `unset` and `remove_group` change it in place."""

    _lines: list[_Line]

    @classmethod
    def parse(cls, data: bytes, filename: str = "key file") -> "Keyfile":
        """ProviderError, naming the line, for what GLib would refuse."""
        lines: list[_Line] = []
        group: str | None = None
        for number, text in enumerate(_LINES.findall(data.decode("utf-8", "surrogateescape")), 1):
            line = _parse_line(text, group)
            if line is None:
                raise ProviderError(
                    f"{shown(filename)}:{number} is neither a group, nor a key with a value, nor a comment",
                    hint="fix the file by hand, or remove that line",
                )
            group = line.group or group
            lines.append(line)
        return cls(lines)

    def dump(self) -> bytes:
        return "".join(line.text for line in self._lines).encode("utf-8", "surrogateescape")

    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.group for line in self._lines if line.group is not None))

    def keys(self, group: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.key for line in self._lines if line.group == group and line.key is not None))

    def get(self, group: str, key: str) -> str | None:
        """A value as text, None if it is not set; of several, the last counts. ProviderError for a bad escape."""
        line = self._find(group, key)
        return None if line is None else _unescape(line)

    def get_boolean(self, group: str, key: str) -> bool | None:
        """True or false, None if it is not set; ProviderError for anything else."""
        line = self._find(group, key)
        if line is None:
            return None
        if line.value.rstrip() not in _BOOLEANS:
            raise ProviderError(f"'{shown(key)}' in [{shown(group)}] is neither true nor false")
        return _BOOLEANS[line.value.rstrip()]

    def set(self, group: str, key: str, value: str | bool) -> None:
        """Set a value at the place of the key, or at the end of its group, which is made if it is missing."""
        place, written = self._place_of(group, key), _escape(value)
        if place is None:
            self._insert(_Line(f"{key}={written}\n", group, key, written))
        elif (line := self._lines[place]).value != written:
            end = "\n" if line.text.endswith("\n") else ""
            self._lines[place] = evolve(line, text=f"{key}={written}{end}", value=written)

    def unset(self, group: str, key: str) -> None:
        self._lines = [line for line in self._lines if (line.group, line.key) != (group, key)]

    def remove_group(self, group: str) -> None:
        """Remove a group with the comments in it and right above it; those at the top of the file stay."""
        owned = list(zip(self._lines, _owners(self._lines), strict=True))
        was_last = bool(owned) and owned[-1][1] == group
        self._lines = [line for line, owner in owned if owner != group]
        while was_last and self._lines and self._lines[-1].is_blank:
            self._lines.pop()

    def rename_group(self, group: str, name: str) -> None:
        """Rename a group; it stays at its place."""
        self._lines = [_renamed(line, name) if line.group == group else line for line in self._lines]

    def add_group(self, other: "Keyfile", group: str, name: str) -> None:
        """Add a group of another file at the end, under another name, and but for that to the letter."""
        gap = self._gap()
        self._end_line_before(len(self._lines))
        self._lines += [*gap, *other._lines_of(group, name)]  # noqa: SLF001  (one of its own kind)
        self._end_line_before(len(self._lines))

    def _lines_of(self, group: str, name: str) -> list[_Line]:
        """The lines of a group as they are under another name, without blank ones at the end."""
        owned = zip(self._lines, _owners(self._lines), strict=True)
        lines = [_renamed(line, name) if line.group else line for line, owner in owned if owner == group]
        while lines and lines[-1].is_blank:
            lines.pop()
        return lines

    def _find(self, group: str, key: str) -> _Line | None:
        place = self._place_of(group, key)
        return None if place is None else self._lines[place]

    def _place_of(self, group: str, key: str) -> int | None:
        places = (number for number, line in enumerate(self._lines) if (line.group, line.key) == (group, key))
        return max(places, default=None)

    def _insert(self, line: _Line) -> None:
        places = [number for number, other in enumerate(self._lines) if other.group == line.group]
        place = places[-1] + 1 if places else len(self._lines)
        new = [line] if places else [*self._gap(), _Line(f"[{line.group}]\n", line.group), line]
        self._end_line_before(place)
        self._lines[place:place] = new

    def _gap(self) -> list[_Line]:
        return [_Line("\n")] if self._lines and not self._lines[-1].is_blank else []

    def _end_line_before(self, place: int) -> None:
        if place and not self._lines[place - 1].text.endswith("\n"):
            before = self._lines[place - 1]
            self._lines[place - 1] = evolve(before, text=f"{before.text}\n")


def _parse_line(text: str, group: str | None) -> _Line | None:
    """A line of the file; None for what can stand in no key file, or not outside a group."""
    content = text.lstrip(_SPACE).removesuffix("\n").removesuffix("\r")
    if not content or content.startswith("#"):
        return _Line(text)
    if header := _HEADER.fullmatch(content):
        return _Line(text, header[1])
    key, equals, value = content.partition("=")
    if content.startswith("[") or not equals or not key.strip(_SPACE) or group is None:
        return None
    return _Line(text, group, key.rstrip(_SPACE), value.lstrip(_SPACE))


def _renamed(line: _Line, group: str) -> _Line:
    """A line of a group, as it is under another name of the group."""
    text = line.text.replace(f"[{line.group}]", f"[{group}]", 1) if line.is_header else line.text
    return evolve(line, text=text, group=group)


def _owners(lines: list[_Line]) -> Iterator[str | None]:
    """Per line the group that it goes with: blank lines with the one above, comments right above a header with it."""
    group: str | None = None
    for number, line in enumerate(lines):
        if line.is_header:
            group = line.group
        below = _header_below(lines, number) if group is not None else None
        yield below if below is not None else group


def _header_below(lines: list[_Line], number: int) -> str | None:
    """The group whose header follows a comment, with nothing but comments between."""
    for line in lines[number:]:
        if line.group is not None or line.is_blank:
            return line.group if line.is_header else None
    return None


def _escape(value: str | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    rest = value.lstrip(" \t")
    leading = value[: len(value) - len(rest)].replace(" ", "\\s").replace("\t", "\\t")
    return leading + "".join(_WRITTEN.get(character, character) for character in rest)


def _unescape(line: _Line) -> str:
    def character(escape: re.Match[str]) -> str:
        if escape[1] not in _ESCAPES:
            raise ProviderError(
                f"'{shown(line.key or '')}' in [{shown(line.group or '')}] has a bad escape, '{escape[0]}'"
            )
        return _ESCAPES[escape[1]]

    return _ESCAPED.sub(character, line.value)
