"""The file format of a flatpak remote: in a repository's configuration, and in .flatpakrepo files.

The keys and their combinations are those that flatpak 1.14 writes (flatpak_dir_modify_remote and
flatpak_dir_parse_repofile); for the files see flatpak-flatpakrepo(5).
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.model import Value

_TEXT = {
    "url": "url",
    "title": "xa.title",
    "comment": "xa.comment",
    "description": "xa.description",
    "homepage": "xa.homepage",
    "icon": "xa.icon",
    "collection_id": "collection-id",
    "filter": "xa.filter",
    "default_branch": "xa.default-branch",
    "subset": "xa.subset",
}
_OF_THE_USER = ("title", "comment", "description", "homepage", "icon", "default_branch", "subset")
"""The remote's own summary sets these fields, unless `<key>-is-set` is true: then they were set on this machine."""
_SWITCHES = {
    "enumerate": ("xa.noenumerate", True),
    "use_for_deps": ("xa.nodeps", True),
    "disabled": ("xa.disable", False),
}
"""Per field its key, and the value that the field has if the key is unset or false."""
_PRIORITY, _DEFAULT_PRIORITY = "xa.prio", 1
_VERIFY, _VERIFY_SUMMARY = "gpg-verify", "gpg-verify-summary"

_REPO_FILE = "Flatpak Repo"
_IN_REPO_FILE = {
    "url": ("Url",),
    "title": ("Title",),
    "comment": ("Comment",),
    "description": ("Description",),
    "homepage": ("Homepage",),
    "icon": ("Icon",),
    "filter": ("Filter",),
    "default_branch": ("DefaultBranch",),
    "subset": ("Subset",),
    "collection_id": ("DeploySideloadCollectionID", "DeployCollectionID", "CollectionID"),
}


def read(config: Keyfile, group: str) -> dict[str, Any]:
    """The fields of a remote; a key that is not set has the value that flatpak then assumes."""
    text = {name: config.get(group, key) or None for name, key in _TEXT.items()}
    switches = {name: bool(config.get_boolean(group, key)) ^ unset for name, (key, unset) in _SWITCHES.items()}
    verify = config.get_boolean(group, _VERIFY)
    return {**text, **switches, "verify": verify is not False, "priority": _priority(config.get(group, _PRIORITY))}


def _priority(written: str | None) -> int:
    try:
        return _DEFAULT_PRIORITY if written is None else int(written)
    except ValueError:
        return _DEFAULT_PRIORITY


def write(config: Keyfile, group: str, values: Mapping[str, Value]) -> None:
    """Set the fields of a remote that are in `values`; None unsets. A missing group is added."""
    if group not in config.groups():
        values = {"verify": True, **values}
    for name, value in values.items():
        if name in _TEXT:
            _write_text(config, group, name, value)
        elif name in _SWITCHES:
            key, unset = _SWITCHES[name]
            _put(config, group, key, None if value is None else bool(value) ^ unset)
        elif name == "priority":
            _put(config, group, _PRIORITY, value)
        elif name == "verify":
            _put(config, group, _VERIFY, value)
            _put(config, group, _VERIFY_SUMMARY, value)


def _write_text(config: Keyfile, group: str, name: str, value: Value) -> None:
    _put(config, group, _TEXT[name], value)
    if name in _OF_THE_USER:
        _put(config, group, f"{_TEXT[name]}-is-set", None if value is None else True)


def _put(config: Keyfile, group: str, key: str, value: Value) -> None:
    if value is None:
        config.unset(group, key)
    else:
        config.set(group, key, value if isinstance(value, bool) else str(value))


def parse_repo_file(data: bytes, filename: str) -> tuple[dict[str, Any], bytes | None]:
    """The fields of a .flatpakrepo file, and its keys; None if it has no keys (then nothing is verified)."""
    keyfile = Keyfile.parse(data, filename)
    found = {name: _first(keyfile, keys) for name, keys in _IN_REPO_FILE.items()}
    if not found["url"]:
        hint = "add it, for example `Url=https://dl.flathub.org/repo/` (man 5 flatpak-flatpakrepo)"
        raise ProviderError(f"`Url` is missing in [{_REPO_FILE}] of {filename}", hint=hint)
    encoded = keyfile.get(_REPO_FILE, "GPGKey")
    if found["collection_id"] and not encoded:
        message = f"{filename} contains a collection ID but not a GPGKey: flatpak refuses such a remote"
        raise ProviderError(message, hint="add `GPGKey=`, or remove the collection ID")
    fields = {name: value for name, value in found.items() if value}
    return {**fields, "verify": bool(encoded)}, _decoded(encoded, filename) if encoded else None


def _first(keyfile: Keyfile, keys: tuple[str, ...]) -> str | None:
    return next((value for key in keys if (value := keyfile.get(_REPO_FILE, key))), None)


def _decoded(encoded: str, filename: str) -> bytes:
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except binascii.Error as error:
        raise ProviderError(f"the GPGKey in {filename} is not base64: {error}") from error
