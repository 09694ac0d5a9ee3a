"""The definition of a fact and of a probe, and the sources of their values."""

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from attrs import field, frozen

from converge.language.expressions import Found, Function, Type, takes
from converge.model import Event, Version
from converge.system import ReadOnlySystem

_T = TypeVar("_T")


@frozen
class Origin:
    """From the ledger: how the machine was installed, and the version that ran before this one."""

    installed_event: Event | None = None
    installed_version: Version | None = None
    previous_version: Version | None = None


@frozen
class Source:
    """The sources of facts. `system` is the root; `hardware` is the machine that converge runs on."""

    system: ReadOnlySystem
    hardware: ReadOnlySystem
    origin: Origin
    remembered: dict[str, object] = field(factory=dict)
    """Values that several facts need, so that each is read once."""

    def once(self, name: str, read: "Callable[[Source], _T]") -> _T:
        if name not in self.remembered:
            self.remembered[name] = read(self)
        return cast("_T", self.remembered[name])


@frozen
class Fact:
    """`hardware`: unknown under a foreign root, unless `--this-hardware` declares that the root will run here."""

    type: Type
    doc: str
    gather: Callable[[Source], Found] = field(eq=False)
    hardware: bool = False


@frozen
class Probe:
    """A fact with at most one argument. The value of a record is a mapping of its fields."""

    signature: str
    type: Type
    doc: str
    gather: Callable[..., Found] = field(eq=False)
    hardware: bool = False

    @property
    def takes_text(self) -> bool:
        return not self.signature.endswith("()")

    @property
    def function(self) -> Function:
        rule = takes(self.type, "text") if self.takes_text else takes(self.type)
        return Function(self.signature, self.doc, rule)


def text_of(system: ReadOnlySystem, path: str) -> str | None:
    """A small file of the system as text; None if it is absent."""
    data = system.read(path)
    return None if data is None else data.decode("utf-8", "replace")


def pairs(text: str, separator: str) -> Mapping[str, str]:
    """The keys and values of lines such as `key: value`; the first value of a key counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, separated, value = line.partition(separator)
        if separated:
            found.setdefault(key.strip(), value.strip())
    return found
