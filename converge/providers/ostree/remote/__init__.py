"""A remote of the system's ostree repository, or with `gather` the place where all of them are stored.

Owns the remote's group in /ostree/repo/config, or in a file of /etc/ostree/remotes.d, and its keyring in /ostree/repo.
The keyring has the domain of the group. It is written before the group, and stays as long as the remotes.d of another
deployment names the remote. Any other key of the group stays. With `gather` it owns all of remotes.d and
`core.add-remotes-config-dir`, and belongs to the deployment as a whole: a rollback brings the files back, so each
deployment has to remove its own.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import converters, field, frozen

from converge.errors import ProviderError
from converge.formats import openpgp
from converge.formats.keyfile import Keyfile
from converge.formats.url import with_host
from converge.model import Asset, Change, Depends, Domain, Effect, Thing, Value
from converge.providers.ostree import remotefile
from converge.providers.ostree.remote import gather
from converge.providers.protocol import (
    ABSENT,
    PRESENT,
    Declared,
    Desired,
    Params,
    Traits,
    domain_of_path,
    field_names,
    values,
)
from converge.system import ReadOnlySystem, System, keyrings, ostree
from converge.system.contents import given_file

traits = Traits(
    files=("gpg_key",),
    groups=(
        ("ensure", "stored_in", "url"),
        ("collection_id", "gpg_key", "gpg_verify", "gpg_verify_summary"),
        ("tls_client_cert_path", "tls_client_key_path"),
        gather.FIELDS,
    ),
)

_ALL = Thing("ostree remotes in", ostree.REPO, "ostree-remote", "system")
_ADDRESSES = ("url", "content_url")

Place: TypeAlias = Literal["repo", "remotes.d"]


@frozen(kw_only=True)
class Fields:
    """The fields that a manifest may declare and a remote may have; None: not declared, or not set."""

    ensure: Literal["present", "absent"] = "present"
    stored_in: Place | None = None
    url: str | None = None
    content_url: str | None = None
    collection_id: str | None = None
    gpg_verify: bool | None = None
    gpg_verify_summary: bool | None = None
    branches: tuple[str, ...] | None = field(default=None, converter=converters.optional(tuple))
    proxy: str | None = None
    tls_ca_path: str | None = None
    tls_client_cert_path: str | None = None
    tls_client_key_path: str | None = None


@frozen(kw_only=True)
class Spec(Fields):
    name: str = ""
    gather: bool = False
    host: str | None = None
    with_host: str | None = None
    gpg_key: Asset | str | None = None


@frozen(kw_only=True)
class State(Fields):
    gpg_key: tuple[str, ...] | None = None
    """The fingerprints of the trusted keys, sorted."""
    add_remotes_config_dir: bool | None = None
    """Whether new remotes are stored in remotes.d; None: not set. This and the next two only with `gather`."""
    conf_files: Mapping[str, str] | None = None
    """Per file in remotes.d the address of its content."""
    remotes: tuple[str, ...] | None = None
    """The remotes in the repository's configuration, sorted."""


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if not (spec.name or spec.gather):
        hint = "set the name of one remote, for example `name: os`, or `gather: true` for all"
        raise ProviderError("`name` or `gather: true` is required", hint=hint)
    if spec.gpg_verify is False and (spec.gpg_key or spec.collection_id):
        given = "gpg_key" if spec.gpg_key else "collection_id"
        hint = f"remove `gpg_verify: false` or `{given}`"
        raise ProviderError(f"`{given}` requires signature verification", hint=hint)
    return spec


def thing(spec: Spec) -> Thing:
    return _ALL if spec.gather else Thing("ostree remote", spec.name, "ostree-remote", f"system:{spec.name}")


def things(spec: Spec) -> Mapping[str, Thing]:  # noqa: ARG001  (the protocol)
    return {"conf_files": _ALL}


def declared(spec: Spec) -> Declared:
    """With `stored_in: remotes.d` a remote also claims the files there: this conflicts with `gather`."""
    if spec.gather:
        return {**gather.WANTED, "remotes": Depends.ON_MACHINE}
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    ensure: Declared = {} if spec.host else {"ensure": PRESENT}
    depends = _ADDRESSES if spec.host else ("gpg_key",) if spec.gpg_key else ()
    in_use: Declared = {"conf_files": "in use"} if spec.stored_in == "remotes.d" else {}
    return {**ensure, **dict.fromkeys(depends, Depends.ON_MACHINE), **_given(spec), **in_use}


def _given(spec: Spec) -> dict[str, Value]:
    """The fields that the manifest itself declares, and what they imply; an empty value unsets.

    Clients check the signatures of commits, which the collection ID binds; an unsigned summary then does no harm.
    """
    given = {name: getattr(spec, name) for name in field_names(Fields) if name != "ensure"}
    implied: dict[str, Value] = {"gpg_verify": True} if spec.gpg_key else {}
    implied |= {"gpg_verify_summary": False} if spec.collection_id else {}
    found = {name: None if value in ("", ()) else value for name, value in given.items() if value is not None}
    return {**implied, **found}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    if spec.gather:
        return dict.fromkeys(field_names(State), Domain.DEPLOYMENT)
    path = next(iter(_files_of(system, spec)), None) or _new_file(spec.name, spec.stored_in)
    return dict.fromkeys(field_names(State), domain_of_path(system, path))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    if spec.gather:
        return State(**gather.inspect(system))
    path = next(iter(_files_of(system, spec)), None)
    if path is None:
        if spec.ensure == PRESENT and not spec.host:
            _require_place(system, spec)
        return State(ensure="absent")
    ring = system.read(ostree.keyring_of(spec.name))
    return State(
        stored_in=_place_of(path),
        gpg_key=openpgp.fingerprints(ring) if ring else None,
        **remotefile.read(ostree.load(system, path), ostree.group_of(spec.name)),
    )


