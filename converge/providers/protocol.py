"""The provider protocol: what the code for one resource type looks like, and the helpers that providers share.

A provider is a module with the names of `Provider` below. Optional names, each with its meaning:

`FILES`               parameters that name a file: a relative path is beside the manifest and reaches `parse` as an
                      `Asset`; an absolute path is on the machine and stays text
`FOLDERS`             the same for parameters that name a folder
`GROUPS`              tuples of fields that must move together; any other field is a group of its own
`OURS`                fields that `on_user_change` does not protect, since the manifest names outright what they change
`UNSEEN`              those of them whose change leaves nothing that `inspect` could find: applied is done
`MADE_ANEW`           fields for whose change the thing is taken away before it is made: where a run ends in between,
                      that it is absent is nobody's wish
`DEFERRED`            fields that the effects bring about at the end of a run, and `apply` does not
`OPAQUE`              True where the state cannot be known without acting; what is done has no way back
`phase(spec, changes) -> Phase`          the earliest phase in which these changes can be made (default: boot)
`implied_only_if(spec) -> Mapping`       a condition on the state that the parameters imply
`absent(spec, state) -> bool`            the thing, and whatever it replaces, is wholly absent (default: `ensure`)
`yield_to(spec, paths) -> Spec`          leave out paths that other resources own
`fetch(system, spec, changes) -> None`   download what `apply` will need
`notified(spec, ids) -> Spec`            the spec, told that these resources, which it follows, have changed; the schema
                                         marks the parameter that names them with `x-references`
`idle(spec, state) -> str`               why there is nothing to do although nothing is in place; empty where that is so
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, Protocol, TypeVar

import attrs
from attrs import frozen

from converge.errors import ProviderError, shown
from converge.formats.envfile import Envfile
from converge.formats.lines import Lines, numbers_at, places_of
from converge.model import Asset, Change, Claim, Domain, Effect, Phase, Value
from converge.system import ReadOnlySystem, System
from converge.system.store import address_of, path_of
from converge.values import parse_size

Params = Mapping[str, Any]  # of Value and Asset; a provider's attrs converters narrow them
Spec = TypeVar("Spec")
State = TypeVar("State")

PRESENT, ABSENT = "present", "absent"
MISSING_FILE = "file"

LONGEST_TOLD = 256
"""Characters of a text that a state holds itself."""

FOLDER_KINDS = ("directory", "empty-directory")
LINK_KINDS = ("symlink", "dangling-symlink")
OWN_FOLDERS = ("/etc/converge", "/var/lib/converge")

_TREE = re.compile(r"tree:([0-9a-f]{64}) .*", re.DOTALL)


class Provider(Protocol[Spec, State]):
    """What a provider module must define. `Spec` and `State` are frozen attrs classes; a `State` holds JSON values."""

    TYPE: str

    def parse(self, params: Params) -> Spec:
        """Make the spec of parameters that the schema has passed; ProviderError where they contradict each other.

        A secret is not looked into: where no machine is at hand, another one stands in for it.
        """

    def claims(self, spec: Spec) -> tuple[Claim, ...]:
        """One claim per field of `State` that the spec sets."""

    def domains(self, system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
        """Per field of `State`, the domain its state lives in."""

    def inspect(self, system: ReadOnlySystem, spec: Spec) -> State:
        """Find the present state. Reads only."""

    def diff(self, spec: Spec, state: State) -> tuple[Change, ...]:
        """What to change so that `state` becomes what `spec` asks; empty where it already is. Pure."""

    def apply(self, system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
        """Make the changes: the identity comes from the spec, the values only from the changes.

        Applying changes that are already made is harmless: a run that was killed does it again.
        """


AnyProvider = Provider[Any, Any]


def optional(provider: AnyProvider, name: str, default: Any) -> Any:  # noqa: ANN401  (a module attribute of any type)
    return getattr(provider, name, default)


DERIVED: Mapping[str, bool] = {"derived": True}
"""The metadata of an attrs field of a `Spec` that is no parameter, or of a `State` that is no managed property."""


SEEN: Mapping[str, bool] = {"seen": True}
"""The metadata of a field of a `State` that only tells of the thing: it follows from what else is changed."""


def field_names(type_: type) -> tuple[str, ...]:
    """The parameters of a `Spec` class, or the properties of a `State` class, in their order.

    A parameter that Python reserves the name of has an underscore behind it in the class: `from_`.
    """
    return tuple(field.name.removesuffix("_") for field in attrs.fields(type_) if not field.metadata.get("derived"))


def fields_of(state: object) -> dict[str, Value]:
    """The properties of a state as a plain mapping, in their order."""
    return {name: getattr(state, name) for name in field_names(type(state))}


def group_of(provider: AnyProvider, name: str) -> tuple[str, ...]:
    """The fields that must move together with the field `name`, itself included."""
    groups: tuple[tuple[str, ...], ...] = optional(provider, "GROUPS", ())
    return next((group for group in groups if name in group), (name,))


def parts_of(field: str, value: Value) -> tuple[tuple[str, Value], ...]:
    """A field with its value; of a map each part by itself, since several resources may each own some of them.

    An empty map says that there is to be none at all, and is a value like any other.
    """
    if not isinstance(value, Mapping) or not value:
        return ((field, value),)
    return tuple((f"{field}[{name}]", part) for name, part in value.items())


def is_absent(provider: AnyProvider, spec: object, state: object) -> bool:
    rule: Callable[[object, object], bool] | None = optional(provider, "absent", None)
    return rule(spec, state) if rule else getattr(state, "ensure", PRESENT) == ABSENT


def phase_of(provider: AnyProvider, spec: object, changes: tuple[Change, ...]) -> Phase:
    rule: Callable[[object, tuple[Change, ...]], Phase] | None = optional(provider, "phase", None)
    return rule(spec, changes) if rule else Phase.BOOT


def compare(desired: Mapping[str, Value], state: object) -> tuple[Change, ...]:
    """The changes from `state` to the `desired` fields, in the order of the state's fields.

    Where `desired` says `ensure: absent`, that is the only field that counts.
    """
    return differing({"ensure": ABSENT} if desired.get("ensure") == ABSENT else desired, state)


def differing(desired: Mapping[str, Value], state: object) -> tuple[Change, ...]:
    """The changes from `state` to all of the `desired` fields, in the order of the state's fields."""
    live = fields_of(state)
    return tuple(
        Change(name, live[name], desired[name]) for name in live if name in desired and live[name] != desired[name]
    )


