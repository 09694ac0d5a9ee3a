from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Asset, Change, Depends, Domain, Secret
from converge.providers.network import connection
from converge.providers.network.connection.spec import file_name
from converge.providers.protocol import fields_of
from converge.system import System
from converge.system.secrets import is_digest
from tests.real import converging
from tests.real.converging import acting, changes_of

network_connection = acting(connection)

FOLDER = "etc/NetworkManager/system-connections"
PSK = "correct horse"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / FOLDER).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")
    return root


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def changes_for(system: System, **params: Any) -> tuple[Change, ...]:
    return changes_of(connection, system, **params)


def converge(system: System, **params: Any) -> dict[str, Any]:
    """Apply, check that nothing is left to do, and return the changed values by field."""
    return {change.field: change.after for change in converging.converge(connection, system, **params)}


def state_of(system: System, **params: Any) -> dict[str, Any]:
    return fields_of(network_connection.inspect(system, network_connection.parse(params)))


def wired(**params: Any) -> dict[str, Any]:
    return {"name": "Office", "type": "ethernet", **params}


def wireless(**params: Any) -> dict[str, Any]:
    return {"name": "Office", "type": "wifi", "ssid": "Office", **params}


def profile(root: Path, text: str, name: str = "Office") -> Path:
    path = root / FOLDER / f"{name}.nmconnection"
    path.write_text(f"[connection]\nid={name}\nuuid=5c3e9f7a-0f0e-4a4c-8f3d-6a3f2b1c0d9e\n{text}")
    path.chmod(0o600)
    return path


def test_new_profile_is_private_and_as_networkmanager_writes_it(root: Path, system: System) -> None:
    converge(
        system,
        **wireless(
            interface="wlan0",
            autoconnect=False,
            priority=5,
            security="wpa2-psk",
            psk=Secret(PSK),
            ipv4={"method": "manual", "addresses": ("10.0.0.2/24", "10.0.0.3/24"), "gateway": "10.0.0.1"},
            ipv6={"method": "disabled"},
            proxy={"method": "auto", "pac_url": "http://proxy.example.org/"},
        ),
    )
    path = root / FOLDER / "Office.nmconnection"
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 0, 0o600)
    assert path.read_text() == (
        "[connection]\nid=Office\ntype=wifi\nuuid=6d1ca73d-8fe6-5863-a955-111ae7f1326f\n"
        "interface-name=wlan0\nautoconnect=false\nautoconnect-priority=5\n\n"
        "[wifi]\nssid=Office\n\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=correct horse\n\n"
        "[ipv4]\nmethod=manual\naddress1=10.0.0.2/24\naddress2=10.0.0.3/24\ngateway=10.0.0.1\n\n"
        "[ipv6]\nmethod=disabled\n\n[proxy]\nmethod=1\npac-url=http://proxy.example.org/\n"
    )


def test_undeclared_settings_stay(root: Path, system: System) -> None:
    text = "# Ours.\ntype=ethernet\ntimestamp=17\n\n[ethernet]\nmtu=1400\n\n[ipv4]\nmethod=auto\nnever-default=true\n"
    path = profile(root, text)
    before = path.read_text()
    changed = converge(system, **wired(ipv4={"dns": ("10.0.0.53",), "search": ("a.example.org", "b.example.org")}))
    assert changed == {"ipv4_dns": ("10.0.0.53",), "ipv4_search": ("a.example.org", "b.example.org")}
    assert path.read_text() == f"{before}dns=10.0.0.53;\ndns-search=a.example.org;b.example.org;\n"
    converge(system, **wired(ipv4={"dns": (), "search": ()}))
    assert path.read_text() == before


def test_uuid_is_kept_or_derived_from_name(root: Path, system: System) -> None:
    assert converge(system, **wired())["uuid"] == converge(System(f"{root}/etc"), **wired())["uuid"]
    path = profile(root, "type=ethernet\n")
    assert changes_for(system, **wired()) == ()
    path.write_text(
        "[connection]\nid=Office\ntype=ethernet\n"
    )  # NetworkManager has a uuid for it that is not in the file
    assert changes_for(system, **wired()) == ()
    assert converge(system, **wired(uuid="0b2ef3e8-98ad-4a4c-8f3d-6a3f2b1c0d9e")).keys() == {"uuid"}


def test_readable_profile_gets_private_mode(root: Path, system: System) -> None:
    path = profile(root, "type=ethernet\n")
    path.chmod(0o644)
    assert converge(system, **wired()) == {"mode": "0600"}
    assert network_connection.traits.unprotected == ("mode", "owner")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Office", "Office.nmconnection"),
        ("a/b", "a*b.nmconnection"),
        (".hidden", "*hidden.nmconnection"),
        ("a.b~", "a.b~.nmconnection"),
        ("Café", "Café.nmconnection"),
    ],
)
def test_file_name_is_as_networkmanager_chooses_it(name: str, file: str) -> None:
    assert file_name(name) == file


