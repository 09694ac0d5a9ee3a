from typing import Any

from converge.model import Secret
from converge.system import System
from tests.laws.workshop import Workshop, make

FOLDER = "/etc/NetworkManager/system-connections"
WIRED = b"""# Made by hand.
[connection]
id=Office
uuid=5c3e9f7a-0f0e-4a4c-8f3d-6a3f2b1c0d9e
type=802-3-ethernet
timestamp=1700000000

[802-3-ethernet]
mtu=1400

[ipv4]
method=manual
address1=10.0.0.2/24,10.0.0.1
dns=10.0.0.53;
never-default=true

[ipv6]
method=auto
"""
TEACHERS = b"""[connection]
id=Teachers
type=wifi
interface-name=wlan0

[wifi]
ssid=Teachers
hidden=true

[wifi-security]
key-mgmt=wpa-eap

[802-1x]
eap=ttls;
identity=nobody
password=the old one
phase2-auth=pap
"""
TUNNEL = b"""[connection]
id=Tunnel
type=vpn

[vpn]
service-type=org.freedesktop.NetworkManager.openvpn
remote=old.example.org
port=1194

[vpn-secrets]
password=the old one
"""


def wired(_: System, __: Workshop) -> dict[str, Any]:
    return {"name": "Wired", "type": "ethernet"}


def wireless(_: System, workshop: Workshop) -> dict[str, Any]:
    return {
        "name": "Caf\u00e9/1",
        "type": "wifi",
        "ssid": "Caf\u00e9;1",
        "security": "wpa3-sae",
        "psk_file": workshop.asset("psk", b"open sesame\n"),
        "priority": 5,
        "autoconnect": False,
        "ipv6": {"method": "disabled"},
        "proxy": {"method": "auto", "pac_url": "http://proxy.example.org/proxy.pac"},
    }


def other_addresses(system: System, _: Workshop) -> dict[str, Any]:
    system.write(f"{FOLDER}/Office.nmconnection", WIRED, mode=0o644, uid=1000)
    return {
        "name": "Office",
        "type": "ethernet",
        "interface": "enp1s0",
        "ipv4": {
            "addresses": ("10.0.0.3/24", "10.0.1.3/24"),
            "gateway": "10.0.0.2",
            "dns": (),
            "search": ("a.example.org",),
            "routes": ("10.9.0.0/16 10.0.0.9 77", "10.8.0.0/16 5"),
        },
        "ipv6": {"method": "manual", "addresses": ("FD00::0002/64",), "dns": ("fd00::53",)},
        "groups": {"ethernet": {"mtu": 1500}, "ipv4": {"never-default": False}, "user": {"org.example.seat": "12"}},
    }


def another_password(system: System, _: Workshop) -> dict[str, Any]:
    system.write(f"{FOLDER}/Teachers.nmconnection", TEACHERS, mode=0o600)
    return {
        "name": "Teachers",
        "type": "wifi",
        "ssid": "Teachers",
        "security": "wpa2-eap",
        "eap": "peap",
        "identity": "desk",
        "anonymous_identity": "anonymous",
        "password": Secret(" the \\new; one"),
        "ca_cert": "/etc/ssl/certs/meadow.pem",
    }


def renamed_by_its_user(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "network-connection", name="Lab", type="ethernet", groups={"ethernet": {"mtu": "1400"}})
    profile = system.read(f"{FOLDER}/Lab.nmconnection") or b""
    system.remove(f"{FOLDER}/Lab.nmconnection", keep=False)
    system.write(f"{FOLDER}/My lab.nmconnection", profile.replace(b"id=Lab", b"id=My lab"), mode=0o600)
    return {"name": "Lab", "type": "ethernet", "proxy": {"method": "auto"}}


def vpn(system: System, _: Workshop) -> dict[str, Any]:
    system.write(f"{FOLDER}/Tunnel.nmconnection", TUNNEL, mode=0o600)
    return {
        "name": "Tunnel",
        "type": "vpn",
        "groups": {"vpn": {"remote": "vpn.example.org", "user": "desk"}, "vpn-secrets": {"password": Secret("new")}},
    }


def unwanted(system: System, _: Workshop) -> dict[str, Any]:
    system.write(f"{FOLDER}/Office.nmconnection", WIRED, mode=0o600)
    return {"name": "Office", "ensure": "absent"}


SPECIMENS = (wired, wireless, other_addresses, another_password, renamed_by_its_user, vpn, unwanted)
