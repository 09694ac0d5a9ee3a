"""The file format of an ostree remote: ostree.repo-config(5)."""

from collections.abc import Mapping
from typing import Any

from converge.formats.keyfile import Keyfile
from converge.model import Value

_TEXT = {
    "url": "url",
    "content_url": "contenturl",
    "collection_id": "collection-id",
    "proxy": "proxy",
    "tls_ca_path": "tls-ca-path",
    "tls_client_cert_path": "tls-client-cert-path",
    "tls_client_key_path": "tls-client-key-path",
}
_SWITCHES = {"gpg_verify": "gpg-verify", "gpg_verify_summary": "gpg-verify-summary"}
_BRANCHES = "branches"


def read(config: Keyfile, group: str) -> dict[str, Any]:
    """The fields of a remote. If `gpg-verify` is not set, libostree verifies signatures."""
    text = {name: config.get(group, key) or None for name, key in _TEXT.items()}
    switches = {name: config.get_boolean(group, key) for name, key in _SWITCHES.items()}
    branches = tuple(filter(None, (config.get(group, _BRANCHES) or "").split(";")))
    return {**text, **switches, "gpg_verify": switches["gpg_verify"] is not False, "branches": branches or None}


def write(config: Keyfile, group: str, values: Mapping[str, Value]) -> None:
    """Set the fields of a remote that are in `values`; None unsets. A missing group is added."""
    for name, value in values.items():
        if name in _TEXT or name in _SWITCHES:
            _put(config, group, {**_TEXT, **_SWITCHES}[name], value)
        elif name == "branches":
            listed = value if isinstance(value, list | tuple) else ()
            _put(config, group, _BRANCHES, "".join(f"{branch};" for branch in listed) or None)


def _put(config: Keyfile, group: str, key: str, value: Value) -> None:
    if value is None:
        config.unset(group, key)
    else:
        config.set(group, key, value if isinstance(value, bool) else str(value))
