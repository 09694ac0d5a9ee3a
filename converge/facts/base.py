"""What facts are made of, and where they are looked for."""

from collections.abc import Callable, Mapping

from attrs import field, frozen

from converge.language.expressions import Found, Function, Type, takes
from converge.model import Event, Version
from converge.system import ReadOnlySystem


@frozen
class Origin:
    """What the ledger knows: how the machine began, and which version it ran before this one."""

    installed_event: Event | None = None
    installed_version: Version | None = None
    previous_version: Version | None = None


@frozen
class Source:
    """Where facts come from. `system` is the root's; `hardware` is the machine that converge runs on."""

    system: ReadOnlySystem
    hardware: ReadOnlySystem
    origin: Origin
    remembered: dict[str, object] = field(factory=dict)
    """What several facts are read from, so that it is read once."""

    def once(self, name: str, read: "Callable[[Source], object]") -> object:
        if name not in self.remembered:
            self.remembered[name] = read(self)
        return self.remembered[name]


@frozen
class Fact:
    """`hardware`: it is unknown under a foreign root, unless that root is said to run here."""

    type: Type
    doc: str
    gather: Callable[[Source], Found] = field(eq=False)
    hardware: bool = False


@frozen
class Probe:
    """A question with an argument, or with none. The result of a record is a mapping of its fields."""

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
    """A small file of the system as text, None where it is absent."""
    data = system.read(path)
    return None if data is None else data.decode("utf-8", "replace")


def pairs(text: str, separator: str) -> Mapping[str, str]:
    """The keys and values of lines such as `key: value`; of several, the first counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, separated, value = line.partition(separator)
        if separated:
            found.setdefault(key.strip(), value.strip())
    return found
