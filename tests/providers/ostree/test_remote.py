"""An ostree remote in plain files; tests/real tests it with the real ostree."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from converge.checks import validate
from converge.diagnostics import Report
from converge.engine.request import prepare
from converge.engine.run import carry_out
from converge.errors import ProviderError
from converge.language import schema
from converge.language.document import parse
from converge.model import Change, Domain, Event
from converge.providers.ostree import collection_id
from converge.providers.ostree import remote as ostree_remote
from converge.system import System, lock, ostree
from converge.testing.interrupted import CutOffError, Interrupted
from tests.machine import Machine, outcomes, snapshot
from tests.real.converging import acting, changes_of, converge, state_of, take_back

CORE = "[core]\nrepo_version=1\nmode=bare\n"
OS = '[remote "os"]\nurl=https://example.org/os\n'
CONF = f"{ostree.REMOTES_D}/os.conf"
HOSTS = {"host": "example.org", "with_host": "example.com"}
DEPLOYMENTS = "/ostree/deploy/os/deploy"


@pytest.fixture
def system(tmp_path: Path) -> System:
    root = tmp_path / "root"
    for name in ("etc", "var"):
        (root / name).mkdir(parents=True)
    system = System(str(root))
    system.write(ostree.CONFIG, CORE.encode())
    return system


def text(system: System, path: str = ostree.CONFIG) -> str:
    return (system.read(path) or b"").decode()


def put(system: System, **files: str) -> None:
    """Write files of remotes.d, by their names without `.conf`; `config` is the remotes in the repository."""
    for name, content in files.items():
        if name == "config":
            system.write(ostree.CONFIG, f"{CORE}\n{content}".encode())
        else:
            system.write(f"{ostree.REMOTES_D}/{name}.conf", content.encode())


def domains(system: System, **params: Any) -> set[Domain]:
    return set(ostree_remote.domains(system, ostree_remote.parse(params)).values())


def refused(with_: str) -> list[str]:
    report = Report()
    head = "converge: 1\nproduct: x\ntitle: X\nresources:\n  x:\n    type: ostree-remote\n    apply: once\n"
    document = parse(f"{head}    with: {{{with_}}}\n", "x.yaml", report)
    assert document is not None
    schema.check_manifest(document, report)
    return [found.message for found in report]


@pytest.mark.parametrize(
    ("with_", "message"),
    [
        ("ensure: present", "ostree-remote requires 'name' or 'gather'"),
        ("gather: true, name: os", "'name' and 'gather' exclude each other"),
        ("gather: true, proxy: 'http://p/'", "'proxy' and 'gather' exclude each other"),
        ("gather: false", "'gather' must be true, not false"),
        ("name: os, host: a.org", "'host' of ostree-remote requires 'with_host'"),
        ("name: os, host: a.org, with_host: b.org, content_url: 'http://c/'", "'host' and 'content_url' exclude"),
        ("name: os, stored_in: etc", "'stored_in' must be repo or remotes.d, not 'etc'"),
        ("name: os, branches: ['a;b']", "entry 1 of 'branches' must be a branch"),
        (
            "name: os, tls_client_cert_path: /c",
            "'tls_client_cert_path' of ostree-remote requires 'tls_client_key_path'",
        ),
        ("name: a/b", "'name' must be a name of letters"),
    ],
)
def test_parameters_invalid_are_refused(with_: str, message: str) -> None:
    (found,) = refused(with_)
    assert message in found


@pytest.mark.parametrize("with_", ['gather: "{{ all }}"', "name: os, branches: []", "name: os, proxy: ''"])
def test_parameters_valid_are_accepted(with_: str) -> None:
    assert refused(with_) == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "`name` or `gather: true` is required"),
        ({"gather": False}, "`name` or `gather: true` is required"),
        ({"name": "os", "gpg_verify": False, "gpg_key": "/k"}, "`gpg_key` requires signature verification"),
        (
            {"name": "os", "gpg_verify": False, "collection_id": "a.b"},
            "`collection_id` requires signature",
        ),
    ],
)
def test_parameters_contradictory_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        ostree_remote.parse(params)


def test_claims_are_shared_with_collection_id() -> None:
    owner, provider = acting(ostree_remote), acting(collection_id)
    ours = owner.claims(owner.parse({"name": "os", "url": "http://a/", "collection_id": "a.b"}))
    theirs = provider.claims(provider.parse({"ostree": "os", "collection_id": "a.b"}))
    assert set(theirs) <= set(ours)
    other = provider.claims(provider.parse({"ostree": "os", "collection_id": "a.c"}))
    assert {claim.field for claim in set(other) - set(ours)} == {"collection_id"}


def test_gather_conflicts_with_remote_in_remotes_d(tmp_path: Path) -> None:
    both = """\
