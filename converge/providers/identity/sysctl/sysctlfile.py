"""Files of kernel parameters, `key = value` (sysctl.d(5)), and the meaning of their keys.

A parameter is named by its path below /proc/sys. In a key, slashes separate; but if the first separator is a dot, dots
and slashes are swapped. A `-` before a key means that the kernel may refuse it.
"""

from collections.abc import Iterator

from attrs import define, frozen

from converge.formats.lines import Lines

_COMMENT = ("#", ";")
_SWAPPED = str.maketrans("./", "/.")


@frozen
class Assignment:
    """A line that sets a parameter; `before` is the text in front of the value."""

    number: int
    parameter: str
    before: str
    value: str


def parameter_of(key: str) -> str:
    """The path below /proc/sys that a key names."""
    key = key.strip().removeprefix("-").strip()
    separator = next((character for character in key if character in "./"), "/")
    return key.translate(_SWAPPED) if separator == "." else key


def dotted(parameter: str) -> str:
    """A parameter as a key with dots; a dot in the name of an interface becomes a slash."""
    return parameter.translate(_SWAPPED)


def plain(value: str) -> str:
    """A value with single spaces: the kernel accepts any white space between numbers."""
    return " ".join(value.split())


@define
class Sysctlfile:
    """A file of parameters in memory; `set` and `unset` change it in place."""

    lines: Lines

    @classmethod
    def parse(cls, data: bytes) -> "Sysctlfile":
        return cls(Lines.parse(data))

    def dump(self) -> bytes:
        return self.lines.dump()

    def find(self, parameter: str) -> Assignment | None:
        """The assignment that counts: the last one."""
        return next((each for each in reversed(list(self._all())) if each.parameter == parameter), None)

    def set(self, parameter: str, key: str, value: str) -> None:
        """Set the value in the parameter's line, or add a line with `key` at the end."""
        found = self.find(parameter)
        if found is None:
            self.lines.insert(len(self.lines.texts), f"{key} = {value}".rstrip())
        elif found.value != value:
            self.lines.replace(found.number, f"{found.before}{value}")

    def unset(self, parameter: str) -> None:
        self.lines.remove([each.number for each in self._all() if each.parameter == parameter])

    def _all(self) -> Iterator[Assignment]:
        for number, text in enumerate(self.lines.texts):
            key, equals, right = text.partition("=")
            if equals and not text.lstrip().startswith(_COMMENT):
                space = right[: len(right) - len(right.lstrip())]
                yield Assignment(number, parameter_of(key), f"{key}={space}", plain(right))