def test_profile_renamed_by_user_is_found_by_uuid(root: Path, system: System) -> None:
    converge(system, **wired())
    ours, theirs = root / FOLDER / "Office.nmconnection", root / FOLDER / "My office.nmconnection"
    ours.rename(theirs)
    theirs.write_text(theirs.read_text().replace("id=Office", "id=My office"))
    (root / FOLDER / "odd").write_text("no profile")
    (root / FOLDER / "folder").mkdir()
    assert changes_for(system, **wired()) == (Change("name", "My office", "Office"),)
    converge(system, **wired(ensure="absent"))
    assert not theirs.exists()


def test_connection_of_another_type_is_refused(root: Path, system: System) -> None:
    profile(root, "type=802-11-wireless\n\n[802-11-wireless]\nssid=Office\n")
    with pytest.raises(ProviderError, match="connection 'Office' already exists with type wifi"):
        changes_for(system, **wired())
    converge(system, name="Office", ensure="absent")


def test_older_group_names_stay(root: Path, system: System) -> None:
    path = profile(root, "type=802-11-wireless\n\n[802-11-wireless]\nssid=Old\n")
    converge(system, **wireless(security="wpa3-sae", psk=Secret("x")))
    assert "[802-11-wireless]\nssid=Office\n\n[wifi-security]\nkey-mgmt=sae\npsk=x\n" in path.read_text()


SSIDS = [
    ("Office", "Office"),
    ("a;b", "a\\\\;b"),
    ("16;17;", "16\\\\;17\\\\;"),
    ("12", "12"),
    (" lead", "\\slead"),
    ("back\\slash", "back\\\\slash"),
    ("Café", "67;97;102;195;169;"),
]


@pytest.mark.parametrize(("ssid", "written"), SSIDS)
def test_ssid_is_written_as_bytes(root: Path, system: System, ssid: str, written: str) -> None:
    converge(system, **{**wireless(), "ssid": ssid})
    assert f"ssid={written}\n" in (root / FOLDER / "Office.nmconnection").read_text()


@pytest.mark.parametrize(
    ("written", "ssid"), [("16;17", "16;17"), ("256;1;", "256;1;"), ("97; 98;", "ab"), ("255;", "\udcff")]
)
def test_ssid_in_other_forms_is_read(root: Path, system: System, written: str, ssid: str) -> None:
    profile(root, f"type=wifi\n\n[wifi]\nssid={written}\n")
    assert state_of(system, **wireless())["ssid"] == ssid


def test_addresses_and_routes_are_normalised(root: Path, system: System) -> None:
    text = (
        "type=ethernet\n\n[ipv4]\nmethod=manual\naddress2=10.0.0.3/24\naddress1=10.0.0.2/24,10.0.0.1\n"
        "addresses3=10.0.0.4;24;0.0.0.0;\nroute1=10.9.0.0/16,10.0.0.9,77\nroute1_options=mtu=1000\n"
        "route2=10.8.0.0/16,0.0.0.0,5\ndns=10.0.0.53;\n\n[ipv6]\naddress1=FD00::2/64,fd00::0001\n"
    )
    path = profile(root, text)
    state = state_of(system, **wired())
    assert state["ipv4_addresses"] == ("10.0.0.2/24", "10.0.0.3/24", "10.0.0.4/24")
    assert (state["ipv4_gateway"], state["ipv6_gateway"]) == ("10.0.0.1", "fd00::1")
    assert state["ipv4_routes"] == ("10.9.0.0/16 10.0.0.9 77", "10.8.0.0/16 5")
    assert state["ipv6_addresses"] == ("fd00::2/64",)
    assert changes_for(system, **wired(ipv6={"addresses": ("fd00:0::2/64",)})) == ()
    converge(system, **wired(ipv4={"addresses": ("10.0.0.7/24",), "routes": ("10.8.0.0/16 5",)}))
    assert "method=manual\ndns=10.0.0.53;\naddress1=10.0.0.7/24\ngateway=10.0.0.1\nroute1=10.8.0.0/16,,5\n" in (
        path.read_text()
    )


def test_default_values_are_in_place_if_keys_are_missing(root: Path, system: System) -> None:
    """NetworkManager omits them when it writes a profile again."""
    params = {"autoconnect": True, "priority": 0, "security": "none", "hidden": False, "proxy": {"method": "none"}}
    profile(root, "type=wifi\n\n[wifi]\nssid=Office\n")
    assert changes_for(system, **wireless(**params)) == ()
    text = (
        "type=wifi\nautoconnect=no\nautoconnect-priority=7\n\n[wifi]\nssid=Office\nhidden=true\n\n[proxy]\nmethod=1\n"
    )
    path = profile(root, text)
    assert converge(system, **wireless(**params)).keys() == {"autoconnect", "priority", "hidden", "proxy_method"}
    assert path.read_text().endswith("type=wifi\n\n[wifi]\nssid=Office\n\n[proxy]\n")


