from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from converge.errors import Later, ProviderError
from converge.model import Asset
from converge.providers.flatpak import app as flatpak_app
from converge.providers.flatpak import remote as flatpak_remote
from converge.system import System, flatpak
from tests.real import flatpakrepo
from tests.real.converging import changes_of, converge, state_of, take_back
from tests.real.flatpakrepo import ARCH, RUNTIME, Key, Server

HELLO = f"app/org.example.Hello/{ARCH}/stable"
NEW: dict[str, Any] = {"app": "org.gimp.GIMP", "remote": "flathub"}
REPLACING = NEW | {"replaces": {"app": "org.gimp.Gimp", "branch": "eos3", "remote": "eos-apps"}}


def refs(system: System) -> dict[str, str]:
    """The installed refs, with their origins."""
    return {str(ref): ref.origin for ref in flatpak.installed(system)}


def add_remote(system: System, name: str, url: str, key_file: Path) -> None:
    converge(flatpak_remote, system, name=name, url=url, gpg_key=Asset(str(key_file)))


@pytest.fixture
def apps(system: System, server: Server, key_file: Path) -> System:
    add_remote(system, "apps", server.url, key_file)
    return system


@contextmanager
def gimps(folder: Path, key: Key) -> Iterator[tuple[str, str]]:
    """The old vendor's repository and Flathub, each with its own Gimp."""
    eos, hub = folder / "eos", folder / "hub"
    flatpakrepo.build(eos, ["org.gimp.Gimp"], "eos3", "com.endlessm.Apps", **flatpakrepo.sign_with(key))
    flatpakrepo.build(hub, ["org.gimp.GIMP"], "stable", "org.flathub.Stable", **flatpakrepo.sign_with(key))
    with flatpakrepo.serve(eos) as first, flatpakrepo.serve(hub) as second:
        yield first.url, second.url


@pytest.fixture
def endless(system: System, tmp_path: Path, key: Key, key_file: Path) -> Iterator[System]:
    """A machine with the old Gimp, and both remotes."""
    with gimps(tmp_path, key) as (eos, hub):
        add_remote(system, "eos-apps", eos, key_file)
        add_remote(system, "flathub", hub, key_file)
        converge(flatpak_app, system, app="org.gimp.Gimp", branch="eos3", remote="eos-apps")
        yield system


def test_app_brings_runtime_which_stays_after_removal(apps: System) -> None:
    hello = {"app": "org.example.Hello", "remote": "apps"}
    converge(flatpak_app, apps, **hello)
    runtime = f"runtime/{RUNTIME}/{ARCH}/1"
    assert refs(apps) == {HELLO: "apps", runtime: "apps"}
    before = state_of(flatpak_app, apps, **hello)
    converge(flatpak_app, apps, app="org.example.Hello", ensure="absent")
    assert refs(apps) == {runtime: "apps"}
    take_back(flatpak_app, apps, before, app="org.example.Hello", ensure="absent")


def test_removed_app_leaves_data_of_users(apps: System) -> None:
    apps.write("/var/home/u/.var/app/org.example.Hello/data", b"mine")
    converge(flatpak_app, apps, app="org.example.Hello", remote="apps")
    converge(flatpak_app, apps, app="org.example.Hello", ensure="absent")
    assert apps.read("/var/home/u/.var/app/org.example.Hello/data") == b"mine"


def test_runtime_is_installed_alone(apps: System) -> None:
    converge(flatpak_app, apps, runtime=RUNTIME, branch="1", remote="apps")
    assert refs(apps) == {f"runtime/{RUNTIME}/{ARCH}/1": "apps"}


def test_app_is_installed_from_declared_remote(apps: System, server: Server, key_file: Path) -> None:
    add_remote(apps, "others", server.url, key_file)
    converge(flatpak_app, apps, app="org.example.Hello", remote="others")
    assert refs(apps)[HELLO] == "others"
    (change,) = converge(flatpak_app, apps, app="org.example.Hello", remote="apps")
    assert (change.field, refs(apps)[HELLO]) == ("origin", "apps")


def test_same_changes_applied_twice_change_nothing(apps: System, server: Server) -> None:
    spec = flatpak_app.parse({"app": "org.example.Hello", "remote": "apps"})
    changes = changes_of(flatpak_app, apps, app="org.example.Hello", remote="apps")
    flatpak_app.apply(apps, spec, changes)
    requested = len(server.requests)
    flatpak_app.apply(apps, spec, changes)
    assert len(server.requests) == requested


def test_replaces_installs_new_app_and_removes_old(endless: System) -> None:
    converge(flatpak_app, endless, **REPLACING)
    assert {ref: origin for ref, origin in refs(endless).items() if ref.startswith("app/")} == {
        f"app/org.gimp.GIMP/{ARCH}/stable": "flathub"
    }


