"""A regular file: its content, mode and owner. Owns the file at `path`; a link there is followed inside the root.

With `merge: three-way` it also owns `<path>.converge-new`; `content.py` says what such a file is to hold.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from converge.errors import ProviderError
from converge.formats.modes import mode_text, parse_mode
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.files.file import content
from converge.providers.files.file.base import Spec
from converge.providers.protocol import (
    ABSENT,
    DERIVED,
    PRESENT,
    Attributes,
    Params,
    compare,
    domain_of_path,
    every_field,
    group_as_asked,
    owner_as_asked,
    values,
)
from converge.system import ReadOnlySystem, System
from converge.system.store import address_of

__all__ = ["FILES", "TYPE", "Spec", "State", "apply", "claims", "diff", "domains", "inspect", "parse"]

TYPE = "file"
FILES = ("source", "template")

NEW_MODE = 0o644


@frozen
class State:
    ensure: str
    content: str | None = None
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    wanted: str | None = field(default=None, metadata=DERIVED)
    """What the file is to hold: a source may be on the machine, and a merge starts from what is there."""


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if sum(given is not None for given in (spec.content, spec.source, spec.template)) > 1:
        raise ProviderError("content, source and template exclude each other", hint="keep one of them")
    if spec.mode is not None:
        parse_mode(spec.mode)
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    wanted: dict[str, Value] = {"ensure": spec.ensure}
    if spec.ensure == PRESENT:
        if spec.manages_content:
            wanted["content"] = None if spec.content is None else address_of(spec.content.encode())
        wanted |= {name: value for name, value in spec.attributes.items() if value is not None}
    return tuple(Claim("path", spec.path, name, value) for name, value in wanted.items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return every_field(State, domain_of_path(system, spec.path))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    found = system.stat(spec.path)
    if found is None:
        return State(ABSENT, wanted=content.wanted(system, spec, None))
    if found.kind != "file":
        raise ProviderError(f"{spec.path} is no regular file", hint="converge never makes another kind of a path")
    if spec.ensure == ABSENT:
        _refuse_link(system, spec.path)
    live = system.read(spec.path) if spec.manages_content or spec.ensure == ABSENT else None
    return State(
        PRESENT,
        None if live is None else address_of(live),
        mode_text(found.mode),
        owner_as_asked(system, spec.owner, found.uid),
        group_as_asked(system, spec.group, found.gid),
        content.wanted(system, spec, live),
    )


def _refuse_link(system: ReadOnlySystem, path: str) -> None:
    found = system.stat(path, follow=False)
    if found is not None and found.kind == "symlink":
        raise ProviderError(f"{path} is a symbolic link", hint="name the file that it leads to")


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    desired = {"ensure": spec.ensure, "content": state.wanted, **spec.attributes}
    if spec.mode is not None:
        live = NEW_MODE if state.mode is None else int(state.mode, 8)
        desired["mode"] = mode_text(parse_mode(spec.mode).on(live, is_folder=False))
    return compare({name: value for name, value in desired.items() if value is not None}, state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: Mapping[str, Any] = values(changes)
    if after.get("ensure") == ABSENT:
        system.remove(spec.path)
        return ()
    found = system.stat(spec.path)
    if found is None and "ensure" not in after:
        raise ProviderError(f"{spec.path} is gone", hint="somebody removed it meanwhile; run converge again")
    attributes = Attributes.of(system, after)
    address, _, conflict = (after.get("content") or "").partition(content.CONFLICT)
    if conflict:
        system.write(f"{spec.path}{content.BESIDE}", content.at(system, spec, address), mode=0o600)
    is_new_content = address and not conflict
    # A file with other names is written anew: what else has them is not ours.
    if found is None or found.links > 1 or is_new_content:
        data = content.at(system, spec, address) if is_new_content else system.read(spec.path) or b""
        system.write(spec.path, data, mode=attributes.mode, uid=attributes.uid, gid=attributes.gid)
    else:
        attributes.set_on(system, system.resolve(spec.path))
    if address:
        content.delivered(system, spec)
    return ()
