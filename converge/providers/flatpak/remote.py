"""A remote of the system's flatpak installation.

Owns its group in /var/lib/flatpak/repo/config and its keyring beside that file. The keys are those that flatpak 1.14
writes; any other key of the group stays. A keyring is written before the group that trusts it. Flatpak itself removes a
remote, with the remote's refs. Each key that is no longer trusted is kept for undo.
"""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import frozen

from converge.errors import ProviderError
from converge.formats import openpgp
from converge.formats.keyfile import Keyfile
from converge.formats.url import with_host
from converge.model import Asset, Change, Depends, Domain, Effect, Phase, Thing, Value
from converge.providers.flatpak.repofile import parse_repo_file, read, write
from converge.providers.protocol import ABSENT, PRESENT, Declared, Desired, Params, Traits, field_names, values
from converge.system import ReadOnlySystem, System, flatpak, keyrings
from converge.system.contents import given_file

traits = Traits(
    domain=Domain.MACHINE,
    files=("flatpakrepo", "gpg_key"),
    groups=(("ensure", "url"), ("collection_id", "gpg_key", "verify")),
)


@frozen(kw_only=True)
class Fields:
    """The fields that a manifest may declare and a remote may have; None: not declared, or not set."""

    ensure: Literal["present", "absent"] = "present"
    url: str | None = None
    title: str | None = None
    comment: str | None = None
    description: str | None = None
    homepage: str | None = None
    icon: str | None = None
    collection_id: str | None = None
    verify: bool | None = None
    filter: str | None = None
    priority: int | None = None
    enumerate: bool | None = None
    use_for_deps: bool | None = None
    default_branch: str | None = None
    subset: str | None = None
    disabled: bool | None = None


@frozen(kw_only=True)
class Spec(Fields):
    name: str
    flatpakrepo: Asset | str | None = None
    host: str | None = None
    with_host: str | None = None
    gpg_key: Asset | str | None = None


@frozen(kw_only=True)
class State(Fields):
    gpg_key: tuple[str, ...] | None = None
    """The fingerprints of the trusted keys, sorted."""


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.verify is False and (spec.gpg_key or spec.collection_id):
        given = "gpg_key" if spec.gpg_key else "collection_id"
        hint = f"remove `verify: false` or `{given}`"
        raise ProviderError(f"`{given}` requires signature verification", hint=hint)
    return spec


def thing(spec: Spec) -> Thing:
    return Thing("flatpak remote", spec.name, "flatpak-remote", f"system:{spec.name}")


def declared(spec: Spec) -> Declared:
    ensure: Declared = {} if spec.host else {"ensure": spec.ensure}
    if spec.ensure == ABSENT:
        return ensure
    keys = spec.gpg_key or spec.flatpakrepo
    on_machine = {"url": spec.host or spec.flatpakrepo, "gpg_key": keys, "verify": keys}
    depends = dict.fromkeys((name for name, given in on_machine.items() if given), Depends.ON_MACHINE)
    return {**ensure, **depends, **_given(spec)}


def _given(spec: Spec) -> dict[str, Value]:
    """The fields that the manifest itself declares; an empty text unsets."""
    given = {name: getattr(spec, name) for name in field_names(Fields) if name != "ensure"}
    return {name: None if value == "" else value for name, value in given.items() if value is not None}


def phase(spec: Spec, changes: tuple[Change, ...]) -> Phase:  # noqa: ARG001  (the protocol)
    """A new remote does no harm, and downloads need it; other changes wait for the deployment they belong to."""
    return Phase.FETCH if values(changes).get("ensure") == PRESENT else Phase.BOOT


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    config, group = flatpak.config(system), flatpak.group_of(spec.name)
    if group not in config.groups():
        return State(ensure="absent")
    ring = system.read(flatpak.keyring_of(spec.name))
    return State(gpg_key=openpgp.fingerprints(ring) if ring else None, **read(config, group))


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:
    """The manifest's own fields override those of its .flatpakrepo file."""
    wanted: dict[str, Value] = {}
    if spec.ensure == PRESENT:
        fields, ring = _files(system, spec)
        wanted = {**fields, **_given(spec)}
        if ring and wanted["verify"]:
            wanted["gpg_key"] = openpgp.fingerprints(ring)
    if spec.host is None or spec.with_host is None:
        return {"ensure": spec.ensure, **wanted}
    return {} if state.url is None else {**wanted, "url": with_host(state.url, spec.host, spec.with_host)}


def _files(system: ReadOnlySystem, spec: Spec) -> tuple[dict[str, Any], bytes | None]:
    """The fields and the keys that the manifest's files contain."""
    fields: dict[str, Any] = {}
    ring = None
    if spec.flatpakrepo is not None:
        fields, ring = parse_repo_file(given_file(system, spec.flatpakrepo), "the .flatpakrepo file")
    if spec.gpg_key is not None:
        fields["verify"], ring = True, given_file(system, spec.gpg_key)
    return fields, ring


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if after.get("ensure") == ABSENT:
        _remove(system, spec.name)
        return ()
    flatpak.require_repository(system)
    config, group = flatpak.config(system), flatpak.group_of(spec.name)
    if group not in config.groups() and not after.get("url"):
        hint = "set `url` or `flatpakrepo` to add it"
        raise ProviderError(f"flatpak remote '{spec.name}' is missing", hint=hint)
    write(config, group, after)
    if config.get(group, "collection-id") and not read(config, group)["verify"]:
        message = f"flatpak remote '{spec.name}' would have a collection ID without signature verification"
        raise ProviderError(message, hint=f"set `gpg_key`, for example `gpg_key: keys/{spec.name}.gpg`")
    _edit(system, spec, config, after)
    flatpak.mark_changed(system)
    return ()


def _edit(system: System, spec: Spec, config: Keyfile, after: Mapping[str, Value]) -> None:
    """Write the keys before the group and remove them after it: a remote is never without the keys that it trusts."""
    path, keys = flatpak.keyring_of(spec.name), after.get("gpg_key")
    if isinstance(keys, list | tuple):
        keyrings.write_ring(system, path, map(str, keys), _files(system, spec)[1])
    system.write(flatpak.CONFIG, config.dump())
    if "gpg_key" in after and not keys:
        keyrings.remove_ring(system, path)


def _remove(system: System, name: str) -> None:
    if flatpak.group_of(name) not in flatpak.config(system).groups():
        return
    used = [str(ref) for ref in flatpak.installed(system) if ref.origin == name]
    if used:
        message = f"flatpak remote '{name}' is still the origin of {', '.join(used)}"
        raise ProviderError(message, hint="remove these refs first, or replace them: use `flatpak-app`")
    keyrings.keep(system, system.read(flatpak.keyring_of(name)))
    system.run(["flatpak", "remote-delete", "--system", name]).require()
