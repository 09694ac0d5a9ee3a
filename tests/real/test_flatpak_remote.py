import base64
import os
from pathlib import Path
from typing import Any

import pytest

from converge.diagnostics import Report
from converge.errors import ProviderError
from converge.language import schema
from converge.language.document import parse
from converge.model import Asset, Phase
from converge.providers.flatpak import app as flatpak_app
from converge.providers.flatpak import remote as flatpak_remote
from converge.providers.protocol import group_of
from converge.system import System, flatpak
from tests.real import flatpakrepo
from tests.real.converging import acting, changes_of, converge, state_of, take_back
from tests.real.flatpakrepo import Key, Server

EVERYTHING: dict[str, Any] = {
    "title": "Apps; a = #1",
    "comment": " leading blank",
    "description": "back\\slash",
    "homepage": "https://example.com/",
    "icon": "https://example.com/icon.svg",
    "collection_id": flatpakrepo.COLLECTION,
    "filter": "/etc/flatpak/some.filter",
    "priority": 7,
    "enumerate": False,
    "use_for_deps": False,
    "default_branch": "stable",
    "subset": "floss",
    "disabled": True,
}
AS_OPTIONS = {
    "title": "--title",
    "comment": "--comment",
    "description": "--description",
    "homepage": "--homepage",
    "icon": "--icon",
    "collection_id": "--collection-id",
    "priority": "--prio",
    "default_branch": "--default-branch",
    "subset": "--subset",
    "filter": "--filter",
}


def config(system: System) -> str:
    return (system.read(flatpak.CONFIG) or b"").decode()


def listing(system: System) -> str:
    return system.run(["flatpak", "--system", "remotes", "--show-disabled", "--columns=all"]).require().stdout


def lines_of(text: str, remote: str) -> list[str]:
    """The sorted lines of a remote in a repository's configuration."""
    return sorted(text.partition(f'[remote "{remote}"]\n')[2].partition("\n[")[0].split())


def test_new_remote_is_written_as_flatpak_writes_it(system: System, key: Key, key_file: Path) -> None:
    url = "http://127.0.0.1:9/"
    system.write("/etc/flatpak/some.filter", b"allow *\n")
    system.write("/var/key.gpg", key.public)
    converge(flatpak_remote, system, name="a", url=url, gpg_key=Asset(str(key_file)), **EVERYTHING)
    options = [f"{option}={EVERYTHING[name]}" for name, option in AS_OPTIONS.items()]
    flags = ["--no-enumerate", "--no-use-for-deps", "--disable", "--gpg-import=/var/key.gpg"]
    system.run(["flatpak", "--system", "remote-add", *options, *flags, "b", url]).require()
    assert lines_of(config(system), "a") == lines_of(config(system), "b") != []


def test_new_remote_is_read_by_flatpak_like_its_own(system: System, server: Server, key: Key, key_file: Path) -> None:
    wanted = {**EVERYTHING, "disabled": False}
    del wanted["filter"]
    converge(flatpak_remote, system, name="ours", url=server.url, gpg_key=Asset(str(key_file)), **wanted)
    system.write("/var/key.gpg", key.public)
    options = [f"{option}={wanted[name]}" for name, option in AS_OPTIONS.items() if name in wanted]
    flags = ["--no-enumerate", "--no-use-for-deps", "--gpg-import=/var/key.gpg"]
    system.run(["flatpak", "--system", "remote-add", *options, *flags, "theirs", server.url]).require()
    ours, theirs = sorted(listing(system).splitlines())
    assert ours.removeprefix("ours") == theirs.removeprefix("theirs")


def test_remote_added_by_flatpak_is_in_place(system: System, server: Server, key: Key, key_file: Path) -> None:
    system.write("/var/key.gpg", key.public)
    add = ["flatpak", "--system", "remote-add", "--gpg-import=/var/key.gpg", "--title=Apps", "apps", server.url]
    system.run(add).require()
    assert not changes_of(
        flatpak_remote, system, name="apps", url=server.url, title="Apps", priority=1, gpg_key=Asset(str(key_file))
    )


