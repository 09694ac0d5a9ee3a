"""The provider protocol, second edition: the interface of the code for one resource type.

A provider is a module, or an object, with the names of `ProviderSource` below. It may also have the functions of
OPTIONAL; each has a default. `registry.py` loads it into a `Provider`, which the engine uses.

The rule that makes keeping a user's changes, undo and partial application possible: `apply` takes the *identity* of
the thing from the spec, and the *values* only from the changes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import attrs
from attrs import frozen

from converge.errors import ProviderError
from converge.model import Change, Claim, Depends, Domain, Effect, Phase, Thing, Value
from converge.system import ReadOnlySystem, System

Params = Mapping[str, Any]  # of Value and Asset; a provider's attrs converters narrow them
Declared: TypeAlias = Mapping[str, "Value | Depends"]
"""The value of each field of the state that a spec manages; None unsets it."""
Desired: TypeAlias = Mapping[str, Value]
SpecT = TypeVar("SpecT")
StateT_co = TypeVar("StateT_co", covariant=True)

PRESENT, ABSENT = "present", "absent"


@frozen(kw_only=True)
class Traits:
    """What the engine must know about a resource type. The names in the tuples are fields of `State`."""

    domain: Domain | None = None
    """The domain of every field; None: the path of its thing decides."""
    files: tuple[str, ...] = ()
    """Parameters that name a file. A relative path is a file beside the manifest, and `parse` gets it as an `Asset`; an
    absolute path is on the machine and stays text."""
    folders: tuple[str, ...] = ()
    """The same for parameters that name a folder."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Fields that must change together. Any other field is a group of its own."""
    unprotected: tuple[str, ...] = ()
    """Fields that `on_user_change` does not protect: the manifest names what they change."""
    unseen: tuple[str, ...] = ()
    """Fields whose change `inspect` cannot find afterwards: once applied, they are done."""
    recreated: tuple[str, ...] = ()
    """Fields that change by removing the thing and making it again. If a run is killed in between, its
    absence is not the user's decision."""
    deferred: tuple[str, ...] = ()
    """Fields that the effects change at the end of a run, not `apply`."""
    opaque: bool = False
    """The state cannot be known without acting, and a change cannot be undone."""
    added: str = "added"
    """The word for a new thing in plans: installed, created, …"""
    removed: str = "removed"


