"""A running NetworkManager loads every profile that is written or removed, and nothing is activated."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real import livebox, networkmanager

START = """
cp -a %s/usr/. /usr/
mkdir -p /etc/NetworkManager /run/dbus /run/udev
dbus-daemon --system --fork
NetworkManager
for second in $(seq 30); do nmcli general >/dev/null 2>&1 && exit; sleep 1; done
exit 1
"""
SHOW = """
show() { nmcli --get-values 802-11-wireless-security.psk --show-secrets connection show Guests; }
for second in $(seq 30); do test "$(show)" && break; sleep 1; done
show
"""
"""On a busy machine NetworkManager may show the profile first, and its secret later."""
DECLARED = """
converge: 1
product: test
parameters: {psk: {type: secret}}
resources:
  guests:
    type: network-connection
    apply: always
    with: {name: Guests, type: wifi, ssid: Guests, security: wpa2-psk, psk: "{{ psk }}"}
  lab:
    type: network-connection
    apply: always
    with: {name: Lab, type: ethernet, interface: lab0}
"""
OTHERWISE = """
converge: 1
product: test
resources:
  guests: {type: network-connection, apply: always, with: {name: Guests, ensure: absent}}
  lab: {type: network-connection, apply: always, with: {name: Lab, type: ethernet, interface: lab1}}
"""
SECRET = "correct horse"


@pytest.fixture
def box() -> Iterator[Any]:
    if not livebox.available() or not networkmanager.UNPACKED.is_dir() or not shutil.which("dbus-daemon"):
        pytest.skip("a machine with NetworkManager cannot be created here")
    with livebox.livebox() as made:
        yield made


def converge(box: Any, folder: Path, text: str, *words: str) -> str:
    manifest = folder / "test.yaml"
    manifest.write_text(text)
    done = box.converge("apply", str(manifest), *words)
    assert done.returncode == 0, done.stderr
    return str(done.stdout + done.stderr)


def test_running_networkmanager_loads_declared_connections(box: Any, tmp_path: Path) -> None:
    started = box.run(["sh", "-ec", START % networkmanager.UNPACKED])
    assert started.returncode == 0, started.stderr
    assert SECRET not in converge(box, tmp_path, DECLARED, "--set", f"psk={SECRET}")
    assert box.run(["sh", "-c", SHOW]).stdout == f"{SECRET}\n"
    converge(box, tmp_path, OTHERWISE)
    assert box.run(["nmcli", "-g", "connection.interface-name", "connection", "show", "Lab"]).stdout == "lab1\n"
    assert "Guests" not in box.run(["nmcli", "-g", "name", "connection", "show"]).stdout


def test_connection_without_bus_is_only_written(box: Any, tmp_path: Path) -> None:
    """Early in the boot there is no bus."""
    assert box.run(["cp", "-a", f"{networkmanager.UNPACKED}/usr/.", "/usr/"]).returncode == 0
    converge(box, tmp_path, DECLARED, "--set", f"psk={SECRET}")
    assert (box.root / "etc/NetworkManager/system-connections/Guests.nmconnection").stat().st_mode & 0o777 == 0o600
