"""A folder: there or gone, with its mode and owner, and empty where that is asked. Owns the folder at `path`.

A link that leads to a folder counts as the folder, but nothing is taken away through a link. `removal.py` says where
what is taken away goes.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from converge.errors import ProviderError
from converge.formats.modes import mode_text, parse_mode
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.files.directory import removal
from converge.providers.files.directory.base import Spec, place_of, require_folder, require_removable
from converge.providers.protocol import (
    ABSENT,
    DERIVED,
    PRESENT,
    SEEN,
    Attributes,
    Params,
    compare,
    default_folder,
    domain_of_path,
    every_field,
    group_as_asked,
    kind_at,
    outside_own_folders,
    owner_as_asked,
    record_of,
    values,
)
from converge.system import ReadOnlySystem, System

__all__ = ["OURS", "TYPE", "Spec", "State", "apply", "claims", "diff", "domains", "inspect", "parse"]

TYPE = "directory"
OURS = ("contents",)

NEW_MODE = 0o755


@frozen
class State:
    ensure: str
    kind: str | None = field(default=None, metadata=SEEN)
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    contents: str | None = None
    is_default: bool = field(default=False, metadata=DERIVED)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.empty and spec.ensure == ABSENT:
        raise ProviderError("`empty` and `ensure: absent` exclude each other", hint="an absent folder is empty already")
    if spec.recursive and spec.ensure == PRESENT:
        hint = "`recursive` removes a folder with all that it holds; `empty` removes what it holds"
        raise ProviderError("`recursive` goes with `ensure: absent`", hint=hint)
    if spec.takes_away:
        outside_own_folders(spec.path)
    if spec.mode is not None:
        parse_mode(spec.mode)
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    return tuple(Claim("path", spec.path, name, value) for name, value in _wanted(spec).items())


def _wanted(spec: Spec) -> dict[str, Value]:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    managed: dict[str, Value] = {name: value for name, value in spec.attributes.items() if value is not None}
    return {"ensure": PRESENT, **managed, **({"contents": None} if spec.empty else {})}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return every_field(State, domain_of_path(system, spec.path, follow=not spec.takes_away))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    path = place_of(system, spec)
    kind, found = kind_at(system, path), system.stat(path, follow=False)
    if kind is None or found is None:
        return State(ABSENT)
    return State(
        PRESENT,
        kind,
        mode_text(found.mode),
        owner_as_asked(system, spec.owner, found.uid),
        group_as_asked(system, spec.group, found.gid),
        removal.contents(system, path) if spec.takes_away and kind == "directory" else None,
        system.is_default_folder(path),
    )


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if spec.ensure == PRESENT:
        require_folder(spec, state.kind)
    else:
        _require_removable(spec, state)
    desired = _wanted(spec)
    if spec.mode is not None and "mode" in desired:
        live = NEW_MODE if state.mode is None else int(state.mode, 8)
        desired["mode"] = mode_text(parse_mode(spec.mode).on(live, is_folder=True))
    return compare(desired, state)


def _require_removable(spec: Spec, state: State) -> None:
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
            removal.bring_back(system, spec, path, str(change.after))
    Attributes.of(system, after).set_on(system, path)
    return ()


def _make(system: System, spec: Spec, path: str, after: Mapping[str, Any]) -> None:
    """Make the folder where it is absent, unless it is brought back with what it held."""
    if kind_at(system, path) is not None or record_of(after.get("contents")):
        return
    if "ensure" not in after:
        raise ProviderError(f"{spec.path} is gone", hint="somebody removed it meanwhile; run converge again")
    attributes = Attributes.of(system, after)
    mode = NEW_MODE if attributes.mode is None else attributes.mode
    system.make_folder(path, mode=mode, uid=attributes.uid, gid=attributes.gid)
