"""A connection of NetworkManager: its profile, a key file that only root can read.

Owns the keys it is asked for in /etc/NetworkManager/system-connections/NAME.nmconnection, and that file's mode and
owner: NetworkManager ignores a profile that others can read. Other keys, groups and comments stay. A profile that its
user has renamed is found by its uuid. Where NetworkManager runs it reads the profile anew, and activates nothing.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.formats.modes import mode_text
from converge.model import Change, Claim, Domain, Effect, Secret, Value
from converge.providers.network.connection import asking, nmcli, profile
from converge.providers.network.connection.base import Spec, State, file_name
from converge.providers.protocol import ABSENT, PRESENT, Params, compare, domain_of_path, every_field, values
from converge.system import ReadOnlySystem, System

__all__ = ["FILES", "GROUPS", "OURS", "TYPE", "Spec", "State", "apply", "claims", "diff", "domains", "inspect", "parse"]

TYPE = "network-connection"
FILES = ("psk_file", "password_file")
GROUPS = (
    ("ensure", "name", "type", "uuid"),
    ("security", "psk", *asking.IEEE_8021X, "mode", "owner"),
    tuple(name for name in profile.SETTINGS if name.startswith("ipv4_")),
    tuple(name for name in profile.SETTINGS if name.startswith("ipv6_")),
    ("proxy_method", "proxy_pac_url"),
)
OURS = ("mode", "owner")

FOLDER = "/etc/NetworkManager/system-connections"
ROOT = "root"
"""Whatever the root's passwd calls it, if there is one yet."""
PRIVATE = {"mode": "0600", "owner": ROOT}


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    file_name(spec.name)
    if spec.ensure == PRESENT:
        asking.require_consistent(spec)
        profile.require_no_setting(spec.groups)
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    path = f"{FOLDER}/{file_name(spec.name)}"
    wanted: dict[str, Any] = {"ensure": spec.ensure}
    if spec.ensure == PRESENT:
        wanted |= {"name": spec.name, "type": spec.type, "uuid": spec.uuid, **asking.settings(spec), **PRIVATE}
        wanted |= {"groups": None} if spec.groups else {}
    return tuple(Claim("path", path, name, None if isinstance(v, Secret) else v) for name, v in wanted.items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return every_field(State, domain_of_path(system, FOLDER))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    path = _locate(system, spec)
    found = system.stat(path)
    if found is None:
        return State(ABSENT, wanted=_wanted(system, spec, None))
    live = Keyfile.parse(system.read(path) or b"", path)
    settings = profile.read(live)
    if spec.ensure == PRESENT and settings["type"] not in (None, spec.type):
        hint = "give this one another name, or remove that one first"
        raise ProviderError(f"the connection '{spec.name}' is there as {settings['type']}", hint=hint)
    return State(
        PRESENT,
        **{name: asking.remembered(system, value) for name, value in settings.items()},
        groups=asking.remembered(system, profile.read_groups(live, spec.groups)) or None,
        mode=mode_text(found.mode),
        owner=ROOT if found.uid == 0 else system.user_name(found.uid),
        wanted=_wanted(system, spec, settings),
    )


def _locate(system: ReadOnlySystem, spec: Spec) -> str:
    """The file of the profile: that of its name, unless a user has given it another one."""
    path = f"{FOLDER}/{file_name(spec.name)}"
    if system.stat(path, follow=False) is not None:
        return path
    own = spec.uuid or asking.usual_uuid(spec.name)
    others = (f"{FOLDER}/{name}" for name in system.list_folder(FOLDER))
    return next((other for other in others if _uuid_in(system, other) == own), path)


def _uuid_in(system: ReadOnlySystem, path: str) -> str | None:
    with suppress(ProviderError):  # what is no profile
        return Keyfile.parse(system.read(path) or b"").get("connection", "uuid")
    return None


def _wanted(system: ReadOnlySystem, spec: Spec, live: Mapping[str, Any] | None) -> dict[str, Value]:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    wanted: dict[str, Any] = {"ensure": PRESENT, "name": spec.name, "type": spec.type, **PRIVATE}
    wanted |= asking.in_full(system, spec)
    if spec.uuid is not None or live is None:
        wanted["uuid"] = spec.uuid or asking.usual_uuid(spec.name)
    if spec.groups:
        wanted["groups"] = spec.groups
    return {name: asking.remembered(system, value) for name, value in wanted.items()}


def diff(spec: Spec, state: State) -> tuple[Change, ...]:  # noqa: ARG001  (what is wanted, the state has)
    return compare(state.wanted, state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    path = _locate(system, spec)
    after: Mapping[str, Any] = values(changes)
    if after.get("ensure") == ABSENT:
        system.remove(path, keep=False)
        nmcli.load(system, path)
        return ()
    data = system.read(path)
    if data is None and "ensure" not in after:
        raise ProviderError(f"{path} is gone", hint="somebody removed it meanwhile; run converge again")
    declared = diff(spec, inspect(system, spec))
    nmcli.check(system, _edited(system, spec, data, values(declared)), spec.name)
    mode, owner = after.get("mode", None if data is not None else PRIVATE["mode"]), after.get("owner")
    system.write(
        path,
        _edited(system, spec, data, after),
        mode=int(mode, 8) if mode else None,
        uid=0 if owner == ROOT else system.user_id(owner) if owner else None,
        keep=False,
    )
    nmcli.load(system, path)
    return ()


def _edited(system: ReadOnlySystem, spec: Spec, data: bytes | None, after: Mapping[str, Value]) -> bytes:
    """The profile with other values in some fields."""
    edited = Keyfile.parse(data or b"")
    known = {
        "live": profile.read(edited),
        "live groups": profile.read_groups(edited, spec.groups),
        "asked": asking.in_full(system, spec),
        "asked groups": spec.groups,
    }
    for name in profile.SETTINGS:
        if name in after:
            profile.write(edited, name, asking.meant(system, after[name], known))
    profile.write_groups(edited, asking.meant(system, after.get("groups") or {}, known))
    return edited.dump()