def test_unknown_keys_and_groups_stay(system: System) -> None:
    before = '[core]\nrepo_version=1\nmode=bare-user-only\nodd = x\n\n# mine\n[remote "a"]\nurl=http://a/\nxa.new=1\n'
    system.write(flatpak.CONFIG, before.encode())
    converge(flatpak_remote, system, name="a", url="http://b/")
    assert config(system) == before.replace("url=http://a/", "url=http://b/")


@pytest.mark.parametrize("armored", [True, False])
def test_key_file_may_be_ascii_or_binary(system: System, key: Key, armored: bool) -> None:
    system.write("/etc/key", key.armored if armored else key.public)
    converge(flatpak_remote, system, name="a", url="http://127.0.0.1:9/", gpg_key="/etc/key")
    state = state_of(flatpak_remote, system, name="a")
    assert (state["gpg_key"], state["verify"]) == ((key.fingerprint,), True)


def test_replaced_key_is_restored_by_undo(system: System, key: Key, other_key: Key) -> None:
    system.write("/etc/one", key.public)
    system.write("/etc/two", other_key.public)
    params = {"name": "a", "url": "http://127.0.0.1:9/", "gpg_key": "/etc/one"}
    converge(flatpak_remote, system, **params)
    before = state_of(flatpak_remote, system, **params)
    system.remove("/etc/one")
    (change,) = converge(flatpak_remote, system, **{**params, "gpg_key": "/etc/two"})
    assert change.after == (other_key.fingerprint,)
    take_back(flatpak_remote, system, before, name="a", gpg_key="/etc/two")


def test_removed_remote_is_restored_by_undo(system: System, server: Server, key_file: Path) -> None:
    params = {"name": "a", "url": server.url, "title": "T", "gpg_key": Asset(str(key_file))}
    converge(flatpak_remote, system, **params)
    before = state_of(flatpak_remote, system, name="a")
    converge(flatpak_remote, system, name="a", ensure="absent")
    assert system.stat(flatpak.keyring_of("a")) is None
    assert flatpak.remotes(system) == ()
    take_back(flatpak_remote, system, before, name="a", ensure="absent")


def test_remote_in_use_is_not_removed(system: System, server: Server, key_file: Path) -> None:
    converge(flatpak_remote, system, name="a", url=server.url, gpg_key=Asset(str(key_file)))
    converge(flatpak_app, system, app="org.example.Hello", remote="a")
    with pytest.raises(ProviderError, match=r"still the origin of app/org\.example\.Hello/"):
        converge(flatpak_remote, system, name="a", ensure="absent")
    assert flatpak.remotes(system) == ("a",)


def test_group_of_fields_alone_leaves_the_others_to_change(tmp_path: Path, key_file: Path) -> None:
    provider = acting(flatpak_remote)
    spec = provider.parse({"name": "a", "url": "http://127.0.0.1:9/", "gpg_key": Asset(str(key_file)), **EVERYTHING})
    for number, group in enumerate(sorted({group_of(provider, name) for name in EVERYTHING})):
        system = System(str(tmp_path))
        system.write(flatpak.CONFIG, f'[core]\n[remote "a"]\nurl=http://{number}/\n'.encode())
        changes = provider.changes(system, spec, provider.inspect(system, spec))
        chosen = tuple(change for change in changes if change.field in group)
        provider.apply(system, spec, chosen)
        left = provider.changes(system, spec, provider.inspect(system, spec))
        assert left == tuple(change for change in changes if change not in chosen)
        system.remove(flatpak.keyring_of("a"))


@pytest.mark.parametrize("key", ["ensure: present", "url: 'http://a/'", "flatpakrepo: a.flatpakrepo"])
def test_host_change_with_other_address_or_ensure_is_refused(key: str) -> None:
    report = Report()
    head = "converge: 1\nproduct: x\ntitle: X\nresources:\n  x:\n    type: flatpak-remote\n    apply: once\n"
    with_ = f"name: a, host: a.example, with_host: b.example, {key}"
    document = parse(f"{head}    with: {{{with_}}}\n", "x.yaml", report)
    assert document is not None
    schema.check_manifest(document, report)
    assert [found.message for found in report] == [f"'host' and '{key.partition(':')[0]}' exclude each other"]


