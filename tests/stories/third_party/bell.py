"""A third party's type that follows others: each time one of them has changed, a line is added to /var/bell."""

from attrs import evolve, field, frozen

from converge.errors import ProviderError
from converge.model import Change, Depends, Domain, Effect, Thing
from converge.providers.protocol import NO_PARAMETER, Declared, Desired, Traits
from converge.system import ReadOnlySystem, System

traits = Traits(domain=Domain.MACHINE, unprotected=("rung",))

BELL = "/var/bell"


@frozen
class Spec:
    after_change: tuple[str, ...]
    fault: str = ""
    changed: tuple[str, ...] = field(default=(), metadata=NO_PARAMETER)


@frozen
class State:
    """A bell that has rung leaves no state."""

    rung: str | None = None


def thing(spec: Spec) -> Thing:  # noqa: ARG001  (the protocol)
    return Thing("bell", BELL, "bell", BELL)


def declared(spec: Spec) -> Declared:  # noqa: ARG001  (the protocol)
    return {"rung": Depends.ON_MACHINE}


def notified(spec: Spec, ids: tuple[str, ...]) -> Spec:
    return evolve(spec, changed=ids)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:  # noqa: ARG001  (the protocol)
    return State()


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:  # noqa: ARG001  (the protocol)
    return {"rung": f"after {', '.join(spec.changed)}"} if spec.changed else {}


def idle(spec: Spec, state: State) -> str:  # noqa: ARG001  (the protocol)
    return "nothing that it follows has changed"


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    if spec.fault and system.stat(spec.fault):
        raise ProviderError("the bell is broken")
    for change in changes:
        system.append(BELL, f"{change.after}\n".encode(), sync=True)
    return ()
