import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.files import symlink
from converge.system import System
from tests.machine import Machine, decisions, outcomes, snapshot
from tests.real.converging import acting, changes_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def changes_for(system: System, **params: Any) -> tuple[Change, ...]:
    return changes_of(symlink, system, **params)


def converge(system: System, **params: Any) -> tuple[Change, ...]:
    changes = changes_for(system, **params)
    symlink.apply(system, symlink.parse(params), changes)
    assert changes_for(system, **params) == ()
    return changes


def test_link_made_changed_and_removed(root: Path, system: System) -> None:
    link = root / "etc/new/localtime"
    made = converge(system, path="/etc/new/localtime", target="../nowhere")
    assert made == (Change("ensure", "absent", "present"), Change("target", None, "../nowhere"))
    (root / "etc/zone").write_text("x")
    assert converge(system, path="/etc/new/localtime", target="../zone") == (Change("target", "../nowhere", "../zone"),)
    assert (os.readlink(link), os.listdir(link.parent)) == ("../zone", ["localtime"])
    assert converge(system, path="/etc/new/localtime", ensure="absent") == (Change("ensure", "present", "absent"),)
    assert os.listdir(link.parent) == []
    assert (root / "etc/zone").read_text() == "x"


OTHERS: dict[str, Callable[[Path], object]] = {
    "a file": Path.touch,
    "an empty directory": Path.mkdir,
    "a directory": lambda path: (path / "inside").mkdir(parents=True),
    "a special file": os.mkfifo,
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kind_of_path_refused_and_kept(root: Path, system: System, kind: str) -> None:
    OTHERS[kind](root / "thing")
    before = snapshot(root)
    for params in ({"target": "/etc"}, {"ensure": "absent"}):
        wanted = Change("ensure", "present", params.get("ensure", "present"))
        with pytest.raises(ProviderError, match=f"/thing is {kind}, not a symbolic link"):
            changes_for(system, path="/thing", **params)
        with pytest.raises(ProviderError, match="not a symbolic link"):
            symlink.apply(system, symlink.parse({"path": "/thing", **params}), (wanted,))
    assert snapshot(root) == before


def test_link_without_target_refused() -> None:
    for params in ({}, {"target": ""}):
        with pytest.raises(ProviderError, match="`target` is missing for /link"):
            symlink.parse({"path": "/link", **params})


def test_link_removed_during_run_not_made_again(system: System) -> None:
    spec = symlink.parse({"path": "/link", "target": "new"})
    with pytest.raises(ProviderError, match="/link was removed during the run"):
        symlink.apply(system, spec, (Change("target", "old", "new"),))


def test_link_in_loop_changed_and_removed(root: Path, system: System) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert symlink.inspect(system, symlink.parse({"path": "/a", "target": "x"})).kind == "dangling-symlink"
    converge(system, path="/a", ensure="absent")
    assert not os.path.lexists(root / "a")


def test_domain_is_that_of_link_not_of_target(root: Path, system: System) -> None:
    (root / "etc/localtime").symlink_to("/usr/share/zone")
    (root / "var").mkdir()
    (root / "var/link").symlink_to("/etc/passwd")
    for path, domain in (("/etc/localtime", Domain.DEPLOYMENT), ("/var/link", Domain.MACHINE)):
        spec = symlink.parse({"path": path, "target": "x"})
        assert set(acting(symlink).domains(system, spec).values()) == {domain}


def test_folder_of_usr_etc_not_replaced_by_link(root: Path, system: System) -> None:
    (root / "usr/etc/app.d").mkdir(parents=True)
    with pytest.raises(ProviderError, match=r"/etc/app\.d is a folder in /usr/etc and has to stay one"):
        changes_for(system, path="/etc/app.d", target="/var")
    (root / "etc/app.d").symlink_to("/var")
    converge(system, path="/etc/app.d", ensure="absent")


LINK = """
    link:
      type: symlink
      apply: once
      only_if: {{kind: {kind}}}
      with: {{path: /var/link, {wanted}}}
"""


@pytest.mark.parametrize("target", ["/etc", "/nowhere"])
@pytest.mark.parametrize("wanted", ["ensure: absent", "target: /var"])
def test_only_dangling_link_changed_with_only_if(tmp_path: Path, target: str, wanted: str) -> None:
    machine = Machine.make(tmp_path)
    machine.path("/var/link").symlink_to(target)
    machine.declare(LINK.format(kind="dangling-symlink", wanted=wanted))
    met = target == "/nowhere"
    assert decisions(machine.plan()) == {"link": "apply" if met else "not-applicable"}
    assert outcomes(machine.apply()) == {"link": "changed" if met else "unchanged"}


@pytest.mark.parametrize("kind", ["dangling-symlink", "empty-directory", "file"])
def test_other_kind_not_applicable_with_only_if(tmp_path: Path, kind: str) -> None:
    machine = Machine.make(tmp_path)
    machine.path("/var/link/inside").mkdir(parents=True)
    machine.declare(LINK.format(kind=kind, wanted="ensure: absent"))
    assert decisions(machine.plan()) == {"link": "not-applicable"}
    machine.declare(LINK.format(kind="directory", wanted="ensure: absent"))
    assert decisions(machine.plan()) == {"link": "failed"}
