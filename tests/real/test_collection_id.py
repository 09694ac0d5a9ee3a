import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Asset, Domain
from converge.providers.flatpak import app as flatpak_app
from converge.providers.flatpak import remote as flatpak_remote
from converge.providers.ostree import collection_id
from converge.system import System, flatpak
from tests.real import flatpakrepo
from tests.real.converging import acting, changes_of, converge, state_of, take_back
from tests.real.flatpakrepo import COLLECTION, Key

OS: dict[str, Any] = {"ostree": "eos", "collection_id": "com.endlessm.Os"}
GROUP = '[remote "eos"]\nurl=http://127.0.0.1:9/\ngpg-verify=true\n'
CORE = "[core]\nrepo_version=1\nmode=bare\n\n"


@pytest.fixture
def repo(tmp_path: Path, key: Key) -> Path:
    """A repository of its own, because tests add a new version of the app to it."""
    path = tmp_path / "served/repo"
    flatpakrepo.build(path, ["org.example.Hello"], "stable", COLLECTION, **flatpakrepo.sign_with(key))
    return path


@pytest.fixture
def old(system: System, repo: Path, key_file: Path) -> Iterator[System]:
    """A machine whose remote has no collection ID, with an app from it; the server is running."""
    with flatpakrepo.serve(repo) as server:
        converge(flatpak_remote, system, name="apps", url=server.url, gpg_key=Asset(str(key_file)))
        converge(flatpak_app, system, app="org.example.Hello", remote="apps")
        yield system


def content(system: System) -> bytes | None:
    return system.read(f"/var/lib/flatpak/app/org.example.Hello/{flatpakrepo.ARCH}/stable/active/files/content")


def update(system: System) -> subprocess.CompletedProcess[str]:
    result = system.run(["flatpak", "update", "--system", "--noninteractive", "-y"])
    return subprocess.CompletedProcess(result.argv, result.returncode, result.stdout, result.stderr)


def new_version(repo: Path, key: Key) -> None:
    flatpakrepo.build(repo, ["org.example.Hello"], "stable", COLLECTION, **flatpakrepo.sign_with(key), content="2")


def test_collection_id_set_lets_flatpak_update(old: System, repo: Path, key: Key) -> None:
    (change,) = converge(collection_id, old, flatpak="apps", collection_id=COLLECTION)
    assert (change.before, change.after) == (None, COLLECTION)
    new_version(repo, key)
    assert update(old).stderr == ""
    assert content(old) == b"2"


def test_wrong_collection_id_breaks_flatpak_update(old: System, repo: Path, key: Key) -> None:
    """Flatpak itself accepts a wrong one, and its next update fails."""
    old.run(["flatpak", "remote-modify", "--system", "--collection-id=org.wrong.Apps", "apps"])
    new_version(repo, key)
    assert "org.wrong.Apps" in update(old).stderr
    assert content(old) == b"1"


def test_collection_id_contradicting_commits_is_refused(old: System) -> None:
    before = old.read(flatpak.CONFIG)
    with pytest.raises(ProviderError, match=r"org\.wrong\.Apps contradicts .*bound to org\.example\.Apps"):
        converge(collection_id, old, flatpak="apps", collection_id="org.wrong.Apps")
    assert old.read(flatpak.CONFIG) == before


def test_collection_id_for_commits_without_one_is_refused(
    system: System, tmp_path: Path, key: Key, key_file: Path
) -> None:
    flatpakrepo.build(tmp_path / "bare", ["org.example.Hello"], **flatpakrepo.sign_with(key))
    with flatpakrepo.serve(tmp_path / "bare") as server:
        converge(flatpak_remote, system, name="apps", url=server.url, gpg_key=Asset(str(key_file)))
        converge(flatpak_app, system, app="org.example.Hello", remote="apps")
        with pytest.raises(ProviderError, match="bound to none"):
            converge(collection_id, system, flatpak="apps", collection_id=COLLECTION)
        flatpakrepo.build(tmp_path / "bare", ["org.example.Hello"], **flatpakrepo.sign_with(key), content="2")
        system.run(["flatpak", "remote-modify", "--system", f"--collection-id={COLLECTION}", "apps"]).require()
        assert update(system).stderr != ""
        assert content(system) == b"1"


def test_collection_id_without_verification_is_refused(system: System) -> None:
    before = CORE + GROUP.replace("gpg-verify=true", "gpg-verify=false")
    system.write("/ostree/repo/config", before.encode())
    with pytest.raises(ProviderError, match="does not verify signatures"):
        converge(collection_id, system, **OS)
    assert system.read("/ostree/repo/config") == before.encode()


def test_ostree_remote_gets_collection_id_and_is_restored(system: System) -> None:
    system.write("/ostree/repo/config", (CORE + GROUP).encode())
    before = state_of(collection_id, system, **OS)
    converge(collection_id, system, **OS)
    expected = CORE + GROUP + "collection-id=com.endlessm.Os\ngpg-verify-summary=false\n"
    assert (system.read("/ostree/repo/config") or b"").decode() == expected
    take_back(collection_id, system, before, **OS)
    assert (system.read("/ostree/repo/config") or b"").decode() == CORE + GROUP


def test_remote_in_remotes_d_has_domain_deployment(system: System) -> None:
    provider = acting(collection_id)
    system.write("/ostree/repo/config", CORE.encode())
    system.write("/etc/ostree/remotes.d/eos.conf", GROUP.encode())
    spec = provider.parse(OS)
    assert set(provider.domains(system, spec).values()) == {Domain.DEPLOYMENT}
    converge(collection_id, system, **OS)
    assert b"collection-id=com.endlessm.Os" in (system.read("/etc/ostree/remotes.d/eos.conf") or b"")
    assert system.read("/ostree/repo/config") == CORE.encode()


def test_repository_by_path_gets_only_collection_id(system: System) -> None:
    system.write("/var/mirror/config", (CORE + GROUP).encode())
    (change,) = converge(collection_id, system, repo="/var/mirror", remote="eos", collection_id="a.b.C")
    assert change.field == "collection_id"


@pytest.mark.parametrize("config", [CORE, None])
def test_missing_remote_is_refused(system: System, config: str | None) -> None:
    if config:
        system.write("/ostree/repo/config", config.encode())
    with pytest.raises(ProviderError, match="remote 'eos' is missing in /ostree/repo/config"):
        changes_of(collection_id, system, **OS)


def test_claims_are_shared_with_flatpak_remote() -> None:
    provider, owner = acting(collection_id), acting(flatpak_remote)
    ours = provider.claims(provider.parse({"flatpak": "apps", "collection_id": COLLECTION}))
    theirs = owner.claims(owner.parse({"name": "apps", "url": "http://a/", "collection_id": COLLECTION}))
    by_path = provider.claims(
        provider.parse({"repo": "/var/lib/flatpak/repo", "remote": "apps", "collection_id": COLLECTION})
    )
    assert set(ours) <= set(theirs)
    assert by_path == ours
