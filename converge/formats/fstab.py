"""The swap lines of an fstab(5). Lines that converge wrote have an option for that."""

import re
from collections.abc import Iterable, Iterator

from attrs import define, frozen

from converge.formats.lines import Lines

OURS = "x-converge"
"""A comment among the options: whatever begins with `x-` is for others than the kernel (mount(8))."""

_ESCAPED = re.compile(rb"\\([0-7]{3})")
_ODD = " \t\n\\#"
_OPTIONS = re.compile(r"([ \t]*(?:[^ \t]+[ \t]+){2}[^ \t]+)(?:([ \t]+)[^ \t]*)?(.*)", re.DOTALL)
"""The first three fields, the blanks before the options, and what is behind those."""
_QUOTED = re.compile(r'^([A-Z]+=)"(.*)"$')


@frozen
class SwapLine:
    """A line that is about swap; `source` as it is written there, `options` without the mark."""

    number: int
    source: str
    options: tuple[str, ...]
    ours: bool


@define
class Fstab:
    """An fstab in memory; all but the options of lines about swap stays to the letter."""

    lines: Lines

    @classmethod
    def parse(cls, data: bytes) -> "Fstab":
        return cls(Lines.parse(data))

    def dump(self) -> bytes:
        return self.lines.dump()

    @property
    def has_any(self) -> bool:
        """Whether it has any line about swap."""
        return any(_swap_line(number, text) for number, text in enumerate(self.lines.texts))

    def find(self, names: tuple[str, ...]) -> SwapLine | None:
        """The line about a file or device, by any of the names that it has; of several lines the first counts."""
        return next((line for line in self._about(names)), None)

    def put(self, names: tuple[str, ...], options: Iterable[str]) -> None:
        """Set the options of the line; if need be one is made with the first name. A foreign one stays foreign."""
        found = self.find(names)
        if found is None:
            source, words = _escaped(names[0]), ",".join([*options, OURS])
            self.lines.insert(len(self.lines.texts), f"{source} none swap {words} 0 0")
        else:
            words = ",".join([*options, OURS] if found.ours else options) or "defaults"
            self.lines.replace(found.number, _with_options(self.lines.texts[found.number], words))

    def drop(self, names: tuple[str, ...]) -> None:
        """Remove what converge has written about it; foreign lines stay."""
        self.lines.remove([line.number for line in self._about(names) if line.ours])

    def _about(self, names: tuple[str, ...]) -> Iterator[SwapLine]:
        found = (_swap_line(number, text) for number, text in enumerate(self.lines.texts))
        return (line for line in found if line and _plain(line.source) in names)


def _swap_line(number: int, text: str) -> SwapLine | None:
    """Blanks and tabs part the fields, and nothing else does; the options may be left out (libmount)."""
    fields = text.replace("\t", " ").split(" ")
    source, _, kind, options, *_ = (*filter(None, fields), "", "", "", "")
    if source.startswith("#") or kind != "swap":
        return None
    words = options.split(",") if options else []
    return SwapLine(number, source, tuple(word for word in words if word != OURS), OURS in words)


def _with_options(text: str, words: str) -> str:
    """The line with other options; all else in it stays to the letter."""
    return _OPTIONS.sub(lambda found: f"{found[1]}{found[2] or ' '}{words}{found[3]}", text, count=1)


def _plain(source: str) -> str:
    """The name without escapes; the value of a tag may stand in quotes."""
    text = unescaped(source.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    return _QUOTED.sub(r"\1\2", text)


def _escaped(source: str) -> str:
    return "".join(f"\\{ord(char):03o}" if char in _ODD else char for char in source)


def unescaped(text: bytes) -> bytes:
    """A path as files of /proc write it: blanks and the like are octal numbers (proc_pid_mountinfo(5))."""
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), text)
