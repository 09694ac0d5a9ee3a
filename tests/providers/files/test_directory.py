import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.files import directory
from converge.providers.protocol import fields_of
from converge.system import System
from tests.machine import Machine, decisions, outcomes, reasons, snapshot
from tests.real.converging import acting, changes_of

REMOVED = "var/lib/converge/removed"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nann:x:1000:\n")
    return root


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


@pytest.fixture
def cache(root: Path) -> Path:
    path = root / "var/cache/cups"
    (path / "deep").mkdir(parents=True)
    (path / "deep/inside").write_text("x")
    (path / "job").write_text("y")
    return path


def changes_for(system: System, **params: Any) -> tuple[Change, ...]:
    return changes_of(directory, system, **params)


def state(system: System, **params: Any) -> dict[str, Any]:
    return fields_of(directory.inspect(system, directory.parse(params)))


def converge(system: System, **params: Any) -> tuple[Change, ...]:
    """Apply, and check that no change is left."""
    changes = changes_for(system, **params)
    directory.apply(system, directory.parse(params), changes)
    assert changes_for(system, **params) == ()
    return changes


def undo(system: System, changes: tuple[Change, ...], **params: Any) -> None:
    directory.apply(system, directory.parse(params), tuple(change.inverse() for change in changes))


def kept(root: Path, folder: str = REMOVED) -> list[dict[str, tuple[object, ...]]]:
    """The kept contents, by path and removal."""
    return [snapshot(each) for each in sorted((root / folder).glob("*/*"))]


def test_new_folder_made_with_declared_attributes(root: Path, system: System) -> None:
    changes = converge(system, path="/var/log/journal", mode="2755", group="ann")
    assert changes == (
        Change("ensure", "absent", "present"),
        Change("mode", None, "2755"),
        Change("group", None, "ann"),
    )
    found = (root / "var/log/journal").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 1000, 0o2755)
    assert (root / "var/log").stat().st_mode & 0o7777 == 0o755


def test_only_managed_attributes_changed(root: Path, system: System) -> None:
    path = root / "var/spool"
    path.mkdir(parents=True)
    os.chown(path, 1000, 1000)
    path.chmod(0o2750)
    assert converge(system, path="/var/spool") == ()
    assert converge(system, path="/var/spool", mode="o=rx") == (Change("mode", "2750", "2755"),)
    assert converge(system, path="/var/spool", owner="root") == (Change("owner", "ann", "root"),)
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 1000, 0o2755)


def test_folder_removed_during_run_not_made_again(system: System) -> None:
    with pytest.raises(ProviderError, match="/var/spool was removed during the run"):
        directory.apply(system, directory.parse({"path": "/var/spool"}), (Change("mode", "0700", "0755"),))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"path": "/a", "empty": True, "ensure": "absent"}, "`empty` and `ensure: absent` exclude each other"),
        ({"path": "/a", "recursive": True}, "`recursive` requires `ensure: absent`"),
        ({"path": "relative"}, "'relative' is not an absolute path"),
        ({"path": "/a", "mode": "rwx"}, "'rwx' is not a mode"),
        ({"path": "/", "ensure": "absent"}, "/ contains converge's own ledgers"),
        ({"path": "/var/lib", "empty": True}, "/var/lib contains converge's own ledgers"),
        ({"path": "/etc//converge", "empty": True}, "/etc/converge contains converge's own ledgers"),
    ],
)
def test_contradicting_parameters_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message) as caught:
        directory.parse(params)
    assert caught.value.hint


def test_removal_through_link_to_ledgers_refused(root: Path, system: System) -> None:
    (root / "var/lib/converge").mkdir(parents=True)
    (root / "alias").symlink_to("var")
    with pytest.raises(ProviderError, match="/var/lib contains converge's own ledgers"):
        converge(system, path="/alias/lib", empty=True)
    with pytest.raises(ProviderError, match="/var/lib contains converge's own ledgers"):
        converge(system, path="/alias/lib", ensure="absent", recursive=True)