def size_in_bytes(value: int | str) -> int:
    """A parameter that is a size: a number of bytes, or text such as `8GiB`; ProviderError for other text."""
    try:
        return value if isinstance(value, int) else parse_size(value)
    except ValueError as error:
        raise ProviderError(f"'{shown(str(value))}' is no size", hint=str(error)) from None


def content(system: ReadOnlySystem, asked: bytes | None, address: str) -> bytes:
    """The bytes that a change's value `address` stands for: what the spec brings, or, for undo, what the store kept."""
    if asked is not None and address_of(asked) == address:
        return asked
    kept = system.kept(address)
    if kept is None:
        raise ProviderError(f"the content {address} is not in the store", hint="it was never replaced by converge here")
    return kept


def require_file(path: str, missing: str | None, *, create: bool) -> None:
    """ProviderError where a file that something is wanted in is missing and is not to be made."""
    if missing == MISSING_FILE and not create:
        hint = "have it made by a `file` that this one needs, or say `create: true`"
        raise ProviderError(f"there is no file {path} to write into", hint=hint)


def text_to_change(system: ReadOnlySystem, path: str, after: Mapping[str, Any]) -> bytes | None:
    """What a file holds in which the fields `after` are to be changed; None where there is nothing to do.

    ProviderError where the file is gone, unless the state says by its field `missing` that it is to be made.
    """
    data = system.read(path)
    if not after or (data is None and after.get("ensure") == ABSENT):
        return None
    if data is None and "missing" not in after:
        raise ProviderError(f"{path} is gone", hint="somebody removed it meanwhile; run converge again")
    return data or b""