class ProviderSource(Protocol[SpecT, StateT_co]):
    """The names that a provider must have. `Spec` and `State` are frozen attrs classes; a `State` holds JSON values."""

    @property
    def traits(self) -> Traits: ...

    @property
    def Spec(self) -> type[SpecT]: ...  # noqa: N802  (it is a class)

    @property
    def State(self) -> type[StateT_co]: ...  # noqa: N802  (it is a class)

    def thing(self, spec: SpecT) -> Thing:
        """Name the thing that the resource manages."""

    def declared(self, spec: SpecT) -> Declared:
        """Give the declared value of each field, or `Depends.ON_MACHINE` if it depends on the machine. Pure."""

    def inspect(self, system: ReadOnlySystem, spec: SpecT) -> StateT_co:
        """Find the present state. Reads only."""

    def apply(self, system: System, spec: SpecT, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
        """Make the changes: the identity comes from the spec, the values only from the changes.

        Making the changes twice must do no harm, because a run after a killed one does so. Effects, such as a restart,
        are returned; the engine runs them.
        """


AnySource = ProviderSource[Any, Any]


@frozen
class Provider:
    """A provider as the engine uses it, made by `registry.py`: it has every function, and none can end a run."""

    traits: Traits
    spec_type: type
    state_type: type
    type: str
    thing: Callable[[Any], Thing]
    declared: Callable[[Any], Declared]
    inspect: Callable[[ReadOnlySystem, Any], Any]
    apply: Callable[[System, Any, tuple[Change, ...]], tuple[Effect, ...]]
    parse: Callable[[Params], Any]
    """Make the spec from parameters that the schema accepted; ProviderError if they contradict each other. Secrets are
    opaque here: `validate` passes a stand-in. Default: `Spec(**params)`."""
    things: Callable[[Any], Mapping[str, Thing]]
    """The fields of another thing than `thing`, with that thing. Default: none."""
    domains: Callable[[ReadOnlySystem, Any], Mapping[str, Domain]]
    """The domain of each field. Default: `traits.domain`, or that of the thing's path."""
    desired: Callable[[ReadOnlySystem, Any, Any], Desired]
    """The value that each field must have on this machine, given its state. Default: `declared`."""
    check: Callable[[Any, Any, tuple[Change, ...]], None]
    """Refuse the changes (ProviderError) or postpone them (Later), given the spec and the state. Default: neither."""
    phase: Callable[[Any, tuple[Change, ...]], Phase]
    """The earliest phase in which the changes can be made. Default: boot."""
    implied_only_if: Callable[[Any], Mapping[str, Value]]
    """A condition on the state that the parameters imply. Default: none."""
    absent: Callable[[Any, Any], bool]
    """Whether the thing, and everything that it replaces, is absent. Default: the state has `ensure: absent`."""
    yield_to: Callable[[Any, tuple[str, ...]], Any] | None
    """The spec without the paths that other resources own. Default: it is not called."""
    fetch: Callable[[System, Any, tuple[Change, ...]], None] | None
    """Download what `apply` will need. Default: nothing."""
    notified: Callable[[Any, tuple[str, ...]], Any]
    """The spec, with the ids of the resources it follows that have changed. The schema marks the parameter that names
    these with `x-references`. Default: the spec."""
    contents: Callable[[ReadOnlySystem, Any], Sequence[bytes]]
    """The contents, before and after, whose addresses a state contains, unless they are secret: plans show their
    difference. Default: none."""
    idle: Callable[[Any, Any], str]
    """Why nothing must be done although nothing is in place; empty if something must be done. Default: empty."""

    def claims(self, spec: object) -> tuple[Claim, ...]:
        """One claim for each field that the resource manages."""
        own, others = self.thing(spec), self.things(spec)
        return tuple(Claim(others.get(name, own), name, value) for name, value in self.declared(spec).items())

    def changes(self, system: ReadOnlySystem, spec: object, state: object) -> tuple[Change, ...]:
        """The changes from the state to the desired values. ProviderError or Later if they must not be made now."""
        wanted = self.desired(system, spec, state)
        if unknown := wanted.keys() - set(field_names(self.state_type)):
            message = f"`declared` or `desired` names {min(unknown)}, which is not a field of `State`"
            raise ProviderError(message, hint=f"this is a bug in the provider of '{self.type}': report it")
        found = compare(wanted, state)
        self.check(spec, state, found)
        return found


OPTIONAL = (
    "parse",
    "things",
    "domains",
    "desired",
    "check",
    "phase",
    "implied_only_if",
    "absent",
    "yield_to",
    "fetch",
    "notified",
    "contents",
    "idle",
)
"""Functions that a provider may have; see `Provider`."""

NO_PARAMETER: Mapping[str, bool] = {"derived": True}
"""Metadata of an attrs field: in a `Spec` it is not a parameter, in a `State` not a property."""

SEEN: Mapping[str, bool] = {"seen": True}
"""Metadata of a field of a `State` that follows from other fields: it never changes alone."""


def domain_of_path(system: ReadOnlySystem, path: str, *, follow: bool = True) -> Domain:
    """The deployment's for a path in /etc, the machine's for any other, with links resolved.

    `follow`: whether the last part of the path is resolved too if it is a link.
    """
    in_etc = f"{system.resolve(path, follow=follow)}/".startswith("/etc/")
    return Domain.DEPLOYMENT if in_etc else Domain.MACHINE


def compare(desired: Desired, state: object) -> tuple[Change, ...]:
    """The changes from `state` to all `desired` fields, in the order of the state's fields."""
    live = fields_of(state)
    return tuple(
        Change(name, live[name], desired[name]) for name in live if name in desired and live[name] != desired[name]
    )


def field_names(type_: type) -> tuple[str, ...]:
    """The parameters of a `Spec` class, or the properties of a `State` class, in their order.

    If Python reserves the name of a parameter, the class appends an underscore: `from_`.
    """
    return tuple(field.name.removesuffix("_") for field in attrs.fields(type_) if not field.metadata.get("derived"))


def fields_of(state: object) -> dict[str, Value]:
    """The properties of a state as a plain mapping, in their order."""
    return {name: getattr(state, name) for name in field_names(type(state))}


def group_of(provider: Provider, name: str) -> tuple[str, ...]:
    """The fields that must change together with the field `name`, itself included."""
    return next((group for group in provider.traits.groups if name in group), (name,))


def parts_of(field: str, value: Value) -> tuple[tuple[str, Value], ...]:
    """A field with its value; for a map each part separately, because several resources may own parts of it.

    An empty map means that no part may exist. It is a value like any other.
    """
    if not isinstance(value, Mapping) or not value:
        return ((field, value),)
    return tuple((f"{field}[{name}]", part) for name, part in value.items())


def values(changes: Iterable[Change]) -> dict[str, Value]:
    """The value after, for each changed field."""
    return {change.field: change.after for change in changes}