def test_secrets_are_compared_and_reported_as_digests(system: System) -> None:
    changed = converge(system, **wireless(security="wpa2-psk", psk=Secret(PSK)))
    assert is_digest(changed["psk"])
    state = state_of(system, **wireless())
    assert state["psk"] == changed["psk"]
    assert PSK not in repr(state)
    (change,) = changes_for(system, **wireless(security="wpa2-psk", psk=Secret("another one")))
    assert is_digest(change.before)
    assert is_digest(change.after)
    assert change.before != change.after


def test_secret_from_file_is_used_or_refused(root: Path, system: System, tmp_path: Path) -> None:
    beside = tmp_path / "psk"
    beside.write_text(f"{PSK}\n")
    converge(system, **wireless(security="wpa2-psk", psk_file=Asset(str(beside))))
    (root / "etc/psk").write_text(PSK)
    assert changes_for(system, **wireless(security="wpa2-psk", psk_file="/etc/psk")) == ()
    (root / "etc/psk").write_text("")
    with pytest.raises(ProviderError, match="/etc/psk is empty: it must contain the secret"):
        changes_for(system, **wireless(security="wpa2-psk", psk_file="/etc/psk"))
    (root / "etc/psk").write_bytes(b"\xff\xfe")
    with pytest.raises(ProviderError, match="the secret in /etc/psk is not UTF-8 text"):
        changes_for(system, **wireless(security="wpa2-psk", psk_file="/etc/psk"))
    with pytest.raises(ProviderError, match="there is no file /etc/none"):
        changes_for(system, **wireless(security="wpa2-psk", psk_file="/etc/none"))


@pytest.mark.parametrize("psk", ["seven77", "p" * 65, "z" * 64, "with\nline", "umlauts äöü"])
def test_psk_invalid_for_wpa2_is_refused(system: System, psk: str) -> None:
    with pytest.raises(ProviderError, match="the psk is not valid for WPA2") as caught:
        changes_for(system, **wireless(security="wpa2-psk", psk=Secret(psk)))
    assert psk not in caught.value.explained


def test_invalid_secret_in_profile_is_replaced_without_error(root: Path, system: System) -> None:
    profile(root, "type=wifi\n\n[wifi]\nssid=Office\n\n[wifi-security]\nkey-mgmt=sae\npsk=bad\\qescape\n")
    assert converge(system, **wireless(security="wpa3-sae", psk=Secret("x"))).keys() == {"psk"}


def test_secret_flags_are_removed_when_secret_is_set(root: Path, system: System) -> None:
    path = profile(root, "type=wifi\n\n[wifi]\nssid=Office\n\n[wifi-security]\nkey-mgmt=sae\npsk-flags=1\n")
    converge(system, **wireless(security="wpa3-sae", psk=Secret("x")))
    assert path.read_text().endswith("key-mgmt=sae\npsk=x\n")


def test_credentials_of_former_security_are_removed(root: Path, system: System) -> None:
    eap = {"eap": "peap", "identity": "desk", "password": Secret("hunter2")}
    converge(system, **wireless(security="wpa2-eap", **eap))
    path = root / FOLDER / "Office.nmconnection"
    assert "phase2-auth=mschapv2" in path.read_text()
    changed = converge(system, **wireless(security="wpa2-psk", psk=Secret(PSK)))
    assert (changed["password"], changed["identity"], changed["phase2"]) == (None, None, None)
    assert "hunter2" not in path.read_text()
    converge(system, **wireless(security="none"))
    assert path.read_text().endswith("[wifi]\nssid=Office\n")


def test_replaced_secret_is_not_kept_for_undo(root: Path, system: System) -> None:
    profile(root, "type=wifi\n\n[wifi]\nssid=Office\n\n[wifi-security]\nkey-mgmt=sae\npsk=theirs\n")
    params = wireless(security="wpa3-sae", psk=Secret("ours"))
    changes = changes_for(system, **params)
    spec = network_connection.parse(params)
    network_connection.apply(system, spec, changes)
    with pytest.raises(ProviderError, match="the previous secret was not kept"):
        network_connection.apply(system, spec, tuple(change.inverse() for change in changes))
    assert not (root / "var/lib/converge/store").exists()


def vpn(**params: Any) -> dict[str, Any]:
    return {"name": "Office", "type": "vpn", **params}


