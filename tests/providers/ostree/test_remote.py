"""What an ostree remote is, by files alone; tests/real has the same with the real ostree."""

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
from tests.laws.interrupted import CutOffError, Interrupted
from tests.machine import Machine, outcomes, snapshot
from tests.real.converging import changes_of, converge, state_of, take_back

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
    """Write files of remotes.d, by their names without `.conf`, and `config`, the remotes in the repository's own."""
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
        ("ensure: present", "ostree-remote needs 'name' or 'gather'"),
        ("gather: true, name: os", "'name' and 'gather' exclude each other"),
        ("gather: true, proxy: 'http://p/'", "'proxy' and 'gather' exclude each other"),
        ("gather: false", "'gather' must be true, not false"),
        ("name: os, host: a.org", "ostree-remote has 'host', which needs 'with_host'"),
        ("name: os, host: a.org, with_host: b.org, content_url: 'http://c/'", "'host' and 'content_url' exclude"),
        ("name: os, stored_in: etc", "'stored_in' must be repo or remotes.d, not 'etc'"),
        ("name: os, branches: ['a;b']", "entry 1 of 'branches' must be a branch"),
        ("name: os, tls_client_cert_path: /c", "which needs 'tls_client_key_path'"),
        ("name: a/b", "'name' must be a name of letters"),
    ],
)
def test_parameters_that_are_refused(with_: str, message: str) -> None:
    (found,) = refused(with_)
    assert message in found


@pytest.mark.parametrize("with_", ['gather: "{{ all }}"', "name: os, branches: []", "name: os, proxy: ''"])
def test_parameters_that_pass(with_: str) -> None:
    assert refused(with_) == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "it is not said which remote"),
        ({"gather": False}, "it is not said which remote"),
        ({"name": "os", "gpg_verify": False, "gpg_key": "/k"}, "gpg_key needs signatures to be verified"),
        ({"name": "os", "gpg_verify": False, "collection_id": "a.b"}, "collection_id needs signatures"),
    ],
)
def test_contradictions_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        ostree_remote.parse(params)


def test_it_shares_a_remote_with_collection_id() -> None:
    ours = ostree_remote.claims(ostree_remote.parse({"name": "os", "url": "http://a/", "collection_id": "a.b"}))
    theirs = collection_id.claims(collection_id.parse({"ostree": "os", "collection_id": "a.b"}))
    assert set(theirs) <= set(ours)
    other = collection_id.claims(collection_id.parse({"ostree": "os", "collection_id": "a.c"}))
    assert {claim.field for claim in set(other) - set(ours)} == {"collection_id"}


def test_what_is_gathered_cannot_be_stored_in_remotes_d_too(tmp_path: Path) -> None:
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
    assert "'os' and 'all' want different values for conf_files" in found.message


def test_a_remote_has_the_domain_of_what_holds_it(system: System) -> None:
    put(system, config=OS, more=OS.replace("os", "more"))
    found = [domains(system, name=name) for name in ("os", "more", "new")]
    assert found == [{Domain.MACHINE}, {Domain.DEPLOYMENT}, {Domain.MACHINE}]
    assert domains(system, name="new", stored_in="remotes.d") == {Domain.DEPLOYMENT}
    assert domains(system, gather=True) == {Domain.DEPLOYMENT}


def test_a_remote_is_changed_where_it_is(system: System) -> None:
    put(system, os=f"# Ours.\n{OS}odd=1\n", more=OS.replace("os", "more"))
    (change,) = converge(ostree_remote, system, name="os", url="https://example.com/os")
    assert change.field == "url"
    assert text(system, CONF) == f"# Ours.\n{OS}odd=1\n".replace(".org", ".com")
    assert text(system) == CORE


def test_a_new_one_is_stored_in_the_repository(system: System) -> None:
    changes = converge(ostree_remote, system, name="os", url="https://example.org/os")
    assert changes[:2] == (Change("ensure", "absent", "present"), Change("stored_in", None, "repo"))
    assert text(system) == f"{CORE}\n{OS}"


def test_none_is_made_beside_one_that_is_stored_elsewhere(system: System) -> None:
    put(system, os=OS)
    with pytest.raises(ProviderError, match=f"'os' is stored in {CONF} already"):
        changes_of(ostree_remote, system, name="os", url="https://example.org/os", stored_in="repo")


