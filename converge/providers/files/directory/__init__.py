"""A folder: present or absent, with its mode and owner, and empty if declared. Owns the folder at `path`.

A link to a folder counts as the folder, but nothing is removed through a link. See `removal.py` for the place of
removed contents.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from converge.errors import ProviderError
from converge.formats.modes import mode_text, parse_mode
from converge.model import Change, Effect, Thing, Value
from converge.providers.files.attributes import Attributes, group_as_declared, owner_as_declared
from converge.providers.files.directory import removal
from converge.providers.files.directory.spec import Spec, place_of, require_folder, require_removable
from converge.providers.files.treestates import record_of
from converge.providers.paths import default_folder, kind_at, outside_own_folders
from converge.providers.protocol import ABSENT, NO_PARAMETER, PRESENT, SEEN, Desired, Params, Traits, values
from converge.system import ReadOnlySystem, System

__all__ = ["Spec", "State", "apply", "check", "declared", "desired", "inspect", "parse", "thing", "traits"]

traits = Traits(unprotected=("contents",), added="created")

NEW_MODE = 0o755


@frozen
class State:
    ensure: str
    kind: str | None = field(default=None, metadata=SEEN)
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    contents: str | None = None
    is_default: bool = field(default=False, metadata=NO_PARAMETER)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.empty and spec.ensure == ABSENT:
        raise ProviderError(
            "`empty` and `ensure: absent` exclude each other", hint="remove `empty`: an absent folder is empty"
        )
    if spec.recursive and spec.ensure == PRESENT:
        hint = "write `ensure: absent` to remove the folder, or `empty: true` to remove only its contents"
        raise ProviderError("`recursive` requires `ensure: absent`", hint=hint)
    if spec.removes:
        outside_own_folders(spec.path)
    if spec.mode is not None:
        parse_mode(spec.mode)
    return spec


def thing(spec: Spec) -> Thing:
    return Thing("directory", spec.path, "path", spec.path, follow=not spec.removes)


def declared(spec: Spec) -> dict[str, Value]:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    return {"ensure": PRESENT, **spec.attributes, **({"contents": None} if spec.empty else {})}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    path = place_of(system, spec)
    kind, found = kind_at(system, path), system.stat(path, follow=False)
    if kind is None or found is None:
        return State(ABSENT)
    return State(
        PRESENT,
        kind,
        mode_text(found.mode),
        owner_as_declared(system, spec.owner, found.uid),
        group_as_declared(system, spec.group, found.gid),
        removal.contents(system, path) if spec.removes and kind == "directory" else None,
        system.is_default_folder(path),
    )


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:  # noqa: ARG001  (the protocol)
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    return {**declared(spec), **spec.attributes_on(state.mode, new=NEW_MODE, is_folder=True)}


def check(spec: Spec, state: State, changes: tuple[Change, ...]) -> None:  # noqa: ARG001  (the protocol)
    if spec.ensure == PRESENT:
        require_folder(spec, state.kind)
        return
    require_removable(spec, state.kind)
    if state.is_default:
        raise default_folder(spec.path)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: Mapping[str, Any] = values(changes)
    if after.get("ensure") == ABSENT:
        removal.remove(system, spec)
        return ()
    path = place_of(system, spec)
    require_folder(spec, kind_at(system, path))
    _make(system, spec, path, after)
    for change in changes:
        if change.field == "contents" and change.after is None:
            removal.empty(system, spec, path, change)
        elif change.field == "contents":
            removal.restore(system, spec, path, str(change.after))
    Attributes.of(system, after).set_on(system, path)
    return ()


def _make(system: System, spec: Spec, path: str, after: Mapping[str, Any]) -> None:
    """Make the folder if it is absent, unless it is restored with its contents."""
    if kind_at(system, path) is not None or record_of(after.get("contents")):
        return
    if "ensure" not in after:
        raise ProviderError(f"{spec.path} was removed during the run", hint="run converge again")
    attributes = Attributes.of(system, after)
    mode = NEW_MODE if attributes.mode is None else attributes.mode
    system.make_folder(path, mode=mode, uid=attributes.uid, gid=attributes.gid)
