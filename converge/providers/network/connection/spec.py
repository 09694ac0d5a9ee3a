"""The parameters and the state of a connection, and the forms of names and addresses."""

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address, ip_interface
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from converge.errors import ProviderError
from converge.model import Asset, Secret, Value

Found: TypeAlias = "Value | Secret"
Groups: TypeAlias = Mapping[str, Mapping[str, str | Secret]]
Form: TypeAlias = Callable[[str, int], str]
"""Gives a text its normal form in a version of the Internet Protocol; ValueError if it does not have this form."""


def address(text: str, version: int) -> str:
    """An address alone."""
    found = ip_address(text)
    return str(_of_version(found, version))


def address_with_prefix(text: str, version: int) -> str:
    """An address with the length of its network's prefix."""
    if "/" not in text:
        raise ValueError(text)
    return str(_of_version(ip_interface(text), version))


def route(text: str, version: int) -> str:
    """A route as nmcli(1) takes it: NETWORK/PREFIX [NEXT-HOP] [METRIC]."""
    network, *rest = text.split()
    metric = [rest.pop()] if rest and rest[-1].isdecimal() else []
    if len(rest) > 1:
        raise ValueError(text)
    return " ".join((address_with_prefix(network, version), *(address(hop, version) for hop in rest), *metric))


def _of_version(found: Any, version: int) -> Any:  # noqa: ANN401  (ipaddress has no common type for addresses)
    if found.version != version:
        raise ValueError(str(found))
    return found


_FORMS: Mapping[Form, tuple[str, str, str]] = {
    address: ("address", "10.0.0.1", "fd00::1"),
    address_with_prefix: ("address with a prefix length", "10.0.0.2/24", "fd00::2/64"),
    route: ("route", "10.9.0.0/16 10.0.0.9", "fd09::/64 fd00::9"),
}
"""The name of each form, with an example for each version."""


def _formed(text: str, form: Form, version: int) -> str:
    try:
        return form(text, version)
    except ValueError as error:
        name, *examples = _FORMS[form]
        example = examples[version == 6]
        raise ProviderError(f"'{text}' is not an IPv{version} {name}", hint=f"write it like {example}") from error


def _all_formed(texts: Sequence[str] | None, form: Form, version: int) -> tuple[str, ...] | None:
    return None if texts is None else tuple(_formed(text, form, version) for text in texts)


NAME_MAX = 255
"""Bytes of a file name."""
_IGNORED = re.compile(r"^\.|/")


def file_name(name: str) -> str:
    """The name that NetworkManager would give the file; it ignores hidden files."""
    made = _IGNORED.sub("*", name) + ".nmconnection"
    if len(made.encode()) > NAME_MAX:
        raise ProviderError("`name` is too long for a file name", hint=f"shorten it to {NAME_MAX - 13} bytes")
    return made


@frozen
class Network:
    """The declared settings of one version of the Internet Protocol; None: not declared."""

    method: str | None = None
    addresses: Sequence[str] | None = None
    gateway: str | None = None
    dns: Sequence[str] | None = None
    search: Sequence[str] | None = None
    routes: Sequence[str] | None = None

    def settings(self, version: int) -> dict[str, Value]:
        """Per key the declared value."""
        return {
            "method": self.method,
            "addresses": _all_formed(self.addresses, address_with_prefix, version),
            "gateway": _formed(self.gateway, address, version) if self.gateway else self.gateway,
            "dns": _all_formed(self.dns, address, version),
            "search": self.search,
            "routes": _all_formed(self.routes, route, version),
        }


@frozen
class Proxy:
    method: Literal["none", "auto"] | None = None
    pac_url: str | None = None


def _network(given: Mapping[str, Any] | None) -> Network:
    return Network(**given or {})


def _proxy(given: Mapping[str, Any] | None) -> Proxy:
    return Proxy(**given or {})


_SECRET_KEYS = re.compile(r"(.*-)?(psk|password|password-raw|pin|secret|preshared-key|cak)|wep-key[0-3]|private-key")


def _groups(given: Mapping[str, Mapping[str, Any]] | None) -> Groups:
    return {
        group: {key: _value(group, key, value) for key, value in keys.items()} for group, keys in (given or {}).items()
    }


def _value(group: str, key: str, given: "str | int | Secret") -> str | Secret:
    """A value as a key file has it. What NetworkManager keeps secret is a secret even as plain text in a manifest."""
    text = str(given).lower() if isinstance(given, int) else given
    is_secret = group.endswith("-secrets") or _SECRET_KEYS.fullmatch(key)
    return Secret(text) if is_secret and isinstance(text, str) else text


@frozen(kw_only=True)
class Fields:
    """The fields that a manifest may declare and a profile may set; None: not declared, or not set.

    For a secret a state has the digest.
    """

    ensure: Literal["present", "absent"] = "present"
    name: str | None = None
    type: str | None = None
    uuid: str | None = None
    interface: str | None = None
    autoconnect: bool | None = None
    priority: int | None = None
    ssid: str | None = None
    hidden: bool | None = None
    security: str | None = None
    psk: Secret | str | None = None
    eap: str | None = None
    identity: str | None = None
    anonymous_identity: str | None = None
    password: Secret | str | None = None
    ca_cert: str | None = None
    client_cert: str | None = None
    private_key: str | None = None
    private_key_password: Secret | str | None = None
    phase2: str | None = None


@frozen(kw_only=True)
class Spec(Fields):
    name: str
    psk_file: Asset | str | None = None
    password_file: Asset | str | None = None
    ipv4: Network = field(default=None, converter=_network)
    ipv6: Network = field(default=None, converter=_network)
    proxy: Proxy = field(default=None, converter=_proxy)
    groups: Groups = field(default=None, converter=_groups)


@frozen(kw_only=True)
class State(Fields):
    """A key that is not set has the value that NetworkManager assumes."""

    ipv4_method: str | None = None
    ipv4_addresses: Sequence[str] | None = None
    ipv4_gateway: str | None = None
    ipv4_dns: Sequence[str] | None = None
    ipv4_search: Sequence[str] | None = None
    ipv4_routes: Sequence[str] | None = None
    ipv6_method: str | None = None
    ipv6_addresses: Sequence[str] | None = None
    ipv6_gateway: str | None = None
    ipv6_dns: Sequence[str] | None = None
    ipv6_search: Sequence[str] | None = None
    ipv6_routes: Sequence[str] | None = None
    proxy_method: str | None = None
    proxy_pac_url: str | None = None
    groups: Mapping[str, Value] | None = None
    mode: str | None = None
    owner: str | None = None
