"""Editing what holds a remote: its group and its keys, which come before the group and go after it."""

from collections.abc import Mapping

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.model import Value
from converge.providers.ostree import remotefile as ostreeremote
from converge.providers.ostree.remote.base import Spec, files_of, new_file
from converge.providers.protocol import given_file
from converge.system import ReadOnlySystem, System, keyrings, ostree


def write(system: System, spec: Spec, after: Mapping[str, Value]) -> None:
    if spec.host is None:
        ostree.require_repository(system)
    path = next(iter(files_of(system, spec)), None)
    if path is None and not (after.get("ensure") and after.get("url")):
        hint = "somebody removed it meanwhile; run converge again"
        raise ProviderError(f"the ostree remote '{spec.name}' is gone", hint=hint)
    path = path or new_file(spec.name, after.get("stored_in"))
    config, group = ostree.load(system, path), ostree.group_of(spec.name)
    ostreeremote.write(config, group, after)
    _require_sound(system, spec.name, config, after)
    keys, ring = after.get("gpg_key"), ostree.keyring_of(spec.name)
    if isinstance(keys, list | tuple):
        given = None if spec.gpg_key is None else given_file(system, spec.gpg_key)
        keyrings.write_ring(system, ring, map(str, keys), given)
    system.write(path, config.dump())
    if "gpg_key" in after and not keys:
        keyrings.remove_ring(system, ring)


def _require_sound(system: ReadOnlySystem, name: str, config: Keyfile, after: Mapping[str, Value]) -> None:
    """Refuse what would make the next update fail, or go unchecked."""
    group = ostree.group_of(name)
    if config.get(group, "collection-id") and config.get_boolean(group, "gpg-verify") is False:
        hint = "give a gpg_key, or say `gpg_verify: true`"
        raise ProviderError(f"'{name}' would have a collection ID without signature checking", hint=hint)
    if after.get("collection_id"):
        ostree.require_binding(system, ostree.REPO, name, str(after["collection_id"]))


def remove(system: System, spec: Spec) -> None:
    """As `ostree remote delete` does it, but for what deployments still need: the remote itself, or its keys."""
    used = ostree.deployments_from(system, spec.name)
    if used:
        hint = "rebase the system to another remote first"
        raise ProviderError(f"'{spec.name}' is where {used[0]} is updated from", hint=hint)
    for path in files_of(system, spec):
        config = ostree.load(system, path)
        config.remove_group(ostree.group_of(spec.name))
        if config.groups() or path == ostree.CONFIG:
            system.write(path, config.dump())
        else:
            system.remove(path)
    if not (ostree.files_with(system, spec.name) or ostree.deployments_with(system, spec.name)):
        keyrings.remove_ring(system, ostree.keyring_of(spec.name))
