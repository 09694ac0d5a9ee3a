"""Profiles as the real NetworkManager reads them, by `nmcli --offline`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.model import Secret
from converge.providers.network import connection
from converge.providers.protocol import fields_of
from converge.system import System
from tests.real import networkmanager
from tests.real.converging import acting, changes_of

network_connection = acting(connection)

pytestmark = pytest.mark.skipif(
    networkmanager.program() is None, reason="nmcli is missing: .ci/setup could not fetch it"
)

PROFILES = "etc/NetworkManager/system-connections"
PSK = "correct horse"
WIFI = {"name": "Office", "type": "wifi", "ssid": "Office"}
EAP = {"security": "wpa2-eap", "eap": "peap", "identity": "desk"}
SAE = {"security": "wpa3-sae"}
ODD = (" lead", "back\\slash\\n", "a;b", 'q"uote', "line\nline", "\ttab", "#none", "é\\é")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / PROFILES).mkdir(parents=True)
    return root


def written(root: Path, params: Mapping[str, Any]) -> bytes:
    """Make a connection and return its profile."""
    system, spec = System(str(root)), network_connection.parse(dict(params))
    changes = network_connection.changes(system, spec, network_connection.inspect(system, spec))
    network_connection.apply(system, spec, changes)
    (path,) = (root / PROFILES).iterdir()
    return path.read_bytes()


CONNECTIONS: Mapping[str, Mapping[str, Any]] = {
    "wired": {"name": "Wired", "type": "ethernet", "interface": "enp1s0", "priority": -3},
    "wired with 802.1X": {
        "name": "Wired",
        "type": "ethernet",
        "eap": "tls",
        "identity": "desk",
        "ca_cert": "/etc/ca.pem",
        "client_cert": "/etc/desk.pem",
        "private_key": "/etc/desk.key",
        "private_key_password": Secret("hunter2"),
    },
    "static": {
        "name": "Static",
        "type": "ethernet",
        "ipv4": {
            "method": "manual",
            "addresses": ("10.0.0.2/24", "10.0.1.2/24"),
            "gateway": "10.0.0.1",
            "dns": ("10.0.0.53", "10.0.0.54"),
            "search": ("a.example.org", "b.example.org"),
            "routes": ("10.9.0.0/16 10.0.0.9 77", "10.8.0.0/16 5", "10.7.0.0/16", "10.6.0.0/16 10.0.0.6"),
        },
        "ipv6": {
            "method": "manual",
            "addresses": ("fd00::2/64",),
            "gateway": "fd00::1",
            "dns": ("fd00::53",),
            "routes": ("fd09::/64 fd00::9", "fd08::/64 7"),
        },
        "proxy": {"method": "auto", "pac_url": "http://proxy.example.org/p?a;b"},
    },
    "open": {**WIFI, "security": "none", "hidden": True, "autoconnect": False},
    "enhanced open": {**WIFI, "security": "owe"},
    "a password": {**WIFI, "security": "wpa2-psk", "psk": Secret(PSK)},
    "WPA3": {**WIFI, **SAE, "psk": Secret("x")},
    "enterprise": {**WIFI, **EAP, "password": Secret("hunter2"), "anonymous_identity": "anonymous", "phase2": "gtc"},
    "enterprise of 192 bits": {**WIFI, **EAP, "security": "wpa3-eap-192", "eap": "ttls", "password": Secret("hunter2")},
    "odd letters": {**WIFI, "name": "a/b;c", "ssid": "Café;1 "},
    "what looks like a list": {**WIFI, "ssid": "16;17;"},
    "vpn": {
        "name": "Tunnel",
        "type": "vpn",
        "groups": {
            "vpn": {"service-type": "org.freedesktop.NetworkManager.openvpn", "remote": "vpn.example.org"},
            "vpn-secrets": {"password": Secret("back\\slash; and #more ")},
        },
    },
    **{
        f"secret {number}": {**WIFI, **SAE, "psk": Secret(psk)}
        for number, psk in enumerate(
            (" lead", "back\\slash\\n", "a;b", 'q"uote', "line\nline", "\ttab", "#none", "é\\é")
        )
    },
}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_profile_rewritten_by_networkmanager_is_in_place(root: Path, name: str) -> None:
    """NetworkManager writes the profile again, as after each change in its settings: nothing is left to change."""
    params = CONNECTIONS[name]
    profile = written(root, params)
    again, complaint = networkmanager.read_back(profile)
    assert complaint == ""
    (path,) = (root / PROFILES).iterdir()
    path.write_bytes(again)
    assert changes_of(connection, System(str(root)), **params) == ()


@pytest.mark.parametrize("ssid", ["Café", "a;b", " a", "back\\slash"])
def test_ssid_is_written_as_networkmanager_writes_it(root: Path, ssid: str) -> None:
    own = written(root, {**WIFI, "ssid": ssid})
    theirs, _ = networkmanager.read_back(own)
    assert Keyfile.parse(own).get("wifi", "ssid") == Keyfile.parse(theirs).get("wifi", "ssid")


def test_odd_profile_is_read_as_networkmanager_reads_it(root: Path) -> None:
    """The odd forms are those that older versions and people write."""
    profile = (
        b"[connection]\nid=Office\nuuid=5c3e9f7a-0f0e-4a4c-8f3d-6a3f2b1c0d9e\ntype=802-11-wireless\n\n"
        b"[802-11-wireless]\nssid=67;97;102;195;169;\n\n[802-11-wireless-security]\nkey-mgmt=wpa-psk\npsk=12345678\n\n"
        b"[ipv4]\nmethod=manual\naddresses2=10.0.0.9;24;10.0.0.1;\naddress1=10.0.0.2/24\nroute=10.8.0.0/16,0.0.0.0,5\n"
        b"dns=10.0.0.53\n"
    )
    system, spec = System(str(root)), network_connection.parse({**WIFI, "ssid": "Café"})
    states = []
    for each in (profile, networkmanager.read_back(profile)[0]):
        (root / PROFILES / "Office.nmconnection").write_bytes(each)
        states.append(fields_of(network_connection.inspect(system, spec)))
    assert {name: value for name, value in states[1].items() if states[0][name] != value} == {"ipv6_method": "auto"}
    assert states[0]["ipv4_gateway"] == "10.0.0.1"


REFUSED = [
    ({**WIFI, "security": "wpa2-eap", "eap": "peap"}, "802-1x.identity: property is missing"),
    ({"name": "x", "type": "ethernet", "ipv4": {"method": "disabled", "dns": ("10.0.0.1",)}}, "ipv4.dns: "),
    ({"name": "x", "type": "vpn"}, "vpn.service-type: "),
    ({"name": "x", "type": "nothing-known"}, "invalid connection type; nothing-known"),
    ({"name": "x", "type": "ethernet", "proxy": {"pac_url": "http://a"}}, "proxy.pac-url: "),
]


@pytest.mark.parametrize(("params", "message"), REFUSED)
def test_profile_refused_by_networkmanager_is_not_written(root: Path, params: Mapping[str, Any], message: str) -> None:
    networkmanager.install(root)
    with pytest.raises(ProviderError, match=f"NetworkManager refuses the profile: {message}"):
        written(root, params)
    assert list((root / PROFILES).iterdir()) == []


def test_refusal_contains_no_secret(root: Path) -> None:
    networkmanager.install(root)
    key = {"wireguard": {"private-key": Secret("no key at all")}}
    with pytest.raises(ProviderError, match="NetworkManager refuses the profile") as caught:
        written(root, {"name": "x", "type": "wireguard", "groups": key})
    assert "no key" not in caught.value.explained


@pytest.mark.parametrize("name", ["static", "a password", "enterprise", "vpn"])
def test_profile_accepted_by_networkmanager_is_written(root: Path, name: str) -> None:
    networkmanager.install(root)
    assert b"[connection]" in written(root, CONNECTIONS[name])


def test_nmcli_that_cannot_run_is_ignored(root: Path) -> None:
    program = root / "usr/bin/nmcli"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"\x7fELF of another machine")
    program.chmod(0o755)
    profile = {"name": "x", "type": "vpn"}
    assert written(root, profile)
