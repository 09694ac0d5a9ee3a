"""A connection of NetworkManager: its profile, a key file that only root can read.

Owns the declared keys in /etc/NetworkManager/system-connections/NAME.nmconnection, and that file's mode and owner:
NetworkManager ignores a profile that others can read. Other keys, groups and comments stay. A profile that the user
renamed is found by its uuid. A running NetworkManager loads the profile again, and activates nothing.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.formats.modes import mode_text
from converge.model import Change, Depends, Effect, Secret, Thing, Value
from converge.providers.network.connection import nmcli, profile, requested
from converge.providers.network.connection.spec import Spec, State, file_name
from converge.providers.protocol import ABSENT, PRESENT, Declared, Desired, Params, Traits, compare, values
from converge.system import ReadOnlySystem, System

__all__ = ["Spec", "State", "apply", "declared", "desired", "inspect", "parse", "thing", "traits"]

traits = Traits(
    files=("psk_file", "password_file"),
    groups=(
        ("ensure", "name", "type", "uuid"),
        ("security", "psk", *requested.IEEE_8021X, "mode", "owner"),
        *map(profile.fields_in, ("ipv4", "ipv6", "proxy")),
    ),
    unprotected=("mode", "owner"),
)

FOLDER = "/etc/NetworkManager/system-connections"
ROOT = "root"
"""The name of uid 0, even if the root's passwd is missing or has another name for it."""
PRIVATE = {"mode": "0600", "owner": ROOT}


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    file_name(spec.name)
    if spec.ensure == PRESENT:
        requested.require_consistent(spec)
        profile.require_no_setting(spec.groups)
    return spec


def thing(spec: Spec) -> Thing:
    path = f"{FOLDER}/{file_name(spec.name)}"
    return Thing("network connection", spec.name, "path", path, stored_in=FOLDER)


def declared(spec: Spec) -> Declared:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    own = {"ensure": PRESENT, "name": spec.name, "type": spec.type, "uuid": spec.uuid or Depends.ON_MACHINE}
    groups = {"groups": Depends.ON_MACHINE} if spec.groups else {}
    settings = {
        name: Depends.ON_MACHINE if isinstance(value, Secret) else value
        for name, value in requested.settings(spec).items()
    }
    return {**own, **settings, **PRIVATE, **groups}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    path = _locate(system, spec)
    found = system.stat(path)
    if found is None:
        return State(ensure="absent")
    live = Keyfile.parse(system.read(path) or b"", path)
    settings = profile.read(live)
    if spec.ensure == PRESENT and settings["type"] not in (None, spec.type):
        hint = "choose another `name`, or remove the existing connection first"
        raise ProviderError(f"connection '{spec.name}' already exists with type {settings['type']}", hint=hint)
    return State(
        **{name: requested.remembered(system, value) for name, value in settings.items()},
        groups=requested.remembered(system, profile.read_groups(live, spec.groups)) or None,
        mode=mode_text(found.mode),
        owner=ROOT if found.uid == 0 else system.user_name(found.uid),
    )


def _locate(system: ReadOnlySystem, spec: Spec) -> str:
    """The file of the profile: the one with its name, unless the user renamed it."""
    path = thing(spec).key
    if system.stat(path, follow=False) is not None:
        return path
    own = spec.uuid or requested.default_uuid(spec.name)
    others = (f"{FOLDER}/{name}" for name in system.list_folder(FOLDER))
    return next((other for other in others if _uuid_in(system, other) == own), path)


def _uuid_in(system: ReadOnlySystem, path: str) -> str | None:
    with suppress(ProviderError):  # a file that is not a profile
        return Keyfile.parse(system.read(path) or b"").get("connection", "uuid")
    return None


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:
    """Without a declared uuid, an existing profile keeps its own."""
    wanted: dict[str, Any] = {**declared(spec)}
    if spec.ensure == PRESENT:
        wanted |= requested.in_full(system, spec)
        if spec.groups:
            wanted["groups"] = spec.groups
        if spec.uuid is None:
            wanted["uuid"] = requested.default_uuid(spec.name) if state.ensure == ABSENT else state.uuid
    return {name: requested.remembered(system, value) for name, value in wanted.items()}


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    path = _locate(system, spec)
    after: Mapping[str, Any] = values(changes)
    if after.get("ensure") == ABSENT:
        system.remove(path, keep=False)
        nmcli.load(system, path)
        return ()
    data = system.read(path)
    if data is None and "ensure" not in after:
        raise ProviderError(f"{path} was removed during the run", hint="run converge again")
    state = inspect(system, spec)
    in_full = values(compare(desired(system, spec, state), state))
    nmcli.check(system, _edited(system, spec, data, in_full), spec.name)
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
        "declared": requested.in_full(system, spec),
        "declared groups": spec.groups,
    }
    for name in profile.SETTINGS:
        if name in after:
            profile.write(edited, name, requested.restored(system, after[name], known))
    profile.write_groups(edited, requested.restored(system, after.get("groups") or {}, known))
    return edited.dump()
