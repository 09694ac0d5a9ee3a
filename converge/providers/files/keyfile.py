"""A key in an INI-like file. Owns the value of `key` in `group` of the file at `path`, or before all groups.

Values are literal: write escapes and quotes as the file's own dialect requires. If a key is set several times, the last
line counts and is changed, and `ensure: absent` removes them all. Comments, order, and undeclared groups and keys stay
exactly as they are, and so does the style of a line whose value changes.
"""

from typing import ClassVar

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.ini import Inifile
from converge.formats.lines import Lines
from converge.model import Thing
from converge.providers.files.editing import Part, apply, check, declared, desired, found
from converge.providers.protocol import PRESENT, Params, Traits
from converge.system import ReadOnlySystem

__all__ = ["Spec", "State", "apply", "check", "declared", "desired", "inspect", "parse", "thing", "traits"]

traits = Traits(groups=(("ensure", "value", "record", "missing"),))

MISSING_GROUP = "group"


@frozen
class State:
    ensure: str
    value: str | None = None
    record: str | None = None
    missing: str | None = None


@frozen(kw_only=True)
class Spec(Part):
    text_field: ClassVar[str] = "value"
    anywhere: ClassVar[bool] = False  # a line restored in another group would set another key
    key: str
    group: str | None = None
    value: str | None = None

    def find(self, lines: Lines) -> list[int]:
        return Inifile(lines).find(self.group, self.key)

    def read(self, lines: Lines, number: int) -> str:
        value = Inifile(lines).value(number)
        if value is None:
            message = f"{self.path}:{number + 1}: the value of '{self.key}' continues in the next line"
            raise ProviderError(message, hint="put it on one line first, or declare the whole file as a `file`")
        return value

    def replace(self, lines: Lines, number: int, text: str) -> None:
        Inifile(lines).set_value(number, text)

    def add(self, lines: Lines, text: str) -> None:
        Inifile(lines).add(self.group, self.key, text)
        if not self.find(lines):
            message = f"the last line of {self.path} ends in a backslash, so a new line would continue it"
            raise ProviderError(message, hint="remove the backslash")

    def missing_in(self, lines: Lines) -> str | None:
        return None if self.group is None or Inifile(lines).has_group(self.group) else MISSING_GROUP

    def tidy(self, lines: Lines) -> None:
        if self.group is not None:
            Inifile(lines).remove_group_if_empty(self.group)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.value is None and spec.ensure == PRESENT:
        raise ProviderError(f"`value` is missing for '{spec.key}'", hint="write `value`, or `ensure: absent`")
    written = Inifile.parse(f"[{spec.group or ''}]\n{spec.key}={spec.value or ''}".encode())
    numbers = written.find(spec.group, spec.key)
    if not numbers or written.value(numbers[-1]) != (spec.value or ""):
        hint = (
            "write group, key and value without line break or surrounding space, "
            "the key without '=', and the value without a backslash at its end"
        )
        raise ProviderError(f"'{spec.key}' cannot be written with this group, key and value", hint=hint)
    return spec


def thing(spec: Spec) -> Thing:
    key = spec.key if spec.group is None else f"[{spec.group}] {spec.key}"
    return Thing("", f"{spec.path} {key}", "path", spec.path, part=key)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    return State(*found(system, spec))