def test_vpn_is_declared_with_groups(root: Path, system: System) -> None:
    groups = {
        "vpn": {"service-type": "org.freedesktop.NetworkManager.openvpn", "remote": "vpn.example.org", "mtu": 1400},
        "vpn-secrets": {"password": Secret("hunter2")},
        "ipv4": {"never-default": True},
    }
    changed = converge(system, **vpn(groups=groups))
    assert is_digest(changed["groups"]["vpn-secrets"]["password"])
    path = root / FOLDER / "Office.nmconnection"
    assert "remote=vpn.example.org\nmtu=1400\n\n[vpn-secrets]\npassword=hunter2\n" in path.read_text()
    assert state_of(system, **vpn(groups={"vpn": {"remote": "x"}}))["groups"] == {"vpn": {"remote": "vpn.example.org"}}
    assert state_of(system, **vpn())["groups"] is None


def test_secret_keys_as_plain_text_become_secrets(system: System) -> None:
    groups = {"vpn-secrets": {"any": "s3cret"}, "wireguard": {"private-key": "s3cret"}, "gsm": {"pin": 1234}}
    changed = converge(system, **vpn(groups=groups))
    assert all(is_digest(value) for keys in changed["groups"].values() for value in keys.values())


def test_long_value_is_remembered_by_address(root: Path, system: System) -> None:
    changed = converge(system, **vpn(groups={"vpn": {"remotes": "a" * 300}}))
    assert changed["groups"]["vpn"]["remotes"].startswith("sha256:")
    assert "a" * 300 in (root / FOLDER / "Office.nmconnection").read_text()


REFUSED = [
    (wired(type=None), "`type` is required unless `ensure: absent`"),
    (wired(ssid="x"), "`ssid` requires `type: wifi`"),
    (wired(psk_file="/x"), "`psk_file` requires `type: wifi`"),
    ({"name": "x", "type": "wifi"}, "`type: wifi` requires `ssid`"),
    (wireless() | {"ssid": "é" * 17}, "longer than 32 bytes"),
    (wireless(security="wpa2-eap"), "`security: wpa2-eap` requires `eap`"),
    (wired(identity="x"), "`identity` requires `eap`"),
    (wired(password_file="/x"), "`password_file` requires `eap`"),
    (wired(ipv4={"method": "manual"}), "`ipv4.method: manual` requires `ipv4.addresses`"),
    (wired(ipv4={"addresses": ("10.0.0.1",)}), "'10.0.0.1' is not an IPv4 address with a prefix length"),
    (wired(ipv4={"addresses": ("fd00::1/64",)}), "is not an IPv4 address with a prefix length"),
    (wired(ipv6={"gateway": "10.0.0.1"}), "is not an IPv6 address"),
    (wired(ipv4={"dns": ("dns.example.org",)}), "is not an IPv4 address"),
    (wired(ipv4={"routes": ("10.0.0.0/8 10.0.0.1 10.0.0.2",)}), "is not an IPv4 route"),
    (wired(groups={"ipv4": {"dns": "10.0.0.1;"}}), "`groups` must not set dns in [ipv4]"),
    (wired(groups={"ipv6": {"address2": "fd00::1/64"}}), "`groups` must not set address2 in [ipv6]"),
    (wired(name="x" * 250), "too long for a file name"),
]


@pytest.mark.parametrize(("params", "message"), REFUSED)
def test_parameters_contradictory_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError) as caught:
        network_connection.claims(network_connection.parse(params))
    assert message in caught.value.message
    assert caught.value.hint


def test_claims_contain_no_secret(system: System) -> None:
    params = wireless(security="wpa2-psk", psk=Secret(PSK), groups={"wifi-security": {"pmf": "3"}})
    claims = {claim.field: claim for claim in network_connection.claims(network_connection.parse(params))}
    assert (claims["psk"].value, claims["groups"].value) == (Depends.ON_MACHINE, Depends.ON_MACHINE)
    assert claims["mode"].value == "0600"
    assert {claim.thing.recorded for claim in claims.values()} == {f"path:/{FOLDER}/Office.nmconnection"}
    assert set(claims) >= {change.field for change in changes_for(system, **params)}


def test_domain_is_deployment(system: System) -> None:
    domains = network_connection.domains(system, network_connection.parse(wired()))
    assert set(domains.values()) == {Domain.DEPLOYMENT}


def test_profile_removed_during_run_is_not_added_partly(root: Path, system: System) -> None:
    path = profile(root, "type=ethernet\n")
    changes = changes_for(system, **wired(interface="enp1s0"))
    path.unlink()
    with pytest.raises(ProviderError, match="was removed during the run"):
        network_connection.apply(system, network_connection.parse(wired(interface="enp1s0")), changes)
    assert not path.exists()