def write_changed(system: System, path: str, data: bytes, after: Mapping[str, Any]) -> None:
    """Write what came of `text_to_change`; a file that was missing before is removed if it is empty again."""
    if after.get("missing") == MISSING_FILE and not data:
        system.remove(system.resolve(path))
    else:
        system.write(path, data)


def told(text: str) -> str:
    """A text as a state holds it: the text itself, or its address where it is long, no UTF-8, or looks like one."""
    data = text.encode("utf-8", "surrogateescape")
    odd = len(text) > LONGEST_TOLD or data != text.encode("utf-8", "replace") or path_of(text)
    return address_of(data) if odd else text


def meant(system: ReadOnlySystem, value: str, asked: str | None = None) -> str:
    """The text that `told` made a value of: one that the spec asks, or, for undo, that `keep_told` has kept."""
    if path_of(value) is None:
        return value
    data = None if asked is None else asked.encode("utf-8", "surrogateescape")
    return content(system, data, value).decode("utf-8", "surrogateescape")


def keep_told(system: System, text: str) -> None:
    """Keep a text that is about to be lost, where a state holds only its address."""
    if told(text) != text:
        system.keep(text.encode("utf-8", "surrogateescape"))


def assigned(system: ReadOnlySystem, path: str, name: str) -> str | None:
    """What a state says of a variable in a file of assignments; None where it is not set, or empty."""
    value = Envfile.parse(system.read(path) or b"").get(name)
    return told(value) if value else None


def assign(system: System, path: str, variables: Mapping[str, str | None], *, stays: bool = False) -> None:
    """Set variables in a file to what `assigned` made values of; None unsets. An empty file goes, unless it `stays`."""
    file = Envfile.parse(system.read(path) or b"")
    for name, value in variables.items():
        keep_told(system, file.get(name) or "")
        if value is None:
            file.unset(name)
        else:
            file.set(name, meant(system, value))
    if file.dump() or stays:
        system.write(path, file.dump())
    else:
        system.remove(system.resolve(path))


def told_lines(lines: Lines, numbers: Sequence[int]) -> str | None:
    """What a state says of lines that may go: `lines 3,5-7: ` and the address of their record; None: there are none.

    The record itself is to be kept before they go, for `put_back`.
    """
    word = "line" if len(numbers) == 1 else "lines"
    return f"{word} {places_of(numbers)}: {address_of(lines.record(numbers))}" if numbers else None


def put_back(system: ReadOnlySystem, lines: Lines, find: Callable[[], Sequence[int]], value: str) -> bool:
    """Put back the lines that `told_lines` made a value of, unless they are there; returns whether `find` finds them.

    Their places are those of when the state was looked at: others may have changed the file since.
    """
    places, _, address = value.partition(" ")[2].partition(": ")
    if address_of(lines.record(find())) == address:
        return True
    lines.put_back(content(system, None, address), numbers_at(places))
    return address_of(lines.record(find())) == address


def given_file(system: ReadOnlySystem, file: Asset | str) -> bytes:
    """The bytes of a parameter in `FILES`: beside the manifest, or on the machine."""
    data = file.data if isinstance(file, Asset) else system.read(file)
    if data is None:
        raise ProviderError(f"there is no file {file} on the machine")
    return data


def checked_path(path: str) -> str:
    """The path without empty and `.` components; ProviderError unless it is absolute and has no `..`."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    if not path.startswith("/") or ".." in names:
        raise ProviderError(f"'{path}' is no absolute path", hint="write it from the root on, without '..'")
    return "/" + "/".join(names)


def account_name(name: str) -> str:
    """The name of a user or group that may be made, as sysusers.d(5) has them; ProviderError for any other."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,30}", name):
        hint = "write a letter or '_', then letters, digits, '_' and '-', no more than 31 in all"
        raise ProviderError(f"'{shown(name)}' is no name for a system account", hint=hint)
    return name