converge: 1
product: both
title: Both
resources:
  all: {type: ostree-remote, apply: always, with: {gather: true}}
  os: {type: ostree-remote, apply: always, with: {name: os, url: "https://example.org/", stored_in: remotes.d}}
  more: {type: ostree-remote, apply: always, with: {name: more, url: "https://example.org/", stored_in: repo}}
"""
    (tmp_path / "both.yaml").write_text(both)
    report = Report()
    validate([str(tmp_path / "both.yaml")], [], report)
    (found,) = report
    assert found.code == "claim-conflict"
    assert "'os' and 'all' always apply, and set different values for conf_files" in found.message


def test_domain_is_that_of_the_remotes_file(system: System) -> None:
    put(system, config=OS, more=OS.replace("os", "more"))
    found = [domains(system, name=name) for name in ("os", "more", "new")]
    assert found == [{Domain.MACHINE}, {Domain.DEPLOYMENT}, {Domain.MACHINE}]
    assert domains(system, name="new", stored_in="remotes.d") == {Domain.DEPLOYMENT}
    assert domains(system, gather=True) == {Domain.DEPLOYMENT}


def test_remote_is_changed_in_its_file(system: System) -> None:
    put(system, os=f"# Ours.\n{OS}odd=1\n", more=OS.replace("os", "more"))
    (change,) = converge(ostree_remote, system, name="os", url="https://example.com/os")
    assert change.field == "url"
    assert text(system, CONF) == f"# Ours.\n{OS}odd=1\n".replace(".org", ".com")
    assert text(system) == CORE


def test_new_remote_is_stored_in_repository(system: System) -> None:
    changes = converge(ostree_remote, system, name="os", url="https://example.org/os")
    assert changes[:2] == (Change("ensure", "absent", "present"), Change("stored_in", None, "repo"))
    assert text(system) == f"{CORE}\n{OS}"


def test_remote_stored_elsewhere_is_not_duplicated(system: System) -> None:
    put(system, os=OS)
    with pytest.raises(ProviderError, match=f"'os' is already stored in {CONF}"):
        changes_of(ostree_remote, system, name="os", url="https://example.org/os", stored_in="repo")


def test_remote_in_both_places_repository_counts(system: System) -> None:
    put(system, config=OS, os=OS.replace(".org", ".net"))
    state = state_of(ostree_remote, system, name="os")
    assert (state["stored_in"], state["url"]) == ("repo", "https://example.org/os")
    assert state_of(ostree_remote, system, name="os", stored_in="remotes.d")["url"] == "https://example.net/os"
    converge(ostree_remote, system, name="os", ensure="absent")
    assert ostree.remotes(system) == ()


@pytest.mark.parametrize("params", [{}, {"collection_id": "a.b"}])
def test_new_remote_without_url_is_refused(system: System, params: dict[str, str]) -> None:
    with pytest.raises(ProviderError, match="ostree remote 'os' is missing") as raised:
        changes_of(ostree_remote, system, name="os", **params)
    assert raised.value.hint == "set `url` to add it"


def test_remote_removed_during_run_is_not_added_partly(system: System) -> None:
    put(system, config=OS)
    changes = changes_of(ostree_remote, system, name="os", **HOSTS)
    put(system, config="")
    with pytest.raises(ProviderError, match="'os' was removed during the run"):
        ostree_remote.apply(system, ostree_remote.parse({"name": "os", **HOSTS}), changes)


def test_missing_repository_is_refused_unless_nothing_to_do(system: System) -> None:
    system.remove(ostree.CONFIG)
    for params in ({"name": "os", "url": "https://example.org/"}, {"name": "os"}, {"gather": True}):
        with pytest.raises(ProviderError, match="there is no ostree repository at /ostree/repo"):
            changes_of(ostree_remote, system, **params)
    for params in ({"name": "os", **HOSTS}, {"name": "os", "ensure": "absent"}):
        assert changes_of(ostree_remote, system, **params) == ()


def test_host_change_without_repository_does_not_create_it(system: System) -> None:
    system.remove(ostree.CONFIG)
    put(system, os=f"{OS}contenturl=mirrorlist=https://example.org/list\n")
    converge(ostree_remote, system, name="os", **HOSTS)
    assert text(system, CONF).count("example.com") == 2
    assert system.stat(ostree.CONFIG) is None


def test_collection_id_without_verification_is_refused(system: System) -> None:
    put(system, config=f"{OS}gpg-verify=false\n")
    before = text(system)
    with pytest.raises(ProviderError, match="without signature verification"):
        converge(ostree_remote, system, name="os", collection_id="org.example.Os")
    assert text(system) == before
    converge(ostree_remote, system, name="os", collection_id="org.example.Os", gpg_verify=True)


def test_empty_values_unset_keys(system: System) -> None:
    put(system, config=f"{OS}proxy=http://p/\nbranches=a;b\n")
    assert state_of(ostree_remote, system, name="os")["branches"] == ("a", "b")
    converge(ostree_remote, system, name="os", proxy="", branches=[])
    assert text(system) == f"{CORE}\n{OS}"


def test_remote_used_by_deployment_is_not_removed(system: System) -> None:
    put(system, config=OS + OS.replace("os", "more"))
    system.write(f"{DEPLOYMENTS}/abc.0.origin", b"[origin]\nrefspec=os:os/example/stable\n")
    system.make_folder(f"{DEPLOYMENTS}/abc.0")
    with pytest.raises(ProviderError, match=f"{DEPLOYMENTS}/abc.0 is updated from the ostree remote 'os'"):
        converge(ostree_remote, system, name="os", ensure="absent")
    converge(ostree_remote, system, name="more", ensure="absent")
    assert ostree.remotes(system) == ("os",)


def test_keys_used_by_another_deployment_stay(system: System) -> None:
    theirs = f"{DEPLOYMENTS}/abc.0{CONF}"
    put(system, os=OS)
    system.write(ostree.keyring_of("os"), b"")
    system.write(theirs, OS.encode())
    converge(ostree_remote, system, name="os", ensure="absent")
    assert system.stat(ostree.keyring_of("os"))
    put(system, os=OS)
    system.remove(theirs)
    converge(ostree_remote, system, name="os", ensure="absent")
    assert system.stat(ostree.keyring_of("os")) is None


def test_file_is_removed_with_its_last_remote(system: System) -> None:
    more = OS.replace("os", "more")
    put(system, all=f"{OS}\n{more}")
    converge(ostree_remote, system, name="os", ensure="absent")
    assert text(system, f"{ostree.REMOTES_D}/all.conf") == more
    converge(ostree_remote, system, name="more", ensure="absent")
    assert system.list_folder(ostree.REMOTES_D) == ()


GATHERED = CORE + "add-remotes-config-dir=false\n"


def test_gather_keeps_repositorys_remote_if_both_have_it(system: System) -> None:
    put(system, config=f"{OS}odd = 1\n", os=f"{OS}gpg-verify=false\n", zzz=OS)
    converge(ostree_remote, system, gather=True)
    assert text(system) == f"{GATHERED}\n{OS}odd = 1\n"


def test_gather_copies_other_remotes_unchanged(system: System) -> None:
    put(system, config=OS, b='[remote "b"]\n# Mine.\nurl = x\nurl=y', a='[other]\nk=v\n[remote "a"]\nurl=1\n')
    put(system, **{"c": '[remote "a"]\nurl=2\n', ".hidden": '[remote "h"]\nurl=3\n'})
    changes = converge(ostree_remote, system, gather=True)
    assert [change.field for change in changes] == ["add_remotes_config_dir", "conf_files", "remotes"]
    assert (changes[2].before, changes[2].after) == (("os",), ("a", "b", "h", "os"))
    added = '\n[remote "h"]\nurl=3\n\n[remote "a"]\nurl=1\n\n[remote "b"]\n# Mine.\nurl = x\nurl=y\n'
    assert text(system) == f"{GATHERED}\n{OS}{added}"
    assert system.list_folder(ostree.REMOTES_D) == ()


def test_gather_keeps_files_that_libostree_ignores(system: System) -> None:
    for name in ("README", "old.conf.bak", "folder.conf/file"):
        system.write(f"{ostree.REMOTES_D}/{name}", OS.encode())
    assert [change.field for change in converge(ostree_remote, system, gather=True)] == ["add_remotes_config_dir"]
    assert text(system) == GATHERED
    assert system.list_folder(ostree.REMOTES_D) == ("README", "folder.conf", "old.conf.bak")


def test_gather_reads_linked_file_and_removes_link(system: System) -> None:
    system.write("/usr/share/os.conf", OS.encode())
    system.make_folder(ostree.REMOTES_D)
    Path(system.root, CONF[1:]).symlink_to("/usr/share/os.conf")
    before = state_of(ostree_remote, system, gather=True)
    converge(ostree_remote, system, gather=True)
    assert text(system) == f"{GATHERED}\n{OS}"
    assert text(system, "/usr/share/os.conf") == OS
    take_back(ostree_remote, system, before, gather=True)
    assert text(system, CONF) == OS


def test_gather_names_unreadable_file(system: System) -> None:
    put(system, os=f"{OS}nonsense\n")
    with pytest.raises(ProviderError, match=f"{CONF}:3 is neither a group"):
        changes_of(ostree_remote, system, gather=True)


@pytest.mark.parametrize(
    "files",
    [
        {"config": f"{OS}x=1\n", "os": f"{OS}x=2\n", "more": '# Mine.\n[remote "more"]\nurl=x'},
        {"os": f"{OS}x=2\n", "config": '[remote "more"]\nurl=x\n'},
        {"config": OS},
    ],
)
def test_gather_undo_restores_files_exactly(system: System, files: dict[str, str]) -> None:
    put(system, **files)
    paths = (ostree.CONFIG, *ostree.conf_files(system))
    before, state = [text(system, path) for path in paths], state_of(ostree_remote, system, gather=True)
    converge(ostree_remote, system, gather=True)
    take_back(ostree_remote, system, state, gather=True)
    assert [text(system, path) for path in paths] == before
    assert ostree.conf_files(system) == paths[1:]


def test_gather_keeps_remote_added_during_run(system: System) -> None:
    put(system, os=OS)
    spec = ostree_remote.parse({"gather": True})
    changes = changes_of(ostree_remote, system, gather=True)
    converge(ostree_remote, system, name="new", url="https://example.org/")
    put(system, late='[remote "late"]\nurl=x\n')
    ostree_remote.apply(system, spec, changes)
    assert set(ostree.remotes(system)) == {"os", "new", "late"}
    ostree_remote.apply(system, spec, tuple(change.inverse() for change in changes))
    assert set(ostree.remotes(system)) == {"os", "new", "late"}
    assert ostree.files_with(system, "os") == (CONF,)


def test_gather_finds_remotes_of_killed_run(system: System) -> None:
    aside = OS.replace("[remote", "[gathered remote")
    put(system, config=aside.replace(".org", ".net") + aside.replace("os", "more"), os=OS)
    converge(ostree_remote, system, gather=True)
    assert text(system) == f"{GATHERED}\n{OS.replace('.org', '.net')}{OS.replace('os', 'more')}"


def test_gather_prefers_remote_added_after_killed_run(system: System) -> None:
    put(system, config=f"{OS.replace('[remote', '[gathered remote').replace('.org', '.net')}{OS}", os=OS)
    converge(ostree_remote, system, gather=True)
    assert text(system) == f"{GATHERED}\n{OS}"


def test_gather_runs_again_after_rollback(tmp_path: Path) -> None:
    """A rollback restores /etc, and with it the ledger of the older deployment."""
    machine = Machine.make(tmp_path)
    machine.declare("all: {type: ostree-remote, apply: once, with: {gather: true}}")
    system = System(str(machine.root))
    put(system, config=OS, os=OS, more=OS.replace("os", "more"))
    shutil.copytree(machine.path("/etc"), tmp_path / "older")
    assert outcomes(machine.apply(Event.UPGRADE)) == {"all": "changed"}
    gathered = text(system)
    shutil.rmtree(machine.path("/etc"))
    shutil.copytree(tmp_path / "older", machine.path("/etc"))
    assert outcomes(machine.apply()) == {"all": "changed"}
    assert (text(system), ostree.conf_files(system)) == (gathered, ())
    assert outcomes(machine.apply()) == {"all": "unchanged"}


TOGETHER = """
all: {type: ostree-remote, apply: once, with: {gather: true}}
more: {type: ostree-remote, apply: once, needs: [all], with: {name: more, url: "https://example.com/"}}
old: {type: ostree-remote, apply: once, with: {name: old, ensure: absent}}
"""


def run(machine: Machine, system: System) -> dict[str, str]:
    with lock(system):
        plan, planner = prepare(machine.request(Event.UPGRADE), system.read_only())
        return outcomes(carry_out(plan, planner, system))


def test_run_killed_at_any_point_is_finished_by_next(tmp_path: Path) -> None:
    def machine(name: str) -> Machine:
        (tmp_path / name).mkdir()
        made = Machine.make(tmp_path / name)
        made.declare(TOGETHER)
        system = System(str(made.root))
        put(system, config=OS + OS.replace("os", "old"), os=OS, more=OS.replace("os", "more"))
        system.write(ostree.keyring_of("old"), b"")
        return made

    def contents(machine: Machine) -> dict[str, tuple[object, ...]]:
        return {name: what for name, what in snapshot(machine.root).items() if "converge" not in name}

    whole = machine("whole")
    counting = Interrupted(str(whole.root))
    assert set(run(whole, counting).values()) == {"changed"}
    for limit in range(counting.changes):
        cut = machine(f"cut-{limit}")
        with pytest.raises(CutOffError):
            run(cut, Interrupted(str(cut.root), limit))
        run(cut, System(str(cut.root)))
        assert contents(cut) == contents(whole), limit
        assert set(run(cut, System(str(cut.root))).values()) == {"unchanged"}, limit
