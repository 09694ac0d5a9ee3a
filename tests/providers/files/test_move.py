import os
from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.files import move
from converge.system import System
from tests.machine import Machine, outcomes, reasons, snapshot
from tests.real.converging import acting, changes_of

OLD, NEW = "/var/defaults", "/var/lib/defaults"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("etc", "var/lib"):
        (tmp_path / "root" / name).mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


@pytest.fixture
def old(root: Path) -> Path:
    (root / "var/defaults/deep").mkdir(parents=True)
    (root / "var/defaults/deep/file").write_text("x")
    return root / "var/defaults"


def spec_of(**params: Any) -> move.Spec:
    return move.parse({"from": OLD, "to": NEW, **params})


def changes_for(system: System, **params: Any) -> tuple[Change, ...]:
    return changes_of(move, system, **{"from": OLD, "to": NEW, **params})


def converge(system: System, **params: Any) -> tuple[Change, ...]:
    changes = changes_for(system, **params)
    move.apply(system, spec_of(**params), changes)
    assert changes_for(system, **params) == ()
    return changes


def test_thing_moved_and_link_made(root: Path, system: System, old: Path) -> None:
    before, inode = snapshot(old), old.stat().st_ino
    assert converge(system, leave_link=True) == (
        Change("source", "directory", "compatibility-link"),
        Change("target", None, "directory"),
    )
    new = root / "var/lib/defaults"
    assert (snapshot(new), new.stat().st_ino, os.readlink(old)) == (before, inode, NEW)
    assert converge(system) == (Change("source", "compatibility-link", None),)
    assert not os.path.lexists(old)
    assert snapshot(new) == before


def test_only_remaining_work_is_change(root: Path, system: System) -> None:
    assert converge(system, leave_link=True) == ()
    (root / "var/lib/defaults").mkdir()
    assert converge(system, leave_link=True) == (Change("source", None, "compatibility-link"),)


@pytest.mark.parametrize("target", [NEW, "lib/defaults", "../var/lib/defaults", "/run/../var/lib/./defaults"])
def test_link_recognized_in_any_spelling(root: Path, system: System, target: str) -> None:
    (root / "run").mkdir()
    (root / "var/lib/defaults").mkdir()
    (root / "var/defaults").symlink_to(target)
    assert converge(system, leave_link=True) == ()
    assert converge(system) == (Change("source", "compatibility-link", None),)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("target", ["/etc", "/nowhere", "lib"])
def test_other_link_neither_moved_nor_removed(root: Path, system: System, there: bool, target: str) -> None:
    (root / "var/defaults").symlink_to(target)
    if there:
        (root / "var/lib/defaults").mkdir()
    before = snapshot(root)
    for leave_link in (True, False):
        with pytest.raises(ProviderError, match="both exist" if there else "is a symbolic link, and not the one"):
            changes_for(system, leave_link=leave_link)
    assert snapshot(root) == before


def test_link_to_missing_target_kept(root: Path, system: System) -> None:
    (root / "var/defaults").symlink_to(NEW)
    assert converge(system) == ()
    assert converge(system, leave_link=True) == ()
    assert os.path.lexists(root / "var/defaults")


@pytest.mark.parametrize("leave_link", [True, False])
def test_things_at_both_places_kept(root: Path, system: System, old: Path, leave_link: bool) -> None:
    (root / "var/lib/defaults").write_text("new")
    before = snapshot(root)
    with pytest.raises(ProviderError, match=f"{OLD} and {NEW} both exist") as caught:
        changes_for(system, leave_link=leave_link)
    assert "if_target_exists: keep" in str(caught.value.hint)
    assert converge(system, leave_link=leave_link, if_target_exists="keep") == ()
    with pytest.raises(ProviderError, match="exists and is not a symbolic link"):
        move.apply(system, spec_of(leave_link=True), (Change("source", "directory", "compatibility-link"),))
    assert snapshot(root) == before
    assert old.exists()


def test_thing_removed_during_run_is_error(system: System) -> None:
    with pytest.raises(ProviderError, match=f"{OLD} does not exist"):
        move.apply(system, spec_of(), (Change("source", "directory", None), Change("target", None, "directory")))


