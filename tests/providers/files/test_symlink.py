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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def changes_for(system: System, **params: Any) -> tuple[Change, ...]:
    spec = symlink.parse(params)
    return symlink.diff(spec, symlink.inspect(system, spec))


def converge(system: System, **params: Any) -> tuple[Change, ...]:
    changes = changes_for(system, **params)
    symlink.apply(system, symlink.parse(params), changes)
    assert changes_for(system, **params) == ()
    return changes


def test_a_link_is_made_led_elsewhere_and_removed(root: Path, system: System) -> None:
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
def test_whatever_is_no_link_is_refused_and_stays(root: Path, system: System, kind: str) -> None:
    OTHERS[kind](root / "thing")
    before = snapshot(root)
    for params in ({"target": "/etc"}, {"ensure": "absent"}):
        wanted = Change("ensure", "present", params.get("ensure", "present"))
        with pytest.raises(ProviderError, match=f"/thing is {kind}, not a symbolic link"):
            changes_for(system, path="/thing", **params)
        with pytest.raises(ProviderError, match="not a symbolic link"):
            symlink.apply(system, symlink.parse({"path": "/thing", **params}), (wanted,))
    assert snapshot(root) == before


def test_a_link_without_a_target_is_refused() -> None:
    for params in ({}, {"target": ""}):
        with pytest.raises(ProviderError, match="/link has no target"):
            symlink.parse({"path": "/link", **params})


def test_a_link_that_vanished_meanwhile_is_not_made_anew(system: System) -> None:
    spec = symlink.parse({"path": "/link", "target": "new"})
    with pytest.raises(ProviderError, match="/link is gone"):
        symlink.apply(system, spec, (Change("target", "old", "new"),))


def test_a_link_in_a_circle_is_a_link_like_any_other(root: Path, system: System) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert symlink.inspect(system, symlink.parse({"path": "/a", "target": "x"})).kind == "dangling-symlink"
    converge(system, path="/a", ensure="absent")
    assert not os.path.lexists(root / "a")


def test_a_link_belongs_where_it_is_and_not_where_it_leads(root: Path, system: System) -> None:
    (root / "etc/localtime").symlink_to("/usr/share/zone")
    (root / "var").mkdir()
    (root / "var/link").symlink_to("/etc/passwd")
    for path, domain in (("/etc/localtime", Domain.DEPLOYMENT), ("/var/link", Domain.MACHINE)):
        spec = symlink.parse({"path": path, "target": "x"})
        assert set(symlink.domains(system, spec).values()) == {domain}


def test_a_folder_of_usr_etc_becomes_no_link(root: Path, system: System) -> None:
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
def test_only_a_dangling_link_is_taken(tmp_path: Path, target: str, wanted: str) -> None:
    machine = Machine.make(tmp_path)
    machine.path("/var/link").symlink_to(target)
    machine.declare(LINK.format(kind="dangling-symlink", wanted=wanted))
    met = target == "/nowhere"
    assert decisions(machine.plan()) == {"link": "apply" if met else "not-applicable"}
    assert outcomes(machine.apply()) == {"link": "changed" if met else "unchanged"}


@pytest.mark.parametrize("kind", ["dangling-symlink", "empty-directory", "file"])
def test_another_kind_is_not_applicable_where_only_if_says_so(tmp_path: Path, kind: str) -> None:
    machine = Machine.make(tmp_path)
    machine.path("/var/link/inside").mkdir(parents=True)
    machine.declare(LINK.format(kind=kind, wanted="ensure: absent"))
    assert decisions(machine.plan()) == {"link": "not-applicable"}
    machine.declare(LINK.format(kind="directory", wanted="ensure: absent"))
    assert decisions(machine.plan()) == {"link": "failed"}