OTHERS: dict[str, Callable[[Path], object]] = {
    "a file": Path.touch,
    "a special file": os.mkfifo,
    "a symlink": lambda path: path.symlink_to("/etc/passwd"),
    "a dangling symlink": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kind_of_path_refused_and_kept(root: Path, system: System, kind: str) -> None:
    OTHERS[kind](root / "thing")
    before = snapshot(root)
    for params in ({}, {"empty": True}, {"ensure": "absent", "recursive": True}, {"ensure": "absent", "backup": False}):
        requested = Change("ensure", "present", str(params.get("ensure", "present")))
        with pytest.raises(ProviderError, match=r"/thing is a .*, not a folder") as caught:
            changes_for(system, path="/thing", **params)
        assert f"is {kind}, " in caught.value.message or not params
        with pytest.raises(ProviderError, match="not a folder"):
            directory.apply(system, directory.parse({"path": "/thing", **params}), (requested,))
    assert snapshot(root) == before


def test_link_counts_as_folder_but_not_for_removal(root: Path, system: System, cache: Path) -> None:
    (root / "cache").symlink_to("var/cache/cups")
    assert converge(system, path="/cache", mode="0700") == (Change("mode", "0755", "0700"),)
    assert cache.stat().st_mode & 0o7777 == 0o700
    for params in ({"empty": True}, {"ensure": "absent", "recursive": True}):
        with pytest.raises(ProviderError, match="/cache is a symlink, not a folder"):
            changes_for(system, path="/cache", **params)
    assert state(system, path="/cache", ensure="absent")["kind"] == "symlink"


def test_folder_emptied_and_kept(root: Path, system: System, cache: Path) -> None:
    inode, before = cache.stat().st_ino, snapshot(cache)
    (change,) = converge(system, path="/var/cache/cups", empty=True)
    assert (change.field, change.after) == ("contents", None)
    assert str(change.before).endswith(" (2 entries, first deep)")
    assert (cache.stat().st_ino, os.listdir(cache)) == (inode, [])
    assert kept(root) == [before]
    assert (root / REMOVED).stat().st_mode & 0o7777 == 0o700


def test_removed_contents_restored(root: Path, system: System, cache: Path) -> None:
    cache.chmod(0o2770)
    os.chown(cache / "job", 1000, 1000)
    before = snapshot(root / "var/cache")
    for params in ({"empty": True}, {"ensure": "absent", "recursive": True}):
        found = state(system, path="/var/cache/cups", **params)
        converge(system, path="/var/cache/cups", **params)
        left = state(system, path="/var/cache/cups", **params)
        back = tuple(Change(name, left[name], found[name]) for name in found if left[name] != found[name])
        for _ in range(2):
            directory.apply(system, directory.parse({"path": "/var/cache/cups", **params}), back)
            assert snapshot(root / "var/cache") == before
        assert kept(root) == []


def test_only_last_removal_of_each_path_kept(root: Path, system: System, cache: Path) -> None:
    (root / "var/other/x").mkdir(parents=True)
    converge(system, path="/var/other", empty=True)
    for number in range(3):
        (cache / "job").write_text(str(number))
        (cache / f"page-{number}").touch()
        last = snapshot(cache)
        converge(system, path="/var/cache/cups", empty=True)
    assert sorted(kept(root), key=len) == sorted([last, {"x": kept_folder(root)}], key=len)
    (cache / "page-2").touch()
    (cache / "job").write_text("the last one")
    converge(system, path="/var/cache/cups", empty=True)
    assert [text for each in kept(root) for *_, text in each.values() if text] == [b"the last one"]


def kept_folder(root: Path) -> tuple[object, ...]:
    found = (root / "var/other").stat()
    return (oct(found.st_mode), found.st_uid, found.st_gid, None)


def test_killed_removal_resumed_into_same_place(root: Path, system: System, cache: Path) -> None:
    """The engine passes the contents before the first run: what that run has moved is not an older removal."""
    before = snapshot(cache)
    (change,) = changes_for(system, path="/var/cache/cups", empty=True)
    spec = directory.parse({"path": "/var/cache/cups", "empty": True})
    directory.apply(system, spec, (change,))
    ((place, *_),) = [list((root / REMOVED).glob("*/*"))]
    (place / "job").rename(cache / "job")
    directory.apply(system, spec, (change,))
    directory.apply(system, spec, (change,))
    assert kept(root) == [before]


def test_contents_not_kept_cannot_be_restored(root: Path, system: System, cache: Path) -> None:
    first = converge(system, path="/var/cache/cups", empty=True)
    (cache / "another").touch()
    converge(system, path="/var/cache/cups", empty=True)
    with pytest.raises(ProviderError, match="the former contents of /var/cache/cups are not kept any more"):
        undo(system, first, path="/var/cache/cups", empty=True)
    assert len(kept(root)) == 1


def test_restored_contents_replace_nothing(system: System, cache: Path) -> None:
    first = converge(system, path="/var/cache/cups", empty=True)
    (cache / "job").write_text("new")
    with pytest.raises(ProviderError, match="job already exists"):
        undo(system, first, path="/var/cache/cups", empty=True)
    assert (os.listdir(cache), (cache / "job").read_text()) == (["job"], "new")


def test_removal_without_backup_deletes(root: Path, system: System, cache: Path) -> None:
    (cache / "link").symlink_to("/etc/passwd")
    converge(system, path="/var/cache/cups", empty=True, backup=False)
    assert os.listdir(cache) == []
    converge(system, path="/var/cache", ensure="absent", recursive=True, backup=False)
    assert os.listdir(root / "var") == []
    assert (root / "etc/passwd").exists()


def test_full_folder_removed_only_with_recursive(root: Path, system: System, cache: Path) -> None:
    with pytest.raises(ProviderError, match="the folder /var/cache/cups is not empty") as caught:
        changes_for(system, path="/var/cache/cups", ensure="absent")
    assert "recursive: true" in str(caught.value.hint)
    made = converge(system, path="/var/new")
    (root / "var/new/users").touch()
    with pytest.raises(ProviderError, match="the folder /var/new is not empty"):
        undo(system, made, path="/var/new")
    (root / "var/new/users").unlink()
    undo(system, made, path="/var/new")
    assert sorted(os.listdir(root / "var")) == ["cache"]
    assert cache.exists()


def test_removed_folder_kept_in_its_domain(root: Path, system: System) -> None:
    (root / "etc/app.d/x").mkdir(parents=True)
    (root / "alias").symlink_to("etc")
    converge(system, path="/alias/app.d", ensure="absent", recursive=True)
    assert len(kept(root, "etc/converge/removed")) == 1
    assert not (root / "var").exists()
    (root / "home").symlink_to("/etc/homes")
    for path, params, domain in (
        ("/etc/app.d", {}, Domain.DEPLOYMENT),
        ("/alias/app.d", {"empty": True}, Domain.DEPLOYMENT),
        ("/home", {}, Domain.DEPLOYMENT),
        ("/home", {"ensure": "absent"}, Domain.MACHINE),
        ("/var/app.d", {}, Domain.MACHINE),
    ):
        spec = directory.parse({"path": path, **params})
        assert set(acting(directory).domains(system, spec).values()) == {domain}


def test_folder_of_usr_etc_not_removed(root: Path, system: System) -> None:
    (root / "usr/etc/app.d").mkdir(parents=True)
    (root / "etc/app.d").mkdir()
    with pytest.raises(ProviderError, match=r"/etc/app\.d is a folder in /usr/etc and has to stay one"):
        changes_for(system, path="/etc/app.d", ensure="absent", recursive=True)
    (root / "etc/app.d/file").touch()
    converge(system, path="/etc/app.d", empty=True, mode="0700")
    assert os.listdir(root / "etc/app.d") == []


FOLDER = """
    gone:
      type: directory
      apply: once
      only_if: {{{guard}}}
      with: {{path: /var/lib/thing, ensure: absent{more}}}
"""


@pytest.mark.parametrize("make", ["file", "directory", "empty-directory", "symlink", "dangling-symlink", "other"])
@pytest.mark.parametrize("guard", ["kind: empty-directory", "kind: directory"])
def test_only_if_selects_kind(tmp_path: Path, make: str, guard: str) -> None:
    machine = Machine.make(tmp_path)
    thing = machine.path("/var/lib/thing")
    thing.parent.mkdir()
    makers: dict[str, Callable[[Path], object]] = {
        "file": Path.touch,
        "directory": lambda path: (path / "inside").mkdir(parents=True),
        "empty-directory": Path.mkdir,
        "symlink": lambda path: path.symlink_to("/etc"),
        "dangling-symlink": lambda path: path.symlink_to("nowhere"),
        "other": os.mkfifo,
    }
    makers[make](thing)
    machine.declare(FOLDER.format(guard=guard, more=", recursive: true"))
    met = guard == f"kind: {make}"
    assert decisions(machine.plan()) == {"gone": "apply" if met else "not-applicable"}
    assert outcomes(machine.apply()) == {"gone": "changed" if met else "unchanged"}
    assert os.path.lexists(thing) is not met


def test_refusal_shown_in_plan(tmp_path: Path) -> None:
    machine = Machine.make(tmp_path)
    machine.path("/var/lib/thing/inside").mkdir(parents=True)
    machine.declare(FOLDER.format(guard="ensure: present", more=""))
    assert reasons(machine.plan())["gone"].startswith("the folder /var/lib/thing is not empty (write `recursive: true`")
    machine.path("/var/lib/thing/inside").rmdir()
    assert decisions(machine.plan()) == {"gone": "apply"}


def test_cache_filled_by_user_emptied(tmp_path: Path) -> None:
    """The manifest declares it empty: its contents are not a decision of the user."""
    machine = Machine.make(tmp_path)
    machine.declare(
        """
        cache:
          type: directory
          apply: always
          on_user_change: keep
          with: {path: /var/cache/app, empty: true}
        """
    )
    assert outcomes(machine.apply()) == {"cache": "changed"}
    for _ in range(2):
        machine.path("/var/cache/app/page").touch()
        assert outcomes(machine.apply()) == {"cache": "changed"}
        assert os.listdir(machine.path("/var/cache/app")) == []
    assert outcomes(machine.apply()) == {"cache": "unchanged"}
    assert reasons(machine.plan()) == {"cache": "as declared"}
