from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from converge.errors import Later, ProviderError
from converge.model import Asset
from converge.providers.flatpak import app as flatpak_app
from converge.providers.flatpak import remote as flatpak_remote
from converge.providers.protocol import as_module
from converge.system import System, flatpak
from tests.real import flatpakrepo
from tests.real.converging import changes_of, converge, state_of, take_back
from tests.real.flatpakrepo import ARCH, RUNTIME, Key, Server

HELLO = f"app/org.example.Hello/{ARCH}/stable"
NEW: dict[str, Any] = {"app": "org.gimp.GIMP", "remote": "flathub"}
REPLACING = NEW | {"replaces": {"app": "org.gimp.Gimp", "branch": "eos3", "remote": "eos-apps"}}


def refs(system: System) -> dict[str, str]:
    """What is installed, and where it came from."""
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


def test_an_app_comes_with_its_runtime_and_goes_alone(apps: System) -> None:
    hello = {"app": "org.example.Hello", "remote": "apps"}
    converge(flatpak_app, apps, **hello)
    runtime = f"runtime/{RUNTIME}/{ARCH}/1"
    assert refs(apps) == {HELLO: "apps", runtime: "apps"}
    before = state_of(flatpak_app, apps, **hello)
    converge(flatpak_app, apps, app="org.example.Hello", ensure="absent")
    assert refs(apps) == {runtime: "apps"}
    take_back(flatpak_app, apps, before, app="org.example.Hello", ensure="absent")


def test_what_users_keep_in_an_app_outlives_it(apps: System) -> None:
    apps.write("/var/home/u/.var/app/org.example.Hello/data", b"mine")
    converge(flatpak_app, apps, app="org.example.Hello", remote="apps")
    converge(flatpak_app, apps, app="org.example.Hello", ensure="absent")
    assert apps.read("/var/home/u/.var/app/org.example.Hello/data") == b"mine"


def test_a_runtime(apps: System) -> None:
    converge(flatpak_app, apps, runtime=RUNTIME, branch="1", remote="apps")
    assert refs(apps) == {f"runtime/{RUNTIME}/{ARCH}/1": "apps"}


def test_another_remote_is_pinned_and_can_be_changed_to(apps: System, server: Server, key_file: Path) -> None:
    add_remote(apps, "others", server.url, key_file)
    converge(flatpak_app, apps, app="org.example.Hello", remote="others")
    assert refs(apps)[HELLO] == "others"
    (change,) = converge(flatpak_app, apps, app="org.example.Hello", remote="apps")
    assert (change.field, refs(apps)[HELLO]) == ("origin", "apps")


def test_applying_the_same_changes_again_changes_nothing(apps: System, server: Server) -> None:
    spec = flatpak_app.parse({"app": "org.example.Hello", "remote": "apps"})
    changes = flatpak_app.diff(spec, flatpak_app.inspect(apps, spec))
    flatpak_app.apply(apps, spec, changes)
    asked = len(server.requests)
    flatpak_app.apply(apps, spec, changes)
    assert len(server.requests) == asked


def test_one_ref_replaces_another(endless: System) -> None:
    converge(flatpak_app, endless, **REPLACING)
    assert {ref: origin for ref, origin in refs(endless).items() if ref.startswith("app/")} == {
        f"app/org.gimp.GIMP/{ARCH}/stable": "flathub"
    }


def test_what_was_replaced_can_be_taken_back(endless: System) -> None:
    before = state_of(flatpak_app, endless, **REPLACING)
    converge(flatpak_app, endless, **REPLACING)
    take_back(flatpak_app, endless, before, **REPLACING)
    assert f"app/org.gimp.Gimp/{ARCH}/eos3" in refs(endless)


def test_a_new_app_that_is_there_already_is_left_as_it_is(endless: System) -> None:
    converge(flatpak_app, endless, **NEW)
    path = f"/var/lib/flatpak/app/org.gimp.GIMP/{ARCH}/stable"
    before = endless.stat(path)
    (change,) = converge(flatpak_app, endless, **REPLACING)
    assert (change.field, change.after, endless.stat(path)) == ("replaced", "absent", before)