def test_replaced_app_is_restored_by_undo(endless: System) -> None:
    before = state_of(flatpak_app, endless, **REPLACING)
    converge(flatpak_app, endless, **REPLACING)
    take_back(flatpak_app, endless, before, **REPLACING)
    assert f"app/org.gimp.Gimp/{ARCH}/eos3" in refs(endless)


def test_replacing_app_already_installed_is_left_alone(endless: System) -> None:
    converge(flatpak_app, endless, **NEW)
    path = f"/var/lib/flatpak/app/org.gimp.GIMP/{ARCH}/stable"
    before = endless.stat(path)
    (change,) = converge(flatpak_app, endless, **REPLACING)
    assert (change.field, change.after, endless.stat(path)) == ("replaced", "absent", before)


def test_replaced_app_stays_if_new_one_cannot_be_installed(endless: System) -> None:
    old = refs(endless)
    with pytest.raises(ProviderError, match="Nothing matches"):
        converge(flatpak_app, endless, **(REPLACING | {"app": "org.gimp.Nope"}))
    assert refs(endless) == old


@pytest.mark.parametrize("replaces", [{"app": "org.gimp.Gimp"}, {"app": "org.gimp.Gimp", "branch": "eos3"}])
def test_replaces_without_branch_or_remote_matches_any(endless: System, replaces: dict[str, str]) -> None:
    assert state_of(flatpak_app, endless, **(NEW | {"replaces": replaces}))["replaced"] == "present"


@pytest.mark.parametrize("replaces", [{"branch": "stable"}, {"remote": "flathub"}])
def test_replaces_with_other_branch_or_remote_does_not_match(endless: System, replaces: dict[str, str]) -> None:
    params = NEW | {"replaces": {"app": "org.gimp.Gimp", **replaces}}
    assert state_of(flatpak_app, endless, **params)["replaced"] == "absent"


def test_app_without_network_is_owed(system: System, repo: Path, key_file: Path) -> None:
    with flatpakrepo.serve(repo) as server:
        add_remote(system, "apps", server.url, key_file)
    with pytest.raises(Later) as caught:
        converge(flatpak_app, system, app="org.example.Hello", remote="apps")
    assert caught.value.until == "network"


def test_app_from_unknown_host_is_owed(system: System, key_file: Path) -> None:
    add_remote(system, "apps", "http://nowhere.invalid/", key_file)
    with pytest.raises(Later) as caught:
        converge(flatpak_app, system, app="org.example.Hello", remote="apps")
    assert caught.value.until == "network"


def test_fetched_app_is_installed_without_network(system: System, repo: Path, key_file: Path) -> None:
    spec = flatpak_app.parse({"app": "org.example.Hello", "remote": "apps"})
    with flatpakrepo.serve(repo) as server:
        add_remote(system, "apps", server.url, key_file)
        changes = changes_of(flatpak_app, system, app="org.example.Hello", remote="apps")
        flatpak_app.fetch(system, spec, changes)
    assert refs(system) == {}
    converge(flatpak_app, system, app="org.example.Hello", remote="apps")
    assert set(refs(system)) == {HELLO, f"runtime/{RUNTIME}/{ARCH}/1"}


def test_app_without_disk_room_is_owed(apps: System) -> None:
    config = (apps.read(flatpak.CONFIG) or b"").replace(b"min-free-space-size=500MB", b"min-free-space-size=900TB")
    apps.write(flatpak.CONFIG, config)
    with pytest.raises(Later) as caught:
        converge(flatpak_app, apps, app="org.example.Hello", remote="apps")
    assert caught.value.until == "room"


def test_wrong_signature_fails_with_message_of_flatpak(
    system: System, server: Server, tmp_path: Path, other_key: Key
) -> None:
    (tmp_path / "wrong.gpg").write_bytes(other_key.public)
    add_remote(system, "apps", server.url, tmp_path / "wrong.gpg")
    with pytest.raises(ProviderError, match="signature"):
        converge(flatpak_app, system, app="org.example.Hello", remote="apps")
    assert refs(system) == {}


def test_missing_remote_is_refused(apps: System) -> None:
    with pytest.raises(ProviderError, match="flatpak remote 'nope' is missing"):
        converge(flatpak_app, apps, app="org.example.Hello", remote="nope")


def test_plan_sends_no_request(apps: System, server: Server) -> None:
    requested = len(server.requests)
    assert changes_of(flatpak_app, apps, app="org.example.Hello", remote="apps")
    assert len(server.requests) == requested


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"app": "org.example.Hello"}, "`remote` is required"),
        ({"app": "a.b.c", "ensure": "absent", "replaces": {"app": "a.b.d"}}, "exclude each other"),
    ],
)
def test_parameters_contradictory_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        flatpak_app.parse(params)
