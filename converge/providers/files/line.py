"""A line of a text file. Owns the lines of the file at `path` that equal `line` or match `pattern`.

The last of them is the managed line; a new line is put at the place of `before` or `after`, or at the end. The rest of
the file stays exactly as it is: line ends, bytes that are not UTF-8, a last line without an end.
"""

from typing import ClassVar

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.lines import Lines
from converge.model import Thing
from converge.providers.files.editing import Part, apply, check, declared, desired, found
from converge.providers.files.patterns import checked_pattern, matching
from converge.providers.protocol import PRESENT, Params, Traits
from converge.system import ReadOnlySystem
from converge.system.contents import as_value

__all__ = ["Spec", "State", "apply", "check", "declared", "desired", "inspect", "parse", "thing", "traits"]

traits = Traits(groups=(("ensure", "line", "record", "missing"),))

START, END = "BOF", "EOF"


@frozen
class State:
    ensure: str
    line: str | None = None
    record: str | None = None
    missing: str | None = None


@frozen(kw_only=True)
class Spec(Part):
    text_field: ClassVar[str] = "line"
    anywhere: ClassVar[bool] = True
    line: str | None = None
    pattern: str | None = None
    before: str | None = None
    after: str | None = None

    def find(self, lines: Lines) -> list[int]:
        matched = set(matching(self.pattern, lines.texts)) if self.pattern is not None else set()
        return sorted(matched | {number for number, text in enumerate(lines.texts) if text == self.line})

    def read(self, lines: Lines, number: int) -> str:
        return lines.texts[number]

    def replace(self, lines: Lines, number: int, text: str) -> None:
        lines.replace(number, text)

    def add(self, lines: Lines, text: str) -> None:
        """Add it before or after the last line that matches the pattern of the place, or at the end."""
        pattern = self.before if self.before is not None else self.after
        anchors = matching(pattern, lines.texts) if pattern not in (None, START, END) else []
        place = anchors[-1] + (self.before is None) if anchors else len(lines.texts)
        lines.insert(0 if self.before == START else place, text)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.line is None and (spec.ensure == PRESENT or spec.pattern is None):
        raise ProviderError(
            "`line` is required unless `ensure: absent` with a `pattern`", hint="write the line, such as `line: zram`"
        )
    if spec.line is not None and ("\n" in spec.line or "\r" in spec.line):
        raise ProviderError("`line` contains a line break", hint="write one line, without a line break at its end")
    if None not in (spec.before, spec.after):
        raise ProviderError("before and after exclude each other", hint="keep one of them")
    for pattern in (spec.pattern, spec.before, spec.after):
        checked_pattern(pattern or "")
    return spec


def thing(spec: Spec) -> Thing:
    text = as_value(spec.pattern or spec.line or "")
    return Thing("line", f"{text} in {spec.path}", "path", spec.path, part=text)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    return State(*found(system, spec))
