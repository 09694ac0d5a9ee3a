"""A third party's type whose settings count from the next boot on: how hot an oven is, and how hot it is to become."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from converge.errors import Later
from converge.model import Change, Claim, Domain, Effect
from converge.providers.protocol import DERIVED, Params, compare, every_field, values
from converge.system import ReadOnlySystem, System

TYPE = "oven"
SETTING, HEAT = "/etc/oven", "/var/heat"


@frozen
class Spec:
    degrees: int


@frozen
class State:
    degrees: int | None
    heat: int | None = field(default=None, metadata=DERIVED)


def parse(params: Params) -> Spec:
    return Spec(**params)


def claims(spec: Spec) -> tuple[Claim, ...]:
    return (Claim("oven", SETTING, "degrees", spec.degrees),)


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return every_field(State, Domain.DEPLOYMENT)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:  # noqa: ARG001  (the protocol)
    return State(_number(system, SETTING), _number(system, HEAT))


def _number(system: ReadOnlySystem, path: str) -> int | None:
    said = system.read(path)
    return None if said is None else int(said)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    changes = compare({"degrees": spec.degrees}, state)
    if not changes and state.heat != spec.degrees:
        raise Later(f"it has {state.heat} degrees until the next boot", "reboot")
    return changes


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:  # noqa: ARG001  (the protocol)
    after: Mapping[str, Any] = values(changes)
    if "degrees" in after:
        system.write(SETTING, f"{after['degrees']}".encode())
    return ()
