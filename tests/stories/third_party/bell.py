"""A third party's type that follows others: each time one of them has changed, a line is added to /var/bell."""

from collections.abc import Mapping

from attrs import evolve, field, frozen

from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect
from converge.providers.protocol import DERIVED, Params
from converge.system import ReadOnlySystem, System

TYPE = "bell"
BELL = "/var/bell"
OURS = ("rung",)


@frozen
class Spec:
    after_change: tuple[str, ...]
    fault: str = ""
    changed: tuple[str, ...] = field(default=(), metadata=DERIVED)


@frozen
class State:
    rung: str | None = None


def parse(params: Params) -> Spec:
    return Spec(**params)


def notified(spec: Spec, ids: tuple[str, ...]) -> Spec:
    return evolve(spec, changed=ids)


def idle(spec: Spec, state: State) -> str:  # noqa: ARG001  (the protocol)
    return "nothing that it follows has changed"


def claims(spec: Spec) -> tuple[Claim, ...]:  # noqa: ARG001  (the protocol)
    return (Claim("bell", BELL, "rung"),)


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return {"rung": Domain.MACHINE}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:  # noqa: ARG001  (the protocol)
    return State()


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    return (Change("rung", state.rung, f"after {', '.join(spec.changed)}"),) if spec.changed else ()


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    if spec.fault and system.stat(spec.fault):
        raise ProviderError("the bell is broken")
    for change in changes:
        system.append(BELL, f"{change.after}\n".encode(), sync=True)
    return ()
