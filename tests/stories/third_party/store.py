"""A third party's type whose state lives in both domains: a store in /var, and the unit in /etc that opens it.

`fault` names a function of this provider that has a bug, `phase` the phase in which the changes can be made.
"""

from collections.abc import Mapping

from attrs import frozen

from converge.model import Change, Domain, Effect, EffectKind, Phase, Thing
from converge.providers.protocol import ABSENT, PRESENT, Declared, Params, Traits, values
from converge.system import ReadOnlySystem, System

traits = Traits(added="created")

STORE, UNIT = "/var/store", "/etc/store.mount"


@frozen
class Spec:
    size: str
    fault: str = ""
    phase: str = "boot"

    def fail_in(self, function: str) -> None:
        if self.fault == function:
            raise ZeroDivisionError("a provider divides by zero")


@frozen
class State:
    ensure: str
    size: str | None = None
    unit: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    spec.fail_in("parse")
    return spec


def thing(spec: Spec) -> Thing:
    spec.fail_in("thing")
    return Thing("store", STORE, "store", STORE)


def declared(spec: Spec) -> Declared:
    spec.fail_in("declared")
    return {"ensure": PRESENT, "size": spec.size, "unit": spec.size}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    spec.fail_in("domains")
    return {"ensure": Domain.MACHINE, "size": Domain.MACHINE, "unit": Domain.DEPLOYMENT}


def phase(spec: Spec, changes: tuple[Change, ...]) -> Phase:  # noqa: ARG001  (the protocol)
    return Phase(spec.phase)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    spec.fail_in("inspect")
    size, unit = _text(system, STORE), _text(system, UNIT)
    return State(ABSENT if size is None else PRESENT, size, unit)


def _text(system: ReadOnlySystem, path: str) -> str | None:
    data = system.read(path)
    return None if data is None else data.decode()


def check(spec: Spec, state: State, changes: tuple[Change, ...]) -> None:  # noqa: ARG001  (the protocol)
    spec.fail_in("check")


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if after.get("size"):
        system.write(STORE, str(after["size"]).encode())
    spec.fail_in("apply")
    if after.get("unit"):
        system.write(UNIT, str(after["unit"]).encode())
    return (Effect(EffectKind.DAEMON_RELOAD),) if "unit" in after else ()