@pytest.mark.parametrize("extra", [{"gpg_key": "/k"}, {"collection_id": "org.example.Apps"}])
def test_parameters_contradictory_are_refused(extra: dict[str, str]) -> None:
    with pytest.raises(ProviderError, match="requires signature verification"):
        flatpak_remote.parse({"name": "a", "url": "http://a/", "verify": False, **extra})


def test_collection_id_without_verification_is_refused(system: System) -> None:
    before = '[core]\n[remote "a"]\nurl=http://a/\ngpg-verify=false\n'
    system.write(flatpak.CONFIG, before.encode())
    with pytest.raises(ProviderError, match="without signature verification"):
        converge(flatpak_remote, system, name="a", collection_id="org.example.Apps")
    assert config(system) == before


def test_new_remote_without_url_is_refused(system: System) -> None:
    with pytest.raises(ProviderError, match="flatpak remote 'a' is missing"):
        converge(flatpak_remote, system, name="a", title="T")
    assert flatpak.remotes(system) == ()


REPO_FILE = """[Flatpak Repo]
Title=Flathub
Url=http://127.0.0.1:9/repo/
Homepage=https://example.com/
DeployCollectionID=org.example.Apps
GPGKey={key}
"""


@pytest.mark.parametrize("on_machine", [True, False])
def test_flatpakrepo_file_sets_undeclared_fields(system: System, tmp_path: Path, key: Key, on_machine: bool) -> None:
    data = REPO_FILE.format(key=base64.b64encode(key.public).decode()).encode()
    system.write("/etc/hub.flatpakrepo", data)
    (tmp_path / "hub.flatpakrepo").write_bytes(data)
    file = "/etc/hub.flatpakrepo" if on_machine else Asset(str(tmp_path / "hub.flatpakrepo"))
    converge(flatpak_remote, system, name="hub", flatpakrepo=file, title="Ours")
    state = state_of(flatpak_remote, system, name="hub")
    found = [state[name] for name in ("url", "title", "collection_id", "gpg_key", "verify")]
    assert found == ["http://127.0.0.1:9/repo/", "Ours", "org.example.Apps", (key.fingerprint,), True]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://ostree.endlessm-sf.com/ostree/eos", "https://ostree.endlessm.com/ostree/eos"),
        ("https://ostree.endlessm-sf.com:8443/x?y", "https://ostree.endlessm.com:8443/x?y"),
        ("https://user:word@ostree.endlessm-sf.com/x", "https://user:word@ostree.endlessm.com/x"),
        ("https://OSTREE.endlessm-sf.com/", "https://ostree.endlessm.com/"),
        ("https://ostree.endlessm-sf.com.evil.example/x", None),
        ("https://x.ostree.endlessm-sf.com/", None),
        ("https://evil.example/ostree.endlessm-sf.com/", None),
        ("https://ostree.endlessm-sf.com@evil.example/", None),
    ],
)
def test_host_change_needs_exactly_the_host(system: System, url: str, expected: str | None) -> None:
    system.write(flatpak.CONFIG, f'[core]\n[remote "a"]\nurl={url}\n'.encode())
    hosts = {"host": "ostree.endlessm-sf.com", "with_host": "ostree.endlessm.com"}
    converge(flatpak_remote, system, name="a", **hosts)
    assert state_of(flatpak_remote, system, name="a")["url"] == expected or url


def test_host_change_adds_no_remote(system: System) -> None:
    assert changes_of(flatpak_remote, system, name="a", host="a.example", with_host="b.example") == ()


def test_plan_changes_nothing(system: System) -> None:
    changes_of(flatpak_remote, system, name="a", url="http://a/")
    assert os.listdir(f"{system.root}/var") == []


def test_phase_is_fetch_only_for_new_remote(system: System) -> None:
    spec = flatpak_remote.parse({"name": "a", "url": "http://127.0.0.1:9/"})
    added = changes_of(flatpak_remote, system, name="a", url="http://127.0.0.1:9/")
    flatpak_remote.apply(system, spec, added)
    changed = changes_of(flatpak_remote, system, name="a", url="http://127.0.0.1:10/")
    assert [flatpak_remote.phase(spec, changes) for changes in (added, changed)] == [Phase.FETCH, Phase.BOOT]
