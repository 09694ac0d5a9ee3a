"""Facts: typed, read-only, gathered lazily, and each at most once.

Under a foreign root, facts about hardware, kernel and network are unknown, unless `--this-hardware` declares that the
root will run here. A fact that is given (`--facts FILE`) is never gathered.
"""

from collections.abc import Iterable, Mapping, Sequence

from attrs import Factory, evolve, field, frozen

from converge.errors import ConvergeError
from converge.facts import disks, hardware, software
from converge.facts.fact import Fact, Origin, Probe, Source
from converge.facts.given import Given, read_given
from converge.language.expressions import CONSTANTS, FUNCTIONS, SIZE, Found, Scope, evaluate, parse_expression
from converge.model import Secret, Unknown, Value, Version
from converge.system import ReadOnlySystem

__all__ = ["FACTS", "PROBES", "Fact", "Facts", "Origin", "Probe", "deployment_identity", "scope"]

FACTS: Mapping[str, Fact] = {**hardware.FACTS, **disks.FACTS, **software.FACTS}
PROBES: Mapping[str, Probe] = {**software.PROBES, **disks.PROBES}


def scope() -> Scope:
    """The names that every product's expressions may use; a product adds its parameters, and `for_each` adds `item`."""
    names = {**{name: fact.type for name, fact in FACTS.items()}, **dict.fromkeys(CONSTANTS, SIZE)}
    return Scope(names, {**FUNCTIONS, **{name: probe.function for name, probe in PROBES.items()}})


def deployment_identity(system: ReadOnlySystem, values: Mapping[str, Value] | None = None) -> tuple[str, str]:
    """The identity of this deployment (its ostree commit; without ostree, its OS version), and its OS version."""
    given = read_given(values or {}, FACTS, PROBES).facts
    version = given.get("os.version", Version(software.os_version(system)))
    text = version.text or "" if isinstance(version, Version) else ""
    commit = given["deployment.checksum"] if "deployment.checksum" in given else software.checksum(system)
    return (commit if isinstance(commit, str) else text), text


@frozen
class Facts:
    """The environment of expressions: facts, probes, constants, parameters, `item`."""

    system: ReadOnlySystem
    origin: Origin = Factory(Origin)
    given: Mapping[str, Value] = field(factory=dict)
    parameters: Mapping[str, "Value | Secret | Version"] = field(factory=dict)
    item: Value = None
    _source: Source = field()
    _supplied: Given = field()
    _known: dict[object, Found] = field(factory=dict)

    @_source.default
    def _default_source(self) -> Source:
        return Source(self.system, self.system.hardware, self.origin)

    @_supplied.default
    def _default_supplied(self) -> Given:
        return read_given(self.given, FACTS, PROBES)

    def with_item(self, item: Value) -> "Facts":
        """The same facts, with all gathered values, and with the `item` of a `for_each`."""
        return evolve(self, item=item)

    def name(self, path: tuple[str, ...]) -> Found:
        """The value of a dotted name. Raises ConvergeError if the name does not exist."""
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
        """The result of a probe. Raises ConvergeError if the probe does not exist or does not take the arguments."""
        probe = PROBES.get(name)
        if probe is None:
            raise ConvergeError(f"there is no function or probe '{name}'")
        _require_arguments(name, probe, arguments)
        key = (name, tuple(arguments))
        if key not in self._known:
            self._known[key] = self._probe(name, probe, arguments)
        return self._known[key]

    def gather(self, names: Iterable[str]) -> dict[str, Found]:
        """The values of facts, of groups of facts, and of calls of probes."""
        requested = [each for name in names for each in ([name] if name in FACTS else _group(name) or [name])]
        return {name: evaluate(parse_expression(name), self) for name in requested}

    def _fact(self, dotted: str) -> Found:
        if dotted in self._supplied.facts:
            return self._supplied.facts[dotted]
        if dotted not in self._known:
            self._known[dotted] = self._gathered(dotted, FACTS[dotted], ())
        return self._known[dotted]

    def _probe(self, name: str, probe: Probe, arguments: Sequence[Found]) -> Found:
        given = self._supplied.probes.get((name, tuple(arguments)))
        if given is not None and not isinstance(given, Mapping):
            return given
        if given is not None and set(given) == set(probe.type.fields):
            return given
        found = self._gathered(f"{name}(...)", probe, arguments)
        if given is None:
            return found
        rest = found if isinstance(found, Mapping) else dict.fromkeys(probe.type.fields, found)
        return {**rest, **given}

    def _gathered(self, shown: str, fact: Fact | Probe, arguments: Sequence[Found]) -> Found:
        if not fact.hardware:
            return fact.gather(self._source, *arguments)
        if not self.system.this_hardware:
            return Unknown(f"{shown} is unknown under --root (--this-hardware supplies it)")
        try:
            return fact.gather(self._source, *arguments)
        except (ConvergeError, LookupError, ValueError) as error:  # another kernel may use another format in /proc
            return Unknown(f"{shown} is unknown: {error}")


def _group(name: str) -> list[str]:
    return [fact for fact in FACTS if fact.startswith(f"{name}.")]


def _require_arguments(name: str, probe: Probe, arguments: Sequence[Found]) -> None:
    if len(arguments) != probe.takes_text or not all(isinstance(argument, str) for argument in arguments):
        raise ConvergeError(f"the arguments of {name} are wrong", hint=f"write {probe.signature}")
    takes_path = "(path)" in probe.signature or "(pattern)" in probe.signature
    if takes_path and not str(arguments[0]).startswith("/"):
        raise ConvergeError(f"{name} requires an absolute path, not '{arguments[0]}'", hint="begin it with '/'")