def outside_own_folders(path: str) -> str:
    """The path; ProviderError where with it converge's own memory would be taken away."""
    if path == "/" or any(f"{own}/".startswith(f"{path}/") for own in OWN_FOLDERS):
        raise ProviderError(f"{path} holds what converge remembers, and has to stay", hint="name what is in it")
    return path


def kind_at(system: ReadOnlySystem, path: str) -> str | None:
    """What is at a path, a link itself included: one of FOLDER_KINDS or LINK_KINDS, `file`, `other`, or None."""
    found = system.stat(path, follow=False)
    if found is None:
        return None
    if found.kind == "symlink":
        return "symlink" if _leads_somewhere(system, path) else "dangling-symlink"
    return "empty-directory" if found.kind == "directory" and not system.list_folder(path) else found.kind


def _leads_somewhere(system: ReadOnlySystem, path: str) -> bool:
    try:
        return system.stat(path) is not None
    except ProviderError:  # in a circle
        return False


def another_kind(path: str, kind: str, wanted: str) -> ProviderError:
    found = {"other": "special file"}.get(kind, kind.replace("-", " "))
    message = f"{path} is {'an' if found[0] in 'aeiou' else 'a'} {found}, not a {wanted}"
    return ProviderError(message, hint="converge never makes another kind of a path")


def default_folder(path: str) -> ProviderError:
    hint = "with anything else there, ostree could not merge /etc at the next upgrade"
    return ProviderError(f"{path} is a folder in /usr/etc and has to stay one", hint=hint)


def tree_state(digest: str, count: int, first: str) -> str:
    """The state of many things as a value: a digest of 64 hexadecimal digits, with words for people."""
    entries = "1 entry" if count == 1 else f"{count} entries"
    return f"tree:{digest} ({entries}, first {shown(first)})"


def record_of(value: Value) -> str | None:
    """The digest in a value of `tree_state`; None for a plain value."""
    matched = _TREE.fullmatch(value) if isinstance(value, str) else None
    return matched[1] if matched else None


def owner_as_asked(system: ReadOnlySystem, asked: str | None, uid: int) -> str:
    """The name of a user id: the one that the manifest uses where that means this id, else the machine's."""
    return asked if asked is not None and system.user_id(asked) == uid else system.user_name(uid)


def group_as_asked(system: ReadOnlySystem, asked: str | None, gid: int) -> str:
    return asked if asked is not None and system.group_id(asked) == gid else system.group_name(gid)


@frozen
class Attributes:
    """The numbers that the changed values of `owner`, `group` and `mode` (octal) stand for; None: not changed."""

    mode: int | None
    uid: int | None
    gid: int | None

    @classmethod
    def of(cls, system: ReadOnlySystem, after: Mapping[str, Any]) -> "Attributes":
        mode, owner, group = (after.get(name) for name in ("mode", "owner", "group"))
        return cls(
            None if mode is None else int(mode, 8),
            None if owner is None else system.user_id(owner),
            None if group is None else system.group_id(group),
        )

    def set_on(self, system: System, path: str) -> None:
        if (self.uid, self.gid) != (None, None):
            system.set_owner(path, self.uid, self.gid)
        if self.mode is not None:
            system.set_mode(path, self.mode)


def domain_of_path(system: ReadOnlySystem, path: str, *, follow: bool = True) -> Domain:
    """The deployment's for a path that leads into /etc, the machine's for any other (links resolved).

    `follow`: whether a link that the path itself names is followed too.
    """
    in_etc = f"{system.resolve(path, follow=follow)}/".startswith("/etc/")
    return Domain.DEPLOYMENT if in_etc else Domain.MACHINE


def every_field(state_type: type, domain: Domain) -> dict[str, Domain]:
    return dict.fromkeys(field_names(state_type), domain)


def as_module(provider: ModuleType) -> AnyProvider:
    """A module as the provider it is. `tests/test_providers.py` holds each module against the protocol."""
    return provider


def values(changes: Iterable[Change]) -> dict[str, Value]:
    """Per changed field, the value after."""
    return {change.field: change.after for change in changes}
