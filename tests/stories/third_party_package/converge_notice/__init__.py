"""A notice above the login prompt: owns /etc/issue.d/<name>.issue, which agetty(8) shows."""

from collections.abc import Mapping

from attrs import frozen

from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.protocol import ABSENT, PRESENT, Params, compare, every_field, values
from converge.system import ReadOnlySystem, System

TYPE = "notice"


@frozen
class Spec:
    name: str
    text: str = ""
    ensure: str = PRESENT

    @property
    def path(self) -> str:
        return f"/etc/issue.d/{self.name}.issue"


@frozen
class State:
    ensure: str
    text: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if "\\" in spec.text:
        raise ProviderError("a notice with a backslash says what the machine is", hint="take the backslash out")
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    return tuple(Claim("notice", spec.name, name, value) for name, value in _desired(spec).items())


def _desired(spec: Spec) -> dict[str, Value]:
    return {"ensure": ABSENT} if spec.ensure == ABSENT else {"ensure": PRESENT, "text": spec.text}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return every_field(State, Domain.DEPLOYMENT)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    found = system.read(spec.path)
    return State(ABSENT) if found is None else State(PRESENT, found.decode(errors="replace").removesuffix("\n"))


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    return compare(_desired(spec), state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if after.get("ensure") == ABSENT:
        system.remove(spec.path)
    elif isinstance(text := after.get("text"), str):
        system.write(spec.path, f"{text}\n".encode())
    return ()
