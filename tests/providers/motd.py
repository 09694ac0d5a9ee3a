"""A provider of a third party, as a module and as an object, for the tests of the registry."""

from types import ModuleType

from attrs import frozen

from converge.model import Change, Effect, Thing
from converge.providers.protocol import AnySource, Declared, Traits, values
from converge.system import ReadOnlySystem, System

SOURCE = """
from attrs import frozen

from converge.errors import Later, ProviderError
from converge.model import Depends, Domain, Phase, Thing
from converge.providers.protocol import Traits, values

traits = Traits(added="created")


@frozen
class Spec:
    text: str
    ensure: str = "present"


@frozen
class State:
    ensure: str
    text: str | None = None


def thing(spec):
    return Thing("message", "of the day", "path", "/etc/motd")


def declared(spec):
    return {"ensure": "absent"} if spec.ensure == "absent" else {"ensure": "present", "text": spec.text}


def inspect(system, spec):
    data = system.read("/etc/motd")
    return State("absent") if data is None else State("present", data.decode())


def apply(system, spec, changes):
    after = values(changes)
    if after.get("ensure") == "absent":
        system.remove("/etc/motd")
    elif "text" in after:
        system.write("/etc/motd", after["text"].encode())
    return ()
"""
BUG = "this is a bug in the provider of 'motd': report it"


def made(more: str = "", without: str = "") -> ModuleType:
    """The module with more code, which may override its names, or without one of its names."""
    module = ModuleType("motd")
    exec(compile(SOURCE + more, "motd.py", "exec"), vars(module))
    if without:
        delattr(module, without)
    return module


class Motd:
    """The same provider as an object."""

    traits = Traits(added="created")

    @frozen
    class Spec:
        text: str
        ensure: str = "present"

    @frozen
    class State:
        ensure: str
        text: str | None = None

    def thing(self, spec: Spec) -> Thing:  # noqa: ARG002  (the protocol)
        return Thing("message", "of the day", "path", "/etc/motd")

    def declared(self, spec: Spec) -> Declared:
        return {"ensure": "absent"} if spec.ensure == "absent" else {"ensure": "present", "text": spec.text}

    def inspect(self, system: ReadOnlySystem, spec: Spec) -> State:  # noqa: ARG002  (the protocol)
        data = system.read("/etc/motd")
        return self.State("absent") if data is None else self.State("present", data.decode())

    def apply(self, system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:  # noqa: ARG002  (the protocol)
        after = values(changes)
        if after.get("ensure") == "absent":
            system.remove("/etc/motd")
        elif "text" in after:
            system.write("/etc/motd", str(after["text"]).encode())
        return ()


AN_OBJECT: AnySource = Motd()
