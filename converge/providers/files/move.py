"""A thing that is to be at another place: moved there by rename(2), with a link from the old place to the new one.

Owns what is at `from`, as long as that is to go, and that something is at `to`. At any time the thing is at one of the
two places, whole. Where nothing is at either, there is nothing to do.
"""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect
from converge.providers.protocol import (
    DERIVED,
    FOLDER_KINDS,
    LINK_KINDS,
    Params,
    checked_path,
    compare,
    default_folder,
    domain_of_path,
    kind_at,
    outside_own_folders,
    values,
)
from converge.system import OtherFileSystem, ReadOnlySystem, System

TYPE = "move"
GROUPS = (("source", "target"),)
OURS = ("source", "target")

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
    """What is at `from`: a kind, or LINK, if it is the link to `to`."""
    target: str | None = None
    stays: bool = field(default=False, metadata=DERIVED)
    """/usr/etc has a folder at `from`."""
    is_default: bool = field(default=False, metadata=DERIVED)
    """/usr/etc has a folder at `to`."""


def parse(params: Params) -> Spec:
    given = dict(params)
    spec = Spec(from_=given.pop("from"), **given)
    for one, other in ((spec.from_, spec.to), (spec.to, spec.from_)):
        if f"{one}/".startswith(f"{other}/"):
            hint = "choose a place outside of what is moved"
            raise ProviderError(f"{spec.from_} cannot be moved to {spec.to}: one is in the other", hint=hint)
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    return (Claim("path", spec.from_, "source"), Claim("path", spec.to, "target"))


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    """Each place has its own: a new /etc has the old thing again, and what is in /var is not moved there twice."""
    places = {"source": spec.from_, "target": spec.to}
    return {name: domain_of_path(system, path, follow=False) for name, path in places.items()}


def absent(spec: Spec, state: State) -> bool:  # noqa: ARG001  (the protocol)
    return state.source is None and state.target is None


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    old, new = (system.resolve(path, follow=False) for path in (spec.from_, spec.to))
    source = LINK if _leads_to(system, spec, new) else kind_at(system, old)
    return State(source, kind_at(system, new), system.is_default_folder(old), system.is_default_folder(new))


def _leads_to(system: ReadOnlySystem, spec: Spec, new: str) -> bool:
    """Whether at `from` is a link that says `to`."""
    said = system.read_link(spec.from_)
    return said is not None and system.resolve(_joined(spec.from_, said), follow=False) == new


def _joined(link: str, said: str) -> str:
    return said if said.startswith("/") else f"{link.rpartition('/')[0]}/{said}"


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    link = LINK if spec.leave_link else None
    if state.source not in (None, LINK):
        if state.target is not None and spec.if_target_exists == "keep":
            return ()
        _require_movable(spec, state)
        return compare({"source": link, "target": state.source}, state)
    changes = compare({"source": link}, state) if state.target is not None else ()
    if changes and link and state.stays:
        raise default_folder(spec.from_)
    return changes


def _require_movable(spec: Spec, state: State) -> None:
    if state.target is not None:
        hint = "say `if_target_exists: keep` if what is at the new place counts, or remove one of them"
        raise ProviderError(f"{spec.from_} and {spec.to} are both there", hint=hint)
    if state.source in LINK_KINDS:
        hint = "links are never moved, since they may lead elsewhere from there: `symlink` makes one"
        raise ProviderError(f"{spec.from_} is a symbolic link, and not the one to {spec.to}", hint=hint)
    if state.stays and (spec.leave_link or state.source in FOLDER_KINDS):
        raise default_folder(spec.from_)
    if state.is_default and state.source not in FOLDER_KINDS:
        raise default_folder(spec.to)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after, state = values(changes), inspect(system, spec)
    if len(after) == 1 and state.target is None and state.source not in (None, LINK):
        message = f"what was moved to {spec.to} once is gone from there, so what is at {spec.from_} now stays"
        raise ProviderError(message, hint="raise `revision` to move that too")
    if "target" in after:
        _move(system, spec, state, there=after["target"] is not None)
    if after.get("source") == LINK:
        system.make_link(spec.from_, spec.to)
    elif "source" in after and after["source"] is None and state.source == LINK:
        system.remove(spec.from_)
    return ()


def _move(system: System, spec: Spec, state: State, *, there: bool) -> None:
    """Move the thing there, or back, unless it is there already."""
    try:
        if there and state.target is None:
            system.move(spec.from_, spec.to)
        elif not there and state.target is not None:
            if state.source == LINK:
                system.remove(spec.from_)
            system.move(spec.to, spec.from_)
    except OtherFileSystem as error:
        hint = "a move that could be cut off half-way is not made: choose a place on the same file system"
        raise ProviderError(f"cannot move {spec.from_}: {error.message}", hint=hint) from error
