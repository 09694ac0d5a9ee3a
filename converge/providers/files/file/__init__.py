"""A regular file: its content, mode and owner. Owns the file at `path`; a link there is followed inside the root.

With `merge: three-way` it also owns `<path>.converge-new`; see `content.py` for the content of such a file.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.modes import mode_text, parse_mode
from converge.model import Change, Depends, Effect, Thing
from converge.providers.files.attributes import Attributes, group_as_declared, owner_as_declared
from converge.providers.files.file import content
from converge.providers.files.file.spec import Spec
from converge.providers.protocol import ABSENT, PRESENT, Declared, Desired, Params, Traits, values
from converge.system import ReadOnlySystem, System
from converge.system.store import address_of

__all__ = ["Spec", "State", "apply", "contents", "declared", "desired", "inspect", "parse", "thing", "traits"]

traits = Traits(files=("source", "template"), added="created")

NEW_MODE = 0o644
READABLE_BY_ALL = 0o004


@frozen
class State:
    ensure: str
    content: str | None = None
    mode: str | None = None
    owner: str | None = None
    group: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if sum(given is not None for given in (spec.content, spec.source, spec.template)) > 1:
        raise ProviderError("content, source and template exclude each other", hint="keep one of them")
    if spec.mode is not None:
        parse_mode(spec.mode)
    return spec


def thing(spec: Spec) -> Thing:
    return Thing("file", spec.path, "path", spec.path)


def declared(spec: Spec) -> Declared:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    address = Depends.ON_MACHINE if spec.content is None else address_of(spec.content.encode())
    return {"ensure": PRESENT, **({"content": address} if spec.manages_content else {}), **spec.attributes}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    found = system.stat(spec.path)
    if found is None:
        return State(ABSENT)
    if found.kind != "file":
        raise ProviderError(f"{spec.path} is not a regular file", hint="remove it first: converge does not replace it")
    if spec.ensure == ABSENT and system.read_link(spec.path) is not None:
        raise ProviderError(f"{spec.path} is a symbolic link", hint="declare the path of its target instead")
    live = system.read(spec.path) if spec.manages_content or spec.ensure == ABSENT else None
    return State(
        PRESENT,
        None if live is None else address_of(live),
        mode_text(found.mode),
        owner_as_declared(system, spec.owner, found.uid),
        group_as_declared(system, spec.group, found.gid),
    )


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    address = content.wanted(system, spec)
    contents = {} if address is None else {"content": address}
    return {"ensure": PRESENT, **contents, **spec.attributes_on(state.mode, new=NEW_MODE, is_folder=False)}


def contents(system: ReadOnlySystem, spec: Spec) -> Sequence[bytes]:
    """The contents of the file and of the declaration, if all users may read the file now and afterwards."""
    found = system.stat(spec.path)
    live = None if found is None else system.read(spec.path)
    modes = [NEW_MODE if found is None else found.mode]
    if spec.mode is not None:
        modes.append(parse_mode(spec.mode).on(modes[0], is_folder=False))
    if not all(mode & READABLE_BY_ALL for mode in modes):
        return ()
    new = content.wanted(system, spec) if spec.ensure == PRESENT else None
    address = (new or "").partition(content.CONFLICT)[0]
    return [data for data in (live, content.at(system, spec, address) if address else None) if data is not None]


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: Mapping[str, Any] = values(changes)
    if after.get("ensure") == ABSENT:
        system.remove(spec.path)
        return ()
    found = system.stat(spec.path)
    if found is None and "ensure" not in after:
        raise ProviderError(f"{spec.path} was removed during the run", hint="run converge again")
    attributes = Attributes.of(system, after)
    address, _, conflict = (after.get("content") or "").partition(content.CONFLICT)
    if conflict:
        system.write(f"{spec.path}{content.BESIDE}", content.at(system, spec, address), mode=0o600)
    is_new_content = address and not conflict
    # A file with other hard links is replaced by a new file: the others are not ours.
    if found is None or found.links > 1 or is_new_content:
        data = content.at(system, spec, address) if is_new_content else system.read(spec.path) or b""
        system.write(spec.path, data, mode=attributes.mode, uid=attributes.uid, gid=attributes.gid)
    else:
        attributes.set_on(system, system.resolve(spec.path))
    if address:
        content.delivered(system, spec)
    return ()
