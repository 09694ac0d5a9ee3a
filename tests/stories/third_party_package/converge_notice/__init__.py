"""A notice above the login prompt. Owns /etc/issue.d/<name>.issue, which agetty(8) shows."""

from attrs import frozen

from converge.errors import ProviderError
from converge.model import Change, Effect, Thing
from converge.providers.protocol import ABSENT, PRESENT, Declared, Params, Traits, values
from converge.system import ReadOnlySystem, System

traits = Traits(groups=(("ensure", "text"),), added="created")


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
        raise ProviderError(
            "the text of a notice must not contain a backslash: it would show facts of the machine", hint="remove it"
        )
    return spec


def thing(spec: Spec) -> Thing:
    return Thing("notice", spec.name, "notice", spec.name, stored_in=spec.path)


def declared(spec: Spec) -> Declared:
    return {"ensure": ABSENT} if spec.ensure == ABSENT else {"ensure": PRESENT, "text": spec.text}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    found = system.read(spec.path)
    return State(ABSENT) if found is None else State(PRESENT, found.decode(errors="replace").removesuffix("\n"))


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if after.get("ensure") == ABSENT:
        system.remove(spec.path)
    elif isinstance(text := after.get("text"), str):
        system.write(spec.path, f"{text}\n".encode())
    return ()
