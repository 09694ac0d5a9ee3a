"""A remote of the system's ostree repository, or with `gather` where all of them are stored.

Owns the remote's group in /ostree/repo/config, or in a file of /etc/ostree/remotes.d, and its keyring in /ostree/repo.
The keyring goes with the group, whose domain it has; it is in place before the group, and stays for as long as another
deployment's remotes.d names the remote. Any other key of the group stays. With `gather` it owns all of remotes.d and
`core.add-remotes-config-dir`, and counts as the deployment's as a whole: a rollback brings the files back, and each
deployment has to let its own go.
"""

from collections.abc import Mapping

from converge.errors import ProviderError
from converge.formats import openpgp
from converge.formats.url import with_host
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.ostree.remote import editing, gather
from converge.providers.ostree.remote.base import Fields, Spec, State, files_of, new_file, place_of
from converge.providers.ostree.remotefile import read
from converge.providers.protocol import (
    ABSENT,
    PRESENT,
    Params,
    compare,
    domain_of_path,
    every_field,
    field_names,
    given_file,
    values,
)
from converge.system import ReadOnlySystem, System, ostree

__all__ = ["FILES", "GROUPS", "TYPE", "Spec", "State", "apply", "claims", "diff", "domains", "inspect", "parse"]

TYPE = "ostree-remote"
FILES = ("gpg_key",)
GROUPS = (
    ("ensure", "stored_in", "url"),
    ("collection_id", "gpg_key", "gpg_verify", "gpg_verify_summary"),
    ("tls_client_cert_path", "tls_client_key_path"),
    gather.FIELDS,
)

_ALL = "system"
"""The thing that the remotes of the system's repository are together."""
_ADDRESSES = ("url", "content_url")


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if not (spec.name or spec.gather):
        raise ProviderError("it is not said which remote is meant", hint="give its `name`, or say `gather: true`")
    if spec.gpg_verify is False and (spec.gpg_key or spec.collection_id):
        given = "gpg_key" if spec.gpg_key else "collection_id"
        raise ProviderError(
            f"{given} needs signatures to be verified", hint=f"leave out `gpg_verify: false` or {given}"
        )
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    if spec.gather:
        desired: dict[str, Value] = {"add_remotes_config_dir": False, "conf_files": {}, "remotes": None}
        return tuple(Claim(TYPE, _ALL, name, value) for name, value in desired.items())
    wanted: dict[str, Value] = {} if spec.host else {"ensure": spec.ensure}
    if spec.ensure == PRESENT:
        wanted |= dict.fromkeys(_ADDRESSES if spec.host else ("gpg_key",) if spec.gpg_key else ()) | _given(spec)
    found = [Claim(TYPE, f"{_ALL}:{spec.name}", name, value) for name, value in wanted.items()]
    if spec.stored_in == "remotes.d" and spec.ensure == PRESENT:
        found.append(Claim(TYPE, _ALL, "conf_files", "in use"))
    return tuple(found)


def _given(spec: Spec) -> dict[str, Value]:
    """The fields that the manifest gives outright; what is empty unsets.

    Clients check the signatures of commits, which the collection ID binds; an unsigned summary then does no harm.
    """
    given = {name: getattr(spec, name) for name in field_names(Fields) if name != "ensure"}
    implied: dict[str, Value] = {"gpg_verify": True} if spec.gpg_key else {}
    implied |= {"gpg_verify_summary": False} if spec.collection_id else {}
    found = {name: None if value in ("", ()) else value for name, value in given.items() if value is not None}
    return {**implied, **found}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    if spec.gather:
        return every_field(State, Domain.DEPLOYMENT)
    path = next(iter(files_of(system, spec)), new_file(spec.name, spec.stored_in or "repo"))
    return every_field(State, domain_of_path(system, path))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    if spec.gather:
        return gather.inspect(system)
    path = next(iter(files_of(system, spec)), None)
    if path is None and spec.host:
        return State(ensure="absent")
    wanted = _wanted(system, spec, path) if spec.ensure == PRESENT else {}
    if path is None:
        return State(ensure="absent", wanted=wanted)
    ring = system.read(ostree.keyring_of(spec.name))
    return State(
        stored_in=place_of(path),
        gpg_key=openpgp.fingerprints(ring) if ring else None,
        wanted=wanted,
        **read(ostree.load(system, path), ostree.group_of(spec.name)),
    )


def _wanted(system: ReadOnlySystem, spec: Spec, path: str | None) -> dict[str, Value]:
    if path is None:
        _require_place(system, spec)
    wanted: dict[str, Value] = {} if path else {"stored_in": "repo"}
    if spec.gpg_key is not None:
        wanted["gpg_key"] = openpgp.fingerprints(given_file(system, spec.gpg_key))
    return {**wanted, **_given(spec)}


def _require_place(system: ReadOnlySystem, spec: Spec) -> None:
    """ProviderError where the remote cannot be added, lest it be named by two files."""
    ostree.require_repository(system)
    elsewhere = ostree.files_with(system, spec.name)
    if elsewhere:
        hint = "leave out `stored_in`, or have all remotes stored in the repository with `gather: true`"
        raise ProviderError(f"the ostree remote '{spec.name}' is stored in {elsewhere[0]} already", hint=hint)
    if not spec.url:
        raise ProviderError(f"there is no ostree remote '{spec.name}'", hint="give its url, to have it added")


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if spec.gather:
        return compare(state.wanted, state)
    if spec.host is None or spec.with_host is None:
        return compare({"ensure": spec.ensure, **state.wanted}, state)
    found = {name: getattr(state, name) for name in _ADDRESSES}
    moved = {name: with_host(url, spec.host, spec.with_host) for name, url in found.items() if url}
    return compare({**state.wanted, **moved}, state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if spec.gather:
        gather.apply(system, changes)
    elif after.get("ensure") == ABSENT:
        editing.remove(system, spec)
    elif after:
        editing.write(system, spec, after)
    return ()
