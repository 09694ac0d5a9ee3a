"""A third party's type whose settings take effect at the next boot: the set temperature, and the present one."""

from attrs import field, frozen

from converge.errors import Later
from converge.model import Change, Domain, Effect, Thing
from converge.providers.protocol import NO_PARAMETER, Declared, Traits, values
from converge.system import ReadOnlySystem, System

traits = Traits(domain=Domain.DEPLOYMENT)

SETTING, HEAT = "/etc/oven", "/var/heat"


@frozen
class Spec:
    degrees: int


@frozen
class State:
    degrees: int | None
    heat: int | None = field(default=None, metadata=NO_PARAMETER)
    """Not a property that can be declared: `check` needs it."""


def thing(spec: Spec) -> Thing:  # noqa: ARG001  (the protocol)
    return Thing("oven", SETTING, "oven", SETTING)


def declared(spec: Spec) -> Declared:
    return {"degrees": spec.degrees}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:  # noqa: ARG001  (the protocol)
    return State(_number(system, SETTING), _number(system, HEAT))


def _number(system: ReadOnlySystem, path: str) -> int | None:
    data = system.read(path)
    return None if data is None else int(data)


def check(spec: Spec, state: State, changes: tuple[Change, ...]) -> None:
    if not changes and state.heat != spec.degrees:
        raise Later(f"it has {state.heat} degrees until the next boot", "reboot")


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:  # noqa: ARG001  (the protocol)
    after = values(changes)
    if "degrees" in after:
        system.write(SETTING, f"{after['degrees']}".encode())
    return ()