def _require_place(system: ReadOnlySystem, spec: Spec) -> None:
    """ProviderError if the remote cannot be added. Two files must not name the same one."""
    ostree.require_repository(system)
    elsewhere = ostree.files_with(system, spec.name)
    if elsewhere:
        hint = "remove `stored_in`, or store all remotes in the repository with `gather: true`"
        raise ProviderError(f"ostree remote '{spec.name}' is already stored in {elsewhere[0]}", hint=hint)
    if not spec.url:
        raise ProviderError(f"ostree remote '{spec.name}' is missing", hint="set `url` to add it")


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:
    if spec.gather:
        return gather.desired(system)
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    wanted: dict[str, Value] = {"ensure": PRESENT}
    if state.ensure == ABSENT:
        if spec.host:
            return {}
        wanted["stored_in"] = "repo"
    if spec.gpg_key is not None:
        wanted["gpg_key"] = openpgp.fingerprints(given_file(system, spec.gpg_key))
    wanted |= _given(spec)
    if spec.host and spec.with_host:
        found = {name: getattr(state, name) for name in _ADDRESSES}
        wanted |= {name: with_host(url, spec.host, spec.with_host) for name, url in found.items() if url}
    return wanted


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if spec.gather:
        gather.apply(system, changes)
    elif after.get("ensure") == ABSENT:
        _remove(system, spec)
    elif after:
        _write(system, spec, after)
    return ()


def _write(system: System, spec: Spec, after: Mapping[str, Value]) -> None:
    """Write the remote's group and its keys: new keys before the group; removed keys after it."""
    if spec.host is None:
        ostree.require_repository(system)
    path = next(iter(_files_of(system, spec)), None)
    if path is None and not (after.get("ensure") and after.get("url")):
        raise ProviderError(f"ostree remote '{spec.name}' was removed during the run", hint="run converge again")
    path = path or _new_file(spec.name, after.get("stored_in"))
    config = ostree.load(system, path)
    remotefile.write(config, ostree.group_of(spec.name), after)
    _require_sound(system, spec.name, config, after)
    keys, ring = after.get("gpg_key"), ostree.keyring_of(spec.name)
    if isinstance(keys, list | tuple):
        given = None if spec.gpg_key is None else given_file(system, spec.gpg_key)
        keyrings.write_ring(system, ring, map(str, keys), given)
    system.write(path, config.dump())
    if "gpg_key" in after and not keys:
        keyrings.remove_ring(system, ring)


def _require_sound(system: ReadOnlySystem, name: str, config: Keyfile, after: Mapping[str, Value]) -> None:
    """ProviderError if the next update would fail, or would not be verified."""
    group = ostree.group_of(name)
    if config.get(group, "collection-id") and config.get_boolean(group, "gpg-verify") is False:
        message = f"ostree remote '{name}' would have a collection ID without signature verification"
        raise ProviderError(message, hint="set `gpg_key` or `gpg_verify: true`")
    if after.get("collection_id"):
        ostree.require_binding(system, ostree.REPO, name, str(after["collection_id"]))


def _remove(system: System, spec: Spec) -> None:
    """Remove the remote as `ostree remote delete` does, but keep a remote or keys that a deployment still needs."""
    used = ostree.deployments_from(system, spec.name)
    if used:
        hint = "rebase the system to another remote first, for example with `ostree admin switch REMOTE:BRANCH`"
        raise ProviderError(f"{used[0]} is updated from the ostree remote '{spec.name}'", hint=hint)
    for path in _files_of(system, spec):
        config = ostree.load(system, path)
        config.remove_group(ostree.group_of(spec.name))
        if config.groups() or path == ostree.CONFIG:
            system.write(path, config.dump())
        else:
            system.remove(path)
    if not (ostree.files_with(system, spec.name) or ostree.deployments_with(system, spec.name)):
        keyrings.remove_ring(system, ostree.keyring_of(spec.name))


def _files_of(system: ReadOnlySystem, spec: Spec) -> tuple[str, ...]:
    """The files at the declared place that contain the remote, the repository's own first: the first one counts."""
    found = ostree.files_with(system, spec.name)
    return tuple(path for path in found if spec.stored_in in (None, _place_of(path)))


def _place_of(path: str) -> Place:
    return "repo" if path == ostree.CONFIG else "remotes.d"


def _new_file(name: str, place: Value) -> str:
    """The file for a new remote."""
    return f"{ostree.REMOTES_D}/{name}.conf" if place == "remotes.d" else ostree.CONFIG
