"""The provider code that `line` and `keyfile` share. Each adds only how it finds and writes its part.

Both own one part of a text file. A part may be on several lines: the last of them counts and is changed, and
`ensure: absent` removes them all. Both modules import the functions of the protocol from here; their `Spec` is a
`Part`. Both `State`s have the fields `ensure`, the text of the part, `record` and `missing`. `record` names the lines
that `ensure: absent` removes, with the address of the record that restores them; `missing` names the missing place of
the part: the file, or a group in it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from attrs import field, frozen

from converge.errors import ProviderError
from converge.formats.lines import Lines, numbers_at, places_of
from converge.model import Change, Effect, Value
from converge.providers.paths import checked_path
from converge.providers.protocol import ABSENT, PRESENT, Desired, values
from converge.system import ReadOnlySystem, System
from converge.system.contents import as_value, content_of, keep_text, text_of
from converge.system.store import address_of

MISSING_FILE = "file"


@frozen(kw_only=True)
class Part(ABC):
    """The parameters of both types, and the ways to find and change a part in the lines of its file."""

    text_field: ClassVar[str]
    """The name of the parameter and state field with the text of the part."""
    anywhere: ClassVar[bool]
    """Whether a line is the part at any place in the file."""
    path: str = field(converter=checked_path)
    ensure: Literal["present", "absent"] = "present"
    create: bool = False

    @property
    def text(self) -> str:
        """The declared text."""
        return getattr(self, self.text_field) or ""

    @abstractmethod
    def find(self, lines: Lines) -> Sequence[int]:
        """The numbers of the part's lines."""

    @abstractmethod
    def read(self, lines: Lines, number: int) -> str:
        """The text of the part in one of its lines."""

    @abstractmethod
    def replace(self, lines: Lines, number: int, text: str) -> None:
        """Set the text of the part in one of its lines."""

    @abstractmethod
    def add(self, lines: Lines, text: str) -> None:
        """Add a line with the part."""

    def missing_in(self, lines: Lines) -> str | None:  # noqa: ARG002  (for a line, only the file can be missing)
        """The thing to add to the file before the part."""
        return None

    def tidy(self, lines: Lines) -> None:  # noqa: B027  (for a line, only the file was missing)
        """Remove the thing that was added to the file before the part."""


def declared(spec: Part) -> dict[str, Value]:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    return {"ensure": PRESENT, spec.text_field: as_value(spec.text)}


def found(system: ReadOnlySystem, spec: Part) -> tuple[str, str | None, str | None, str | None]:
    """The values of the state, in the order of its fields."""
    data = system.read(spec.path)
    if data is None:
        return ABSENT, None, None, MISSING_FILE
    lines = Lines.parse(data)
    numbers = spec.find(lines)
    if not numbers:
        return ABSENT, None, None, spec.missing_in(lines)
    text = [spec.read(lines, number) for number in numbers][-1]
    record = f"{'line' if len(numbers) == 1 else 'lines'} {places_of(numbers)}: {address_of(lines.record(numbers))}"
    return PRESENT, as_value(text), record if spec.ensure == ABSENT else None, None


def desired(system: ReadOnlySystem, spec: Part, state: object) -> Desired:  # noqa: ARG001  (the protocol)
    """The declared fields, and those that undo needs."""
    more = (spec.text_field, "record") if spec.ensure == ABSENT else ("missing",)
    return {**declared(spec), **dict.fromkeys(more)}


def check(spec: Part, state: object, changes: tuple[Change, ...]) -> None:  # noqa: ARG001  (the protocol)
    if Change("missing", MISSING_FILE, None) in changes and not spec.create:
        hint = "write `create: true`, or let a `file` resource make it and name that in `needs`"
        raise ProviderError(f"{spec.path} does not exist", hint=hint)


def apply(system: System, spec: Part, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: Mapping[str, Any] = values(changes)
    data = system.read(spec.path)
    if not after or (data is None and after.get("ensure") == ABSENT):
        return ()
    if data is None and "missing" not in after:
        raise ProviderError(f"{spec.path} was removed during the run", hint="run converge again")
    data = _changed(system, spec, Lines.parse(data or b""), after).dump()
    if after.get("missing") == MISSING_FILE and not data:
        system.remove(system.resolve(spec.path))
    else:
        system.write(spec.path, data)
    return ()


def _changed(system: System, spec: Part, lines: Lines, after: Mapping[str, Any]) -> Lines:
    numbers = spec.find(lines)
    if after.get("ensure") == ABSENT:
        if numbers:
            keep_text(system, spec.read(lines, numbers[-1]))
            system.keep(lines.record(numbers))
            lines.remove(numbers)
        if after.get("missing"):
            spec.tidy(lines)
    elif after.get("record") and (restored := _restored(system, spec, lines, after["record"])):
        return restored
    elif spec.text_field in after:
        text = text_of(system, after[spec.text_field], spec.text)
        if not numbers:
            spec.add(lines, text)
        elif (former := spec.read(lines, numbers[-1])) != text:
            keep_text(system, former)
            spec.replace(lines, numbers[-1], text)
    return lines


def _restored(system: ReadOnlySystem, spec: Part, lines: Lines, record: str) -> Lines | None:
    """The lines with those of a record restored, if missing; None if they would not be the part at their places.

    The record has the places at the time of its inspection: others may have changed the file since.
    """
    places, _, address = record.partition(" ")[2].partition(": ")
    if address_of(lines.record(spec.find(lines))) == address:
        return lines
    restored = Lines.parse(lines.dump())
    restored.put_back(content_of(system, None, address), numbers_at(places))
    is_part = spec.anywhere or address_of(restored.record(spec.find(restored))) == address
    return restored if is_part else None