def test_the_old_one_stays_where_the_new_one_cannot_come(endless: System) -> None:
    old = refs(endless)
    with pytest.raises(ProviderError, match="Nothing matches"):
        converge(flatpak_app, endless, **(REPLACING | {"app": "org.gimp.Nope"}))
    assert refs(endless) == old


@pytest.mark.parametrize("replaces", [{"app": "org.gimp.Gimp"}, {"app": "org.gimp.Gimp", "branch": "eos3"}])
def test_any_branch_and_remote_where_none_is_named(endless: System, replaces: dict[str, str]) -> None:
    assert state_of(flatpak_app, endless, **(NEW | {"replaces": replaces}))["replaced"] == "present"


@pytest.mark.parametrize("replaces", [{"branch": "stable"}, {"remote": "flathub"}])
def test_another_branch_or_remote_is_not_meant(endless: System, replaces: dict[str, str]) -> None:
    asked = {"app": "org.gimp.Gimp", **replaces}
    assert state_of(flatpak_app, endless, **(NEW | {"replaces": asked}))["replaced"] == "absent"


def test_offline_is_owed(system: System, repo: Path, key_file: Path) -> None:
    with flatpakrepo.serve(repo) as server:
        add_remote(system, "apps", server.url, key_file)
    with pytest.raises(Later) as caught:
        converge(flatpak_app, system, app="org.example.Hello", remote="apps")
    assert caught.value.until == "network"


def test_an_unknown_host_is_owed(system: System, key_file: Path) -> None:
    add_remote(system, "apps", "http://nowhere.invalid/", key_file)
    with pytest.raises(Later) as caught:
        converge(flatpak_app, system, app="org.example.Hello", remote="apps")
    assert caught.value.until == "network"


def test_what_was_fetched_is_installed_without_network(system: System, repo: Path, key_file: Path) -> None:
    spec = as_module(flatpak_app).parse({"app": "org.example.Hello", "remote": "apps"})
    with flatpakrepo.serve(repo) as server:
        add_remote(system, "apps", server.url, key_file)
        changes = flatpak_app.diff(spec, flatpak_app.inspect(system, spec))
        flatpak_app.fetch(system, spec, changes)
    assert refs(system) == {}
    converge(flatpak_app, system, app="org.example.Hello", remote="apps")
    assert set(refs(system)) == {HELLO, f"runtime/{RUNTIME}/{ARCH}/1"}


def test_no_room_is_owed(apps: System) -> None:
    config = (apps.read(flatpak.CONFIG) or b"").replace(b"min-free-space-size=500MB", b"min-free-space-size=900TB")
    apps.write(flatpak.CONFIG, config)
    with pytest.raises(Later) as caught:
        converge(flatpak_app, apps, app="org.example.Hello", remote="apps")
    assert caught.value.until == "room"


def test_a_wrong_signature_fails_with_what_flatpak_says(
    system: System, server: Server, tmp_path: Path, other_key: Key
) -> None:
    (tmp_path / "wrong.gpg").write_bytes(other_key.public)
    add_remote(system, "apps", server.url, tmp_path / "wrong.gpg")
    with pytest.raises(ProviderError, match="signature"):
        converge(flatpak_app, system, app="org.example.Hello", remote="apps")
    assert refs(system) == {}


def test_a_remote_that_is_not_there_is_an_error(apps: System) -> None:
    with pytest.raises(ProviderError, match="no flatpak remote 'nope'"):
        converge(flatpak_app, apps, app="org.example.Hello", remote="nope")


def test_planning_asks_no_server(apps: System, server: Server) -> None:
    asked = len(server.requests)
    assert changes_of(flatpak_app, apps, app="org.example.Hello", remote="apps")
    assert len(server.requests) == asked


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"app": "org.example.Hello"}, "needs a remote"),
        ({"app": "a.b.c", "ensure": "absent", "replaces": {"app": "a.b.d"}}, "exclude each other"),
    ],
)
def test_contradictions_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        flatpak_app.parse(params)