def test_of_two_the_repositorys_own_counts(system: System) -> None:
    put(system, config=OS, os=OS.replace(".org", ".net"))
    state = state_of(ostree_remote, system, name="os")
    assert (state["stored_in"], state["url"]) == ("repo", "https://example.org/os")
    assert state_of(ostree_remote, system, name="os", stored_in="remotes.d")["url"] == "https://example.net/os"
    converge(ostree_remote, system, name="os", ensure="absent")
    assert ostree.remotes(system) == ()


@pytest.mark.parametrize("params", [{}, {"collection_id": "a.b"}])
def test_no_half_remote_is_made(system: System, params: dict[str, str]) -> None:
    with pytest.raises(ProviderError, match="there is no ostree remote 'os'") as raised:
        changes_of(ostree_remote, system, name="os", **params)
    assert raised.value.hint == "give its url, to have it added"


def test_one_that_has_gone_meanwhile_is_not_made_by_halves(system: System) -> None:
    put(system, config=OS)
    changes = changes_of(ostree_remote, system, name="os", **HOSTS)
    put(system, config="")
    with pytest.raises(ProviderError, match="'os' is gone"):
        ostree_remote.apply(system, ostree_remote.parse({"name": "os", **HOSTS}), changes)


def test_where_there_is_no_repository(system: System) -> None:
    system.remove(ostree.CONFIG)
    for params in ({"name": "os", "url": "https://example.org/"}, {"name": "os"}, {"gather": True}):
        with pytest.raises(ProviderError, match="there is no ostree repository at /ostree/repo"):
            changes_of(ostree_remote, system, **params)
    for params in ({"name": "os", **HOSTS}, {"name": "os", "ensure": "absent"}):
        assert changes_of(ostree_remote, system, **params) == ()


def test_a_change_of_host_needs_none_and_makes_nothing(system: System) -> None:
    system.remove(ostree.CONFIG)
    put(system, os=f"{OS}contenturl=mirrorlist=https://example.org/list\n")
    converge(ostree_remote, system, name="os", **HOSTS)
    assert text(system, CONF).count("example.com") == 2
    assert system.stat(ostree.CONFIG) is None


def test_a_collection_id_without_verification_is_refused(system: System) -> None:
    put(system, config=f"{OS}gpg-verify=false\n")
    before = text(system)
    with pytest.raises(ProviderError, match="without signature checking"):
        converge(ostree_remote, system, name="os", collection_id="org.example.Os")
    assert text(system) == before
    converge(ostree_remote, system, name="os", collection_id="org.example.Os", gpg_verify=True)


def test_what_is_empty_is_unset(system: System) -> None:
    put(system, config=f"{OS}proxy=http://p/\nbranches=a;b\n")
    assert state_of(ostree_remote, system, name="os")["branches"] == ("a", "b")
    converge(ostree_remote, system, name="os", proxy="", branches=[])
    assert text(system) == f"{CORE}\n{OS}"


def test_a_remote_that_a_deployment_is_updated_from_stays(system: System) -> None:
    put(system, config=OS + OS.replace("os", "more"))
    system.write(f"{DEPLOYMENTS}/abc.0.origin", b"[origin]\nrefspec=os:os/example/stable\n")
    system.make_folder(f"{DEPLOYMENTS}/abc.0")
    with pytest.raises(ProviderError, match=f"'os' is where {DEPLOYMENTS}/abc.0 is updated from"):
        converge(ostree_remote, system, name="os", ensure="absent")
    converge(ostree_remote, system, name="more", ensure="absent")
    assert ostree.remotes(system) == ("os",)


def test_keys_stay_for_another_deployment_that_trusts_them(system: System) -> None:
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


def test_a_file_goes_with_its_last_remote(system: System) -> None:
    more = OS.replace("os", "more")
    put(system, all=f"{OS}\n{more}")
    converge(ostree_remote, system, name="os", ensure="absent")
    assert text(system, f"{ostree.REMOTES_D}/all.conf") == more
    converge(ostree_remote, system, name="more", ensure="absent")
    assert system.list_folder(ostree.REMOTES_D) == ()


