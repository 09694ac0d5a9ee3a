"""A thing that moves to another place by rename(2), with a link from the old place to the new one.

Owns the thing at `from` until it is moved, and the existence of a thing at `to`. At any time the complete thing is at
one of the two places. If neither exists, nothing is done.
"""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from converge.errors import ProviderError
from converge.model import Change, Depends, Effect, Thing
from converge.providers.paths import (
    FOLDER_KINDS,
    LINK_KINDS,
    checked_path,
    default_folder,
    kind_at,
    outside_own_folders,
)
from converge.providers.protocol import NO_PARAMETER, Declared, Desired, Params, Traits, values
from converge.system import OtherFileSystem, ReadOnlySystem, System

traits = Traits(groups=(("source", "target"),), unprotected=("source", "target"))

LINK = "compatibility-link"


def _movable(path: str) -> str:
    return outside_own_folders(checked_path(path))


@frozen
class Spec:
    from_: str = field(converter=_movable)
    to: str = field(converter=_movable)
    leave_link: bool = False
    if_target_exists: Literal["fail", "keep"] = "fail"


@frozen
class State:
    source: str | None = None
    """The kind of thing at `from`, or LINK for the link to `to`."""
    target: str | None = None
    stays: bool = field(default=False, metadata=NO_PARAMETER)
    """/usr/etc has a folder at `from`."""
    is_default: bool = field(default=False, metadata=NO_PARAMETER)
    """/usr/etc has a folder at `to`."""


def parse(params: Params) -> Spec:
    given = dict(params)
    spec = Spec(from_=given.pop("from"), **given)
    for one, other in ((spec.from_, spec.to), (spec.to, spec.from_)):
        if f"{one}/".startswith(f"{other}/"):
            hint = "choose a path outside the moved folder"
            raise ProviderError(f"{spec.from_} cannot be moved to {spec.to}: one is in the other", hint=hint)
    return spec


def thing(spec: Spec) -> Thing:
    return Thing("move of", f"{spec.from_} to {spec.to}", "path", spec.from_, follow=False)


def things(spec: Spec) -> Mapping[str, Thing]:
    """Each place has its own domain: a new /etc has the old thing again, but the one in /var must not move twice."""
    return {"target": Thing("path", spec.to, "path", spec.to, follow=False)}


def declared(spec: Spec) -> Declared:  # noqa: ARG001  (the protocol)
    return {"source": Depends.ON_MACHINE, "target": Depends.ON_MACHINE}


def absent(spec: Spec, state: State) -> bool:  # noqa: ARG001  (the protocol)
    return state.source is None and state.target is None


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    old, new = (system.resolve(path, follow=False) for path in (spec.from_, spec.to))
    source = LINK if _leads_to(system, spec, new) else kind_at(system, old)
    return State(source, kind_at(system, new), system.is_default_folder(old), system.is_default_folder(new))


def _leads_to(system: ReadOnlySystem, spec: Spec, new: str) -> bool:
    """Whether `from` is a link to `to`."""
    target = system.read_link(spec.from_)
    if target is None:
        return False
    path = target if target.startswith("/") else f"{spec.from_.rpartition('/')[0]}/{target}"
    return system.resolve(path, follow=False) == new


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:  # noqa: ARG001  (the protocol)
    link = LINK if spec.leave_link else None
    if state.source in (None, LINK):
        return {} if state.target is None else {"source": link}
    if state.target is not None and spec.if_target_exists == "keep":
        return {}
    return {"source": link, "target": state.source}


def check(spec: Spec, state: State, changes: tuple[Change, ...]) -> None:
    if not changes:
        return
    if state.source in (None, LINK):
        if spec.leave_link and state.stays:
            raise default_folder(spec.from_)
        return
    if state.target is not None:
        hint = "write `if_target_exists: keep` if the new one counts, or remove one of them"
        raise ProviderError(f"{spec.from_} and {spec.to} both exist", hint=hint)
    if state.source in LINK_KINDS:
        hint = "declare a `symlink` there instead: links are not moved, because they may lead elsewhere from there"
        raise ProviderError(f"{spec.from_} is a symbolic link, and not the one to {spec.to}", hint=hint)
    if state.stays and (spec.leave_link or state.source in FOLDER_KINDS):
        raise default_folder(spec.from_)
    if state.is_default and state.source not in FOLDER_KINDS:
        raise default_folder(spec.to)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after, state = values(changes), inspect(system, spec)
    if len(after) == 1 and state.target is None and state.source not in (None, LINK):
        earlier = f"{spec.from_} was moved to {spec.to} earlier and {spec.to} is now missing"
        message = f"{earlier}; the new {spec.from_} is left in place"
        raise ProviderError(message, hint="raise `revision` to move it again")
    if "target" in after:
        _move(system, spec, state, there=after["target"] is not None)
    if after.get("source") == LINK:
        system.make_link(spec.from_, spec.to)
    elif "source" in after and after["source"] is None and state.source == LINK:
        system.remove(spec.from_)
    return ()


def _move(system: System, spec: Spec, state: State, *, there: bool) -> None:
    """Move the thing to its new place, or back, unless it is at that place already."""
    try:
        if there and state.target is None:
            system.move(spec.from_, spec.to)
        elif not there and state.target is not None:
            if state.source == LINK:
                system.remove(spec.from_)
            system.move(spec.to, spec.from_)
    except OtherFileSystem as error:
        hint = "choose a path on the same file system: a move to another one could be interrupted halfway"
        raise ProviderError(f"cannot move {spec.from_}: {error.message}", hint=hint) from error
