"""A remote of the system's flatpak installation.

Owns its group in /var/lib/flatpak/repo/config and its keyring beside that file. The keys are those that flatpak 1.14
writes; any other key of the group stays. A keyring is in place before the group that trusts it. Removal is flatpak's
own, which takes the remote's refs along. Keys that are dropped are kept, one by one, for undo.
"""

from collections.abc import Mapping
from typing import Any

from converge.errors import ProviderError
from converge.formats import openpgp
from converge.formats.keyfile import Keyfile
from converge.formats.url import with_host
from converge.model import Change, Claim, Domain, Effect, Phase, Value
from converge.providers.flatpak.remote.base import Fields, Spec, State
from converge.providers.flatpak.repofile import parse_repo_file, read, write
from converge.providers.protocol import ABSENT, PRESENT, Params, compare, every_field, field_names, given_file, values
from converge.system import ReadOnlySystem, System, flatpak, keyrings

__all__ = [
    "FILES",
    "GROUPS",
    "TYPE",
    "Spec",
    "State",
    "apply",
    "claims",
    "diff",
    "domains",
    "inspect",
    "parse",
    "phase",
]

TYPE = "flatpak-remote"
FILES = ("flatpakrepo", "gpg_key")
GROUPS = (("ensure", "url"), ("collection_id", "gpg_key", "verify"))


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.verify is False and (spec.gpg_key or spec.collection_id):
        given = "gpg_key" if spec.gpg_key else "collection_id"
        raise ProviderError(f"{given} needs signatures to be verified", hint=f"leave out `verify: false` or {given}")
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    wanted: dict[str, Value] = {"ensure": spec.ensure}
    if spec.ensure == PRESENT:
        depends = {
            "url": spec.host or spec.flatpakrepo,
            "gpg_key": spec.gpg_key or spec.flatpakrepo,
            "verify": spec.gpg_key or spec.flatpakrepo,
        }
        wanted |= {**dict.fromkeys(name for name, given in depends.items() if given), **_given(spec)}
    if spec.host:
        del wanted["ensure"]
    return tuple(Claim("flatpak-remote", f"system:{spec.name}", name, value) for name, value in wanted.items())


def _given(spec: Spec) -> dict[str, Value]:
    """The fields that the manifest gives outright; an empty text unsets."""
    given = {name: getattr(spec, name) for name in field_names(Fields) if name != "ensure"}
    return {name: None if value == "" else value for name, value in given.items() if value is not None}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (always below /var)
    return every_field(State, Domain.MACHINE)


def phase(spec: Spec, changes: tuple[Change, ...]) -> Phase:  # noqa: ARG001  (the protocol)
    """A new remote harms nobody, and downloads need it; other changes wait for the deployment they belong to."""
    return Phase.FETCH if values(changes).get("ensure") == PRESENT else Phase.BOOT


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    config, group = flatpak.config(system), flatpak.group_of(spec.name)
    wanted = _wanted(system, spec) if spec.ensure == PRESENT else {}
    if group not in config.groups():
        return State(ensure="absent", wanted=wanted)
    ring = system.read(flatpak.keyring_of(spec.name))
    return State(gpg_key=openpgp.fingerprints(ring) if ring else None, wanted=wanted, **read(config, group))


def _wanted(system: ReadOnlySystem, spec: Spec) -> dict[str, Value]:
    """What the manifest gives, before what its .flatpakrepo file gives."""
    fields, ring = _files(system, spec)
    wanted: dict[str, Value] = {**fields, **_given(spec)}
    if ring and wanted["verify"]:
        wanted["gpg_key"] = openpgp.fingerprints(ring)
    return wanted


def _files(system: ReadOnlySystem, spec: Spec) -> tuple[dict[str, Any], bytes | None]:
    """The fields and the keys that the manifest's files hold."""
    fields: dict[str, Any] = {}
    ring = None
    if spec.flatpakrepo is not None:
        fields, ring = parse_repo_file(given_file(system, spec.flatpakrepo), "the .flatpakrepo file")
    if spec.gpg_key is not None:
        fields["verify"], ring = True, given_file(system, spec.gpg_key)
    return fields, ring


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if spec.host is None or spec.with_host is None:
        return compare({"ensure": spec.ensure, **state.wanted}, state)
    if state.url is None:
        return ()
    return compare({**state.wanted, "url": with_host(state.url, spec.host, spec.with_host)}, state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if after.get("ensure") == ABSENT:
        _remove(system, spec.name)
        return ()
    flatpak.require_repository(system)
    config, group = flatpak.config(system), flatpak.group_of(spec.name)
    if group not in config.groups() and not after.get("url"):
        raise ProviderError(f"there is no flatpak remote '{spec.name}'", hint="give its url, to have it added")
    write(config, group, {name: value for name, value in after.items() if name not in ("ensure", "gpg_key")})
    if config.get(group, "collection-id") and not read(config, group)["verify"]:
        raise ProviderError(
            f"'{spec.name}' would have a collection ID without signature checking", hint="give a gpg_key"
        )
    _edit(system, spec, config, after)
    flatpak.mark_changed(system)
    return ()


def _edit(system: System, spec: Spec, config: Keyfile, after: Mapping[str, Value]) -> None:
    """A remote is never without the keys that it trusts: they come before it, and go after it."""
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
        raise ProviderError(
            f"'{name}' is still the origin of {', '.join(used)}", hint="remove these first, or replace them by others"
        )
    keyrings.keep(system, system.read(flatpak.keyring_of(name)))
    system.run(["flatpak", "remote-delete", "--system", name]).require()