@pytest.mark.parametrize(
    ("old_place", "new_place", "message"),
    [
        ("/a", "/a", "one is in the other"),
        ("/a/", "/a/b", "one is in the other"),
        ("/a/b", "/a", "one is in the other"),
        ("/var/lib", "/srv/lib", "/var/lib contains converge's own ledgers"),
        ("/a", "/", "/ contains converge's own ledgers"),
        ("a", "/b", "'a' is not an absolute path"),
    ],
)
def test_invalid_places_refused(old_place: str, new_place: str, message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        move.parse({"from": old_place, "to": new_place})


def test_each_place_has_own_domain(root: Path, system: System) -> None:
    (root / "alias").symlink_to("etc")
    (root / "etc/new").symlink_to("/var/elsewhere")
    spec = move.parse({"from": "/var/old", "to": "/alias/new"})
    assert acting(move).domains(system, spec) == {"source": Domain.MACHINE, "target": Domain.DEPLOYMENT}


@pytest.mark.parametrize(
    ("params", "at"),
    [
        ({"from": "/etc/app.d", "to": "/var/app.d"}, "/etc/app.d"),
        ({"from": "/etc/app.d", "to": "/var/app.d", "leave_link": True}, "/etc/app.d"),
        ({"from": "/var/file", "to": "/etc/none.d"}, "/etc/none.d"),
        ({"from": "/etc/none.d", "to": "/var/there", "leave_link": True}, "/etc/none.d"),
    ],
)
def test_folders_of_usr_etc_kept(root: Path, system: System, params: dict[str, Any], at: str) -> None:
    for name in ("usr/etc/app.d", "usr/etc/none.d", "etc/app.d", "var/there"):
        (root / name).mkdir(parents=True)
    (root / "var/file").touch()
    with pytest.raises(ProviderError, match=f"{at} is a folder in /usr/etc and has to stay one"):
        changes_for(system, **params)


MOVED = """
    moved:
      type: move
      apply: once
      with: {{from: /etc/app, to: /var/lib/app{more}}}
"""


def test_move_from_etc_to_var_recorded_in_both_ledgers(tmp_path: Path) -> None:
    """A new deployment, or one after a rollback, has the old thing again; the thing in /var is not replaced."""
    machine = Machine.make(tmp_path)
    machine.path("/etc/app").mkdir()
    machine.path("/etc/app/settings").write_text("old")
    machine.declare(MOVED.format(more=", leave_link: true"))
    assert outcomes(machine.apply()) == {"moved": "changed"}
    assert outcomes(machine.apply()) == {"moved": "unchanged"}
    machine.path("/var/lib/app/settings").write_text("new")
    machine.path("/etc/app").unlink()
    machine.path("/etc/converge/ledger.json").unlink()
    machine.path("/etc/app").mkdir()
    machine.path("/etc/app/settings").write_text("old")
    machine.upgrade_os("3.8.0")
    assert outcomes(machine.apply()) == {"moved": "failed"}
    assert "/etc/app and /var/lib/app both exist" in reasons(machine.plan())["moved"]
    machine.declare(MOVED.format(more=", leave_link: true, if_target_exists: keep"))
    assert outcomes(machine.apply()) == {"moved": "unchanged"}
    assert machine.path("/etc/app/settings").read_text() == "old"
    assert machine.path("/var/lib/app/settings").read_text() == "new"


def test_settled_share_not_moved_again(tmp_path: Path) -> None:
    machine = Machine.make(tmp_path)
    machine.path("/etc/app").touch()
    machine.declare(MOVED.format(more=""))
    assert outcomes(machine.apply()) == {"moved": "changed"}
    machine.path("/var/lib/app").unlink()
    machine.path("/etc/converge/ledger.json").unlink()
    machine.path("/etc/app").touch()
    run = machine.apply()
    assert outcomes(run) == {"moved": "failed"}
    assert "raise `revision`" in str(run.results[0].error)
    assert machine.path("/etc/app").exists()
