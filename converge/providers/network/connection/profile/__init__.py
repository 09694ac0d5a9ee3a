"""The settings of a profile: which key holds each, and what is there (nm-settings-keyfile(5)).

A value that NetworkManager takes where a key is not set is read as that value, and written by unsetting the key, as
NetworkManager itself writes profiles: one that it has written again is then still as declared.
"""

from collections.abc import Mapping
from typing import Any

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.model import Secret
from converge.providers.network.connection.base import Found, Groups
from converge.providers.network.connection.profile.addresses import Addresses, Gateway, Routes, Servers
from converge.providers.network.connection.profile.base import Credential, Kind, Slot, Text, Texts
from converge.providers.network.connection.profile.words import (
    Eap,
    File,
    Flag,
    Number,
    ProxyMethod,
    Security,
    Ssid,
    Type,
)

__all__ = ["SETTINGS", "read", "read_groups", "require_no_setting", "write", "write_groups"]


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


def require_no_setting(groups: Groups) -> None:
    """ProviderError where a key that is given by its group is one that a parameter stands for."""
    names = {(group, _unnumbered(key)): name for name, (group, key, _) in SETTINGS.items()}
    for group, key in ((group, key) for group, keys in groups.items() for key in keys):
        if name := names.get((group, _unnumbered(key))):
            part, _, rest = name.partition("_")
            parameter = f"{part}.{rest}" if part in ("ipv4", "ipv6", "proxy") else name
            hint = f"give it as `{parameter}`, not in `groups`"
            raise ProviderError(f"there is a parameter for {key} in [{group}]", hint=hint)


def _unnumbered(key: str) -> str:
    return key.rstrip("0123456789")


def read(profile: Keyfile) -> dict[str, Found]:
    return {name: kind.read(Slot.of(profile, group, key)) for name, (group, key, kind) in SETTINGS.items()}


def write(profile: Keyfile, name: str, value: Any) -> None:  # noqa: ANN401  (what the setting's kind takes)
    group, key, kind = SETTINGS[name]
    kind.write(Slot.of(profile, group, key), value)


def read_groups(profile: Keyfile, asked: Groups) -> dict[str, dict[str, Found]]:
    """What is set under the keys that are asked for; a secret where one is asked for."""

    def found(group: str, key: str, wanted: str | Secret) -> Found:
        text = Slot.of(profile, group, key).text()
        return Secret(text) if text is not None and isinstance(wanted, Secret) else text

    return {group: {key: found(group, key, wanted) for key, wanted in keys.items()} for group, keys in asked.items()}


def write_groups(profile: Keyfile, values: Mapping[str, Mapping[str, str | None]]) -> None:
    for group, keys in values.items():
        for key, text in keys.items():
            Slot.of(profile, group, key).put(text)
