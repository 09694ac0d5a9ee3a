"""A symbolic link: there, leading where it is to lead, or gone. Owns the link at `path`, never what it leads to."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect
from converge.providers.protocol import (
    ABSENT,
    DERIVED,
    LINK_KINDS,
    PRESENT,
    SEEN,
    Params,
    another_kind,
    checked_path,
    compare,
    default_folder,
    domain_of_path,
    every_field,
    kind_at,
    values,
)
from converge.system import ReadOnlySystem, System

TYPE = "symlink"
GROUPS = (("ensure", "target"),)


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
    is_default: bool = field(default=False, metadata=DERIVED)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.ensure == PRESENT and not spec.target:
        raise ProviderError(f"{spec.path} has no target", hint="say where the link leads with `target`")
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    wanted = {"ensure": ABSENT} if spec.ensure == ABSENT else {"ensure": PRESENT, "target": spec.target}
    return tuple(Claim("path", spec.path, name, value) for name, value in wanted.items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return every_field(State, domain_of_path(system, spec.path, follow=False))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    is_default = system.is_default_folder(system.resolve(spec.path, follow=False))
    kind = kind_at(system, spec.path)
    if kind is None:
        return State(ABSENT, is_default=is_default)
    return State(PRESENT, kind, system.read_link(spec.path), is_default)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if state.kind is not None and state.kind not in LINK_KINDS:
        raise another_kind(spec.path, state.kind, "symbolic link")
    changes = compare({"ensure": spec.ensure, "target": spec.target}, state)
    if changes and spec.ensure == PRESENT and state.is_default:
        raise default_folder(spec.path)
    return changes


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    kind = kind_at(system, spec.path)
    if kind is not None and kind not in LINK_KINDS:
        raise another_kind(spec.path, kind, "symbolic link")
    if after.get("ensure") == ABSENT:
        system.remove(spec.path)
    elif after.get("target") is not None:
        if kind is None and "ensure" not in after:
            raise ProviderError(f"{spec.path} is gone", hint="somebody removed it meanwhile; run converge again")
        system.make_link(spec.path, str(after["target"]))
    return ()
