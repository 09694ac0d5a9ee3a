"""A symbolic link: present with its target, or absent. Owns the link at `path`, never its target."""

from typing import Literal

from attrs import field, frozen

from converge.errors import ProviderError
from converge.model import Change, Effect, Thing
from converge.providers.paths import LINK_KINDS, another_kind, checked_path, default_folder, kind_at
from converge.providers.protocol import ABSENT, NO_PARAMETER, PRESENT, SEEN, Declared, Params, Traits, values
from converge.system import ReadOnlySystem, System

traits = Traits(groups=(("ensure", "target"),), added="created")


@frozen
class Spec:
    path: str = field(converter=checked_path)
    target: str | None = None
    ensure: Literal["present", "absent"] = "present"


@frozen
class State:
    ensure: str
    kind: str | None = field(default=None, metadata=SEEN)
    target: str | None = None
    is_default: bool = field(default=False, metadata=NO_PARAMETER)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.ensure == PRESENT and not spec.target:
        raise ProviderError(
            f"`target` is missing for {spec.path}", hint="write the path that the link leads to as `target`"
        )
    return spec


def thing(spec: Spec) -> Thing:
    return Thing("symlink", spec.path, "path", spec.path, follow=False)


def declared(spec: Spec) -> Declared:
    return {"ensure": ABSENT} if spec.ensure == ABSENT else {"ensure": PRESENT, "target": spec.target}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    is_default = system.is_default_folder(system.resolve(spec.path, follow=False))
    kind = kind_at(system, spec.path)
    if kind is None:
        return State(ABSENT, is_default=is_default)
    return State(PRESENT, kind, system.read_link(spec.path), is_default)


def check(spec: Spec, state: State, changes: tuple[Change, ...]) -> None:
    if state.kind is not None and state.kind not in LINK_KINDS:
        raise another_kind(spec.path, state.kind, "symbolic link")
    if changes and spec.ensure == PRESENT and state.is_default:
        raise default_folder(spec.path)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    kind = kind_at(system, spec.path)
    if kind is not None and kind not in LINK_KINDS:
        raise another_kind(spec.path, kind, "symbolic link")
    if after.get("ensure") == ABSENT:
        system.remove(spec.path)
    elif after.get("target") is not None:
        if kind is None and "ensure" not in after:
            raise ProviderError(f"{spec.path} was removed during the run", hint="run converge again")
        system.make_link(spec.path, str(after["target"]))
    return ()
