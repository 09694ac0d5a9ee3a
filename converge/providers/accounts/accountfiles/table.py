"""Users and groups as values, and their files, line by line."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

from attrs import define, frozen

from converge.errors import ProviderError
from converge.system import ReadOnlySystem

PASSWD, GROUP, SHADOW, GSHADOW = "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"
NOLOGIN = "/usr/sbin/nologin"

Kind: TypeAlias = Literal["user", "group"]
FILES: dict[Kind, str] = {"user": PASSWD, "group": GROUP}
SECRETS: dict[Kind, str] = {"user": SHADOW, "group": GSHADOW}
NUMBERS: dict[Kind, str] = {"user": "uid", "group": "gid"}
HIGHEST = 999
"""The numbers of people begin above this one, even if login.defs(5) sets a higher limit."""
_WIDTHS = {PASSWD: 7, GROUP: 4, SHADOW: 9, GSHADOW: 4}
_LONGEST_NUMBER = 10  # digits
_NIS = ("+", "-")
"""Lines that begin so refer to accounts elsewhere; they must be the last ones (nsswitch.conf(5), compat)."""


@frozen
class User:
    """A line of passwd(5), with the defaults of sysusers.d(5)."""

    name: str
    id: int
    gid: int
    description: str = ""
    home: str = "/"
    shell: str = NOLOGIN


@frozen
class Group:
    """A line of group(5)."""

    name: str
    id: int
    members: tuple[str, ...] = ()


@define
class Table:
    """One file in memory. Of several lines with one name the first counts; malformed lines stay as they are."""

    width: int
    exists: bool
    lines: list[str]
    changed: bool = False

    @classmethod
    def load(cls, system: ReadOnlySystem, path: str) -> "Table":
        data = system.read(path)
        text = (data or b"").decode("utf-8", "surrogateescape").removesuffix("\n")
        width = _WIDTHS["/etc/" + path.rpartition("/")[2]]
        return cls(width, data is not None, text.split("\n") if text else [])

    def dump(self) -> bytes:
        return "".join(f"{line}\n" for line in self.lines).encode("utf-8", "surrogateescape")

    def rows(self) -> Iterator[list[str]]:
        for line in self.lines:
            if line and not line.startswith(("#", *_NIS)):
                yield [*line.split(":"), *[""] * self.width][: self.width]

    def get(self, name: str) -> list[str] | None:
        return next((row for row in self.rows() if row[0] == name), None)

    def put(self, row: list[str]) -> None:
        """Set the line of a name, or add one."""
        line, named = ":".join(row), self._lines_of(row[0])
        if not named:
            end = next((at for at, other in enumerate(self.lines) if other.startswith(_NIS)), len(self.lines))
            self.lines.insert(end, line)
        elif self.lines[named[0]] != line:
            self.lines[named[0]] = line
        else:
            return
        self.changed = True

    def drop(self, name: str) -> None:
        for at in reversed(self._lines_of(name)):
            del self.lines[at]
            self.changed = True

    def _lines_of(self, name: str) -> list[int]:
        return [at for at, line in enumerate(self.lines) if line.partition(":")[0] == name]


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER


def require_system_number(kind: Kind, name: str, number: int | None, highest: int = HIGHEST) -> None:
    """ProviderError for a number that no new system account can have."""
    if number is not None and not 0 < number <= highest:
        word = NUMBERS[kind]
        message = f"the {word} {number} for '{name}' is not a system {word}: the highest is {highest}"
        raise ProviderError(message, hint=f"choose a lower one, or remove `{word}` to use the next free one")


def require_changeable(kind: Kind, name: str, number: int) -> None:
    """ProviderError for root's accounts."""
    if number == 0:
        message = f"the {kind} '{name}' has the {NUMBERS[kind]} 0: root's accounts are never changed or removed"
        raise ProviderError(message, hint="declare another account")
