from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.providers.ostree import remote as ostree_remote
from converge.system import System, ostree
from converge.testing.interrupted import CutOffError, Interrupted
from tests.real import flatpakrepo, ostreerepo
from tests.real.converging import acting, changes_of, converge, state_of, take_back
from tests.real.flatpakrepo import Key, Server
from tests.real.ostreerepo import BRANCH, COLLECTION, run

URL = "http://127.0.0.1:9/"
CONF = f"{ostree.REMOTES_D}/os.conf"
PLACES = ("repo", "remotes.d")


@pytest.fixture(scope="session")
def os_repo(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Path:
    """No test changes it."""
    path = tmp_path_factory.mktemp("os") / "repo"
    ostreerepo.build(path, key)
    return path


@pytest.fixture
def os_server(os_repo: Path) -> Iterator[Server]:
    with flatpakrepo.serve(os_repo) as running:
        yield running


@pytest.fixture
def machine(system: System) -> System:
    ostreerepo.install(system)
    return system


@pytest.fixture
def key_file(machine: System, key: Key, other_key: Key) -> str:
    """A file on the machine with the signing key; `/etc/other.gpg` contains another one."""
    machine.write("/etc/os.gpg", key.public)
    machine.write("/etc/other.gpg", other_key.public)
    return "/etc/os.gpg"


def pulled(system: System) -> str:
    run(system, "pull", "os").require()
    return run(system, "cat", f"os:{BRANCH}", "/usr/content").require().stdout


def lines_of(system: System, remote: str) -> list[str]:
    """The sorted lines of a remote, in any file."""
    (path,) = ostree.files_with(system, remote)
    text = (system.read(path) or b"").decode()
    return sorted(text.partition(f'[remote "{remote}"]\n')[2].partition("\n[")[0].split())


@pytest.mark.parametrize("place", PLACES)
def test_new_remote_is_written_as_ostree_writes_it(machine: System, key_file: str, place: str) -> None:
    wanted: dict[str, Any] = {
        "content_url": "http://127.0.0.1:10/",
        "proxy": "http://127.0.0.1:11/",
        "tls_ca_path": "/etc/ca.pem",
        "tls_client_cert_path": "/etc/c.pem",
        "tls_client_key_path": "/etc/c.key",
    }
    if place == "repo":
        run(machine, "config", "set", "core.add-remotes-config-dir", "false").require()
    converge(
        ostree_remote,
        machine,
        name="ours",
        stored_in=place,
        url=URL,
        gpg_key=key_file,
        collection_id=COLLECTION,
        branches=[BRANCH, "os/other"],
        **wanted,
    )
    keys = {**wanted, "gpg_verify": "true", "gpg_verify_summary": "false"}
    keys["contenturl"] = keys.pop("content_url")
    options = [f"--set={name.replace('_', '-')}={value}" for name, value in keys.items()]
    machine.write("/var/os.gpg", machine.read(key_file) or b"")
    imported = ["--gpg-import=/var/os.gpg", f"--collection-id={COLLECTION}"]
    run(machine, "remote", "add", *imported, *options, "theirs", URL, BRANCH, "os/other").require()
    assert lines_of(machine, "ours") == lines_of(machine, "theirs") != []
    assert [ostree.files_with(machine, name) for name in ("ours", "theirs")] == [
        (ostree.CONFIG if place == "repo" else f"{ostree.REMOTES_D}/{name}.conf",) for name in ("ours", "theirs")
    ]


@pytest.mark.parametrize("place", PLACES)
def test_new_remote_is_used_by_ostree(machine: System, os_server: Server, key_file: str, place: str) -> None:
    wanted: dict[str, Any] = {"gpg_key": key_file, "collection_id": COLLECTION, "branches": [BRANCH]}
    converge(ostree_remote, machine, name="os", url=os_server.url, stored_in=place, **wanted)
    assert run(machine, "remote", "list").require().stdout == "os\n"
    assert run(machine, "remote", "show-url", "os").require().stdout == f"{os_server.url}\n"
    assert f"os:{BRANCH}" in run(machine, "remote", "refs", "os").require().stdout.split()
    assert pulled(machine) == "1"


@pytest.mark.parametrize("place", PLACES)
def test_only_declared_keys_are_trusted(
    machine: System, os_server: Server, key: Key, key_file: str, place: str
) -> None:
    """The keys of a remote in remotes.d are in the repository too."""
    wanted = {"name": "os", "url": os_server.url, "stored_in": place, "branches": [BRANCH]}
    converge(ostree_remote, machine, gpg_key="/etc/other.gpg", **wanted)
    before = state_of(ostree_remote, machine, name="os")
    assert "public key not found" in run(machine, "pull", "os").stderr
    (change,) = converge(ostree_remote, machine, gpg_key=key_file, **wanted)
    assert change.after == (key.fingerprint,)
    assert key.fingerprint in run(machine, "remote", "gpg-list-keys", "os").require().stdout
    assert pulled(machine) == "1"
    take_back(ostree_remote, machine, before, name="os", gpg_key=key_file)


@pytest.mark.parametrize("place", PLACES)
def test_key_imported_by_ostree_is_in_place(machine: System, key_file: str, key: Key, place: str) -> None:
    converge(ostree_remote, machine, name="os", url=URL, stored_in=place)
    machine.write("/var/os.gpg", key.public)
    run(machine, "remote", "gpg-import", "os", "--keyring=/var/os.gpg").require()
    assert changes_of(ostree_remote, machine, name="os", url=URL, gpg_key=key_file, gpg_verify=True) == ()


def test_remote_added_by_ostree_is_in_place(machine: System, key: Key, key_file: str) -> None:
    machine.write("/var/os.gpg", key.public)
    run(machine, "remote", "add", "--gpg-import=/var/os.gpg", "os", URL, BRANCH).require()
    assert changes_of(ostree_remote, machine, name="os", url=URL, gpg_key=key_file, branches=[BRANCH]) == ()
    assert state_of(ostree_remote, machine, name="os")["stored_in"] == "remotes.d"


@pytest.mark.parametrize("place", PLACES)
def test_removed_remote_is_restored_by_undo(machine: System, os_server: Server, key_file: str, place: str) -> None:
    wanted: dict[str, Any] = {"gpg_key": key_file, "branches": [BRANCH], "stored_in": place}
    converge(ostree_remote, machine, name="os", url=os_server.url, **wanted)
    before = state_of(ostree_remote, machine, name="os")
    converge(ostree_remote, machine, name="os", ensure="absent")
    assert run(machine, "remote", "list").require().stdout == ""
    assert (machine.stat(ostree.keyring_of("os")), machine.stat(CONF)) == (None, None)
    take_back(ostree_remote, machine, before, name="os", ensure="absent")
    assert pulled(machine) == "1"


def test_host_change_is_used_by_ostree(machine: System, os_server: Server, key_file: str) -> None:
    old = os_server.url.replace("127.0.0.1", "old.example.com")
    converge(ostree_remote, machine, name="os", url=old, gpg_key=key_file, branches=[BRANCH])
    converge(ostree_remote, machine, name="os", host="old.example.com", with_host="127.0.0.1")
    assert run(machine, "remote", "show-url", "os").require().stdout == f"{os_server.url}\n"
    assert pulled(machine) == "1"


def test_collection_id_contradicting_commits_is_refused(machine: System, os_server: Server, key_file: str) -> None:
    converge(ostree_remote, machine, name="os", url=os_server.url, gpg_key=key_file, branches=[BRANCH])
    pulled(machine)
    before = machine.read(ostree.CONFIG)
    with pytest.raises(ProviderError, match=r"com\.wrong\.Os contradicts .*bound to com\.example\.Os"):
        converge(ostree_remote, machine, name="os", collection_id="com.wrong.Os")
    assert machine.read(ostree.CONFIG) == before
    converge(ostree_remote, machine, name="os", collection_id=COLLECTION)
    assert pulled(machine) == "1"


def twice(system: System) -> None:
    """The same remote in both places, and one in remotes.d alone."""
    run(system, "config", "set", "core.add-remotes-config-dir", "false").require()
    run(system, "remote", "add", "--no-gpg-verify", "os", URL).require()
    run(system, "config", "unset", "core.add-remotes-config-dir").require()
    run(system, "remote", "add", "--no-gpg-verify", "more", URL).require()
    system.write(CONF, b'[remote "os"]\nurl=http://127.0.0.1:10/\n')


def opening(system: System) -> str:
    """The error of ostree if it cannot open the repository, or an empty text."""
    done = run(system, "remote", "list")
    return "" if done.ok else done.stderr


def test_ostree_fails_if_two_files_name_one_remote(machine: System) -> None:
    """The reason for `gather`: libostree cannot be configured to ignore remotes.d."""
    twice(machine)
    assert 'Multiple specifications found for remote "os"' in opening(machine)
    config = (machine.read(ostree.CONFIG) or b"").replace(b"[core]\n", b"[core]\nadd-remotes-config-dir=false\n")
    machine.write(ostree.CONFIG, config)
    assert 'Multiple specifications found for remote "os"' in opening(machine)


def test_gathered_remotes_are_in_ostrees_place_for_new_ones(machine: System) -> None:
    twice(machine)
    converge(ostree_remote, machine, gather=True)
    run(machine, "remote", "add", "--no-gpg-verify", "new", URL).require()
    assert run(machine, "remote", "list").require().stdout.split() == ["more", "new", "os"]
    assert run(machine, "remote", "show-url", "os").require().stdout == f"{URL}\n"
    assert machine.list_folder(ostree.REMOTES_D) == ()
    assert changes_of(ostree_remote, machine, gather=True) == ()


def test_gather_makes_repository_usable_with_first_write(tmp_path: Path) -> None:
    provider = acting(ostree_remote)
    spec = provider.parse({"gather": True})

    def machine(name: str) -> System:
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "var").mkdir()
        made = System(str(tmp_path / name))
        ostreerepo.install(made)
        twice(made)
        return made

    whole = machine("whole")
    counting = Interrupted(whole.root)
    changes = provider.changes(whole, spec, provider.inspect(whole, spec))
    provider.apply(counting, spec, changes)
    for limit in range(counting.changes):
        cut = machine(f"cut-{limit}")
        with pytest.raises(CutOffError):
            provider.apply(Interrupted(cut.root, limit), spec, changes)
        written = b"add-remotes-config-dir" in (cut.read(ostree.CONFIG) or b"")
        assert ("Multiple specifications" in opening(cut)) is not written, limit
        converge(ostree_remote, cut, gather=True)
        assert opening(cut) == ""
        assert cut.read(ostree.CONFIG) == whole.read(ostree.CONFIG)
