"""The settings of a profile, and the key of each (nm-settings-keyfile(5)).

The value that NetworkManager assumes for a key that is not set is read as that value, and written by unsetting the key.
NetworkManager writes profiles in the same way, so a profile that it rewrites is still as declared.
"""

from collections.abc import Mapping
from typing import Any

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.model import Secret
from converge.providers.network.connection.profile.addresses import Addresses, Gateway, Routes, Servers
from converge.providers.network.connection.profile.kinds import (
    Credential,
    Eap,
    File,
    Flag,
    Kind,
    Number,
    ProxyMethod,
    Security,
    Ssid,
    Text,
    Texts,
    Type,
)
from converge.providers.network.connection.profile.slot import Slot
from converge.providers.network.connection.spec import Found, Groups

__all__ = ["SETTINGS", "fields_in", "read", "read_groups", "require_no_setting", "write", "write_groups"]


def _ip(version: int) -> dict[str, tuple[str, Kind]]:
    return {
        f"ipv{version}_method": ("method", Text()),
        f"ipv{version}_addresses": ("address1", Addresses(version)),
        f"ipv{version}_gateway": ("gateway", Gateway(version)),
        f"ipv{version}_dns": ("dns", Servers(version)),
        f"ipv{version}_search": ("dns-search", Texts()),
        f"ipv{version}_routes": ("route1", Routes(version)),
    }


_GROUPS: Mapping[str, Mapping[str, tuple[str, Kind]]] = {
    "connection": {
        "name": ("id", Text()),
        "type": ("type", Type()),
        "uuid": ("uuid", Text()),
        "interface": ("interface-name", Text()),
        "autoconnect": ("autoconnect", Flag(default=True)),
        "priority": ("autoconnect-priority", Number()),
    },
    "wifi": {"ssid": ("ssid", Ssid()), "hidden": ("hidden", Flag(default=False))},
    "wifi-security": {"security": ("key-mgmt", Security()), "psk": ("psk", Credential())},
    "802-1x": {
        "eap": ("eap", Eap()),
        "identity": ("identity", Text()),
        "anonymous_identity": ("anonymous-identity", Text()),
        "password": ("password", Credential()),
        "ca_cert": ("ca-cert", File()),
        "client_cert": ("client-cert", File()),
        "private_key": ("private-key", File()),
        "private_key_password": ("private-key-password", Credential()),
        "phase2": ("phase2-auth", Text()),
    },
    "ipv4": _ip(4),
    "ipv6": _ip(6),
    "proxy": {"proxy_method": ("method", ProxyMethod()), "proxy_pac_url": ("pac-url", Text())},
}
SETTINGS: Mapping[str, tuple[str, str, Kind]] = {
    name: (group, key, kind) for group, settings in _GROUPS.items() for name, (key, kind) in settings.items()
}
"""Per field of the state: group, key and kind."""


def fields_in(*groups: str) -> tuple[str, ...]:
    """The fields of the state whose keys are in these groups."""
    return tuple(name for group in groups for name in _GROUPS[group])


def require_no_setting(groups: Groups) -> None:
    """ProviderError if `groups` contains a key that has a parameter of its own."""
    names = {(group, _unnumbered(key)): name for name, (group, key, _) in SETTINGS.items()}
    for group, key in ((group, key) for group, keys in groups.items() for key in keys):
        if name := names.get((group, _unnumbered(key))):
            part, _, rest = name.partition("_")
            parameter = f"{part}.{rest}" if part in ("ipv4", "ipv6", "proxy") else name
            message = f"`groups` must not set {key} in [{group}]: this key has a parameter"
            raise ProviderError(message, hint=f"set `{parameter}` instead")


def _unnumbered(key: str) -> str:
    return key.rstrip("0123456789")


def read(profile: Keyfile) -> dict[str, Found]:
    return {name: kind.read(Slot.of(profile, group, key)) for name, (group, key, kind) in SETTINGS.items()}


def write(profile: Keyfile, name: str, value: Any) -> None:  # noqa: ANN401  (each kind of setting has its own type)
    group, key, kind = SETTINGS[name]
    kind.write(Slot.of(profile, group, key), value)


def read_groups(profile: Keyfile, declared: Groups) -> dict[str, dict[str, Found]]:
    """The values of the declared keys; a secret if one is declared."""

    def found(group: str, key: str, wanted: str | Secret) -> Found:
        text = Slot.of(profile, group, key).text()
        return Secret(text) if text is not None and isinstance(wanted, Secret) else text

    return {group: {key: found(group, key, wanted) for key, wanted in keys.items()} for group, keys in declared.items()}


def write_groups(profile: Keyfile, values: Mapping[str, Mapping[str, str | None]]) -> None:
    for group, keys in values.items():
        for key, text in keys.items():
            Slot.of(profile, group, key).put(text)