GATHERED = CORE + "add-remotes-config-dir=false\n"


def test_where_both_name_a_remote_the_repositorys_stays_whole(system: System) -> None:
    put(system, config=f"{OS}odd = 1\n", os=f"{OS}gpg-verify=false\n", zzz=OS)
    converge(ostree_remote, system, gather=True)
    assert text(system) == f"{GATHERED}\n{OS}odd = 1\n"


def test_others_are_brought_in_to_the_letter(system: System) -> None:
    put(system, config=OS, b='[remote "b"]\n# Mine.\nurl = x\nurl=y', a='[other]\nk=v\n[remote "a"]\nurl=1\n')
    put(system, **{"c": '[remote "a"]\nurl=2\n', ".hidden": '[remote "h"]\nurl=3\n'})
    changes = converge(ostree_remote, system, gather=True)
    assert [change.field for change in changes] == ["add_remotes_config_dir", "conf_files", "remotes"]
    assert (changes[2].before, changes[2].after) == (("os",), ("a", "b", "h", "os"))
    added = '\n[remote "h"]\nurl=3\n\n[remote "a"]\nurl=1\n\n[remote "b"]\n# Mine.\nurl = x\nurl=y\n'
    assert text(system) == f"{GATHERED}\n{OS}{added}"
    assert system.list_folder(ostree.REMOTES_D) == ()


def test_what_libostree_does_not_read_stays(system: System) -> None:
    for name in ("README", "old.conf.bak", "folder.conf/file"):
        system.write(f"{ostree.REMOTES_D}/{name}", OS.encode())
    assert [change.field for change in converge(ostree_remote, system, gather=True)] == ["add_remotes_config_dir"]
    assert text(system) == GATHERED
    assert system.list_folder(ostree.REMOTES_D) == ("README", "folder.conf", "old.conf.bak")


def test_a_file_by_way_of_a_link_is_read_and_the_link_goes(system: System) -> None:
    system.write("/usr/share/os.conf", OS.encode())
    system.make_folder(ostree.REMOTES_D)
    Path(system.root, CONF[1:]).symlink_to("/usr/share/os.conf")
    before = state_of(ostree_remote, system, gather=True)
    converge(ostree_remote, system, gather=True)
    assert text(system) == f"{GATHERED}\n{OS}"
    assert text(system, "/usr/share/os.conf") == OS
    take_back(ostree_remote, system, before, gather=True)
    assert text(system, CONF) == OS


def test_a_file_that_cannot_be_read_is_named(system: System) -> None:
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
def test_the_way_back_is_to_the_letter(system: System, files: dict[str, str]) -> None:
    put(system, **files)
    paths = (ostree.CONFIG, *ostree.conf_files(system))
    before, state = [text(system, path) for path in paths], state_of(ostree_remote, system, gather=True)
    converge(ostree_remote, system, gather=True)
    take_back(ostree_remote, system, state, gather=True)
    assert [text(system, path) for path in paths] == before
    assert ostree.conf_files(system) == paths[1:]


def test_a_remote_that_was_added_meanwhile_stays(system: System) -> None:
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


def test_what_a_killed_run_has_set_aside_is_found(system: System) -> None:
    aside = OS.replace("[remote", "[gathered remote")
    put(system, config=aside.replace(".org", ".net") + aside.replace("os", "more"), os=OS)
    converge(ostree_remote, system, gather=True)
    assert text(system) == f"{GATHERED}\n{OS.replace('.org', '.net')}{OS.replace('os', 'more')}"


def test_what_was_added_since_wins_over_what_was_set_aside(system: System) -> None:
    put(system, config=f"{OS.replace('[remote', '[gathered remote').replace('.org', '.net')}{OS}", os=OS)
    converge(ostree_remote, system, gather=True)
    assert text(system) == f"{GATHERED}\n{OS}"


def test_after_a_rollback_the_files_that_came_back_go_again(tmp_path: Path) -> None:
    """What is in /etc is the older deployment's again, and so is what is remembered of it."""
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


def test_a_run_that_is_cut_off_anywhere_is_finished_by_the_next(tmp_path: Path) -> None:
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
