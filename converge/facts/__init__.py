"""Facts: typed, read-only, gathered lazily, and each at most once.

Under a foreign root, what depends on hardware, kernel or network is unknown, unless the system says that the root will
run here. What is given outright (`--facts FILE`) is never gathered.
"""

from collections.abc import Iterable, Mapping, Sequence

from attrs import Factory, evolve, field, frozen

from converge.errors import ConvergeError
from converge.facts import disks, hardware, software
from converge.facts.base import Fact, Origin, Probe, Source
from converge.facts.given import Given, read_given
from converge.language.expressions import CONSTANTS, FUNCTIONS, SIZE, Found, Scope, evaluate, parse_expression
from converge.model import Secret, Unknown, Value, Version
from converge.system import ReadOnlySystem

__all__ = ["FACTS", "PROBES", "Fact", "Facts", "Origin", "Probe", "deployment_identity", "scope"]

FACTS: Mapping[str, Fact] = {**hardware.FACTS, **disks.FACTS, **software.FACTS}
PROBES: Mapping[str, Probe] = {**software.PROBES, **disks.PROBES}


def scope() -> Scope:
    """Everything that an expression may name in any product: to it come the product's parameters, and `item`."""
    names = {**{name: fact.type for name, fact in FACTS.items()}, **dict.fromkeys(CONSTANTS, SIZE)}
    return Scope(names, {**FUNCTIONS, **{name: probe.function for name, probe in PROBES.items()}})


def deployment_identity(system: ReadOnlySystem, values: Mapping[str, Value] | None = None) -> tuple[str, str]:
    """What tells this deployment from others, and its OS version: the ostree commit, or without ostree the version."""
    told = read_given(values or {}, FACTS, PROBES).facts
    version = told.get("os.version", Version(software.os_version(system)))
    text = version.text or "" if isinstance(version, Version) else ""
    commit = told["deployment.checksum"] if "deployment.checksum" in told else software.checksum(system)
    return (commit if isinstance(commit, str) else text), text


@frozen
class Facts:
    """The environment that expressions are evaluated in: facts, probes, constants, parameters, `item`."""

    system: ReadOnlySystem
    origin: Origin = Factory(Origin)
    given: Mapping[str, Value] = field(factory=dict)
    parameters: Mapping[str, "Value | Secret | Version"] = field(factory=dict)
    item: Value = None
    _source: Source = field()
    _told: Given = field()
    _known: dict[object, Found] = field(factory=dict)

    @_source.default
    def _default_source(self) -> Source:
        return Source(self.system, self.system.hardware, self.origin)

    @_told.default
    def _default_told(self) -> Given:
        return read_given(self.given, FACTS, PROBES)

    def with_item(self, item: Value) -> "Facts":
        """The same facts, and what is gathered of them, with the `item` of a `for_each`."""
        return evolve(self, item=item)

    def name(self, path: tuple[str, ...]) -> Found:
        """The value of a dotted name. Raises ConvergeError for one that means nothing."""
        dotted = ".".join(path)
        if dotted in FACTS:
            return self._fact(dotted)
        found: Found = {**CONSTANTS, **self.parameters, "item": self.item}
        for part in path:
            if not isinstance(found, Mapping) or part not in found:
                raise ConvergeError(f"there is no fact or parameter '{dotted}'")
            found = found[part]
        return found

    def call(self, name: str, arguments: Sequence[Found]) -> Found:
        """What a probe finds. Raises ConvergeError for an argument that it cannot take."""
        probe = PROBES.get(name)
        if probe is None:
            raise ConvergeError(f"there is no function or probe '{name}'")
        _require_arguments(name, probe, arguments)
        asked = (name, tuple(arguments))
        if asked not in self._known:
            self._known[asked] = self._probe(name, probe, arguments)
        return self._known[asked]

    def gather(self, names: Iterable[str]) -> dict[str, Found]:
        """Facts by their names, groups of them, or probes as they are called."""
        wanted = [each for name in names for each in ([name] if name in FACTS else _group(name) or [name])]
        return {name: evaluate(parse_expression(name), self) for name in wanted}

    def _fact(self, dotted: str) -> Found:
        if dotted in self._told.facts:
            return self._told.facts[dotted]
        if dotted not in self._known:
            self._known[dotted] = self._gathered(dotted, FACTS[dotted], ())
        return self._known[dotted]

    def _probe(self, name: str, probe: Probe, arguments: Sequence[Found]) -> Found:
        told = self._told.probes.get((name, tuple(arguments)))
        if told is not None and not isinstance(told, Mapping):
            return told
        if told is not None and set(told) == set(probe.type.fields):
            return told
        found = self._gathered(f"{name}(...)", probe, arguments)
        if told is None:
            return found
        rest = found if isinstance(found, Mapping) else dict.fromkeys(probe.type.fields, found)
        return {**rest, **told}

    def _gathered(self, shown: str, fact: Fact | Probe, arguments: Sequence[Found]) -> Found:
        if not fact.hardware:
            return fact.gather(self._source, *arguments)
        if not self.system.this_hardware:
            return Unknown(f"{shown} is unknown under a foreign root")
        try:
            return fact.gather(self._source, *arguments)
        except (ConvergeError, LookupError, ValueError) as error:  # what a kernel says in /proc may be put otherwise
            return Unknown(f"{shown} is unknown: {error}")


def _group(name: str) -> list[str]:
    return [fact for fact in FACTS if fact.startswith(f"{name}.")]


def _require_arguments(name: str, probe: Probe, arguments: Sequence[Found]) -> None:
    if len(arguments) != probe.takes_text or not all(isinstance(argument, str) for argument in arguments):
        raise ConvergeError(f"{name} cannot be called so", hint=f"write {probe.signature}")
    takes_path = "(path)" in probe.signature or "(pattern)" in probe.signature
    if takes_path and not str(arguments[0]).startswith("/"):
        raise ConvergeError(f"{name} wants an absolute path, not '{arguments[0]}'", hint="begin it with '/'")
