import os
from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change
from converge.providers.files import permissions
from converge.providers.protocol import fields_of
from converge.system import System
from tests.real.converging import acting, changes_of

PASSWD = "root:x:0:0::/root:/bin/sh\nsaned:x:117:117::/var/lib/saned:\n"
GROUP = "root:x:0:\nsaned:x:117:\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)
    return root


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def make(root: Path, tree: dict[str, int], uid: int = 0) -> None:
    """Make files with these modes; a path that ends in a slash is a folder."""
    for name, mode in tree.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.fsencode(name))
        os.chown(path, uid, uid)
        path.chmod(mode)


def mode_of(path: Path) -> int:
    return path.lstat().st_mode & 0o7777


def changes_for(system: System, **params: Any) -> tuple[Change, ...]:
    return changes_of(permissions, system, **params)


def converge(system: System, **params: Any) -> tuple[Change, ...]:
    """Apply, and check that no change is left."""
    changes = changes_for(system, **params)
    permissions.apply(system, permissions.parse(params), changes)
    assert changes_for(system, **params) == ()
    return changes


def test_only_homes_with_matched_mode_changed(root: Path, system: System) -> None:
    make(root, {"var/home/": 0o755, "var/home/ann/": 0o755, "var/home/bob/": 0o750, "var/home/eve/": 0o755})
    make(root, {"var/home/ann/deep/": 0o755, "var/home/note": 0o755, "elsewhere/": 0o755})
    (root / "home").symlink_to("var/home")
    (root / "var/home/link").symlink_to("../../elsewhere")
    fix: dict[str, Any] = {"path": "/home", "recursive": True, "max_depth": 1, "only": "directories"}
    fix |= {"include_top": False, "match": {"mode": "0755"}, "mode": "0700"}
    (change,) = converge(system, **fix)
    assert str(change.before).endswith(" (2 entries, first ann)")
    names = ("", "ann", "bob", "eve", "ann/deep", "note")
    modes = [mode_of(root / "var/home" / name) for name in names]
    assert modes == [0o755, 0o700, 0o750, 0o700, 0o755, 0o755]
    assert mode_of(root / "elsewhere") == 0o755


def test_owner_changed_by_name_without_following_links(root: Path, system: System) -> None:
    make(root, {"var/lib/saned/": 0o755, "var/lib/saned/a/b": 0o644, "var/lib/saned/x": 0o755}, uid=113)
    make(root, {"etc/secret": 0o600})
    (root / "var/lib/saned/link").symlink_to("/etc/secret")
    converge(system, path="/var/lib/saned", recursive=True, owner="saned", group="saned", mode="u=rwX,g=rX,o=")
    for name, mode in {"": 0o750, "a": 0o750, "a/b": 0o640, "x": 0o750}.items():
        path = root / "var/lib/saned" / name
        assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (117, 117, mode), name
    assert ((root / "etc/secret").stat().st_uid, mode_of(root / "etc/secret")) == (0, 0o600)
    assert (root / "var/lib/saned/link").lstat().st_uid == 117


def test_hard_link_refused_before_any_change(root: Path, system: System) -> None:
    make(root, {"srv/a": 0o644, "srv/b": 0o644, "etc/secret": 0o600})
    os.link(root / "etc/secret", root / "srv/linked")
    with pytest.raises(ProviderError, match="linked in /srv has 2 hard links"):
        changes_for(system, path="/srv", recursive=True, owner="saned")
    spec = permissions.parse({"path": "/srv", "recursive": True, "owner": "saned"})
    with pytest.raises(ProviderError, match="hard links"):
        permissions.apply(system, spec, (Change("owner", f"tree:{'0' * 64} (3 entries, first a)", "saned"),))
    assert {path.stat().st_uid for path in (root / "srv").iterdir()} == {0}
    with pytest.raises(ProviderError, match="hard links"):
        changes_for(system, path="/srv/linked", mode="0666")


@pytest.mark.parametrize(("hard_links", "uid"), [("skip", 0), ("allow", 117)])
def test_hard_link_skipped_or_allowed(root: Path, system: System, hard_links: str, uid: int) -> None:
    make(root, {"srv/a": 0o644, "etc/secret": 0o600})
    os.link(root / "etc/secret", root / "srv/linked")
    converge(system, path="/srv", recursive=True, owner="saned", hard_links=hard_links)
    assert (root / "srv/a").stat().st_uid == 117
    assert (root / "etc/secret").stat().st_uid == uid


@pytest.mark.parametrize(
    ("params", "changed"),
    [
        ({"max_depth": 1}, {"", "a", "f"}),
        ({"max_depth": 0}, {""}),
        ({"only": "files"}, {"f", "a/f", "a/b/f"}),
        ({"only": "directories", "include_top": False}, {"a", "a/b"}),
        ({"exclude": ["a/b"]}, {"", "a", "f", "a/f"}),
        ({"exclude": ["*f"], "only": "files"}, set()),
        ({"match": {"mode": "0644"}}, {"f", "a/f", "a/b/f"}),
        ({"match": {"owner": "saned"}}, set()),
        ({"match": {"owner": "0", "group": "root", "mode": "0700"}}, {"", "a", "a/b"}),
    ],
)
def test_selected_entries_changed(root: Path, system: System, params: dict[str, Any], changed: set[str]) -> None:
    make(root, {"t/": 0o700, "t/f": 0o644, "t/a/": 0o700, "t/a/f": 0o644, "t/a/b/": 0o700, "t/a/b/f": 0o644})
    converge(system, path="/t", recursive=True, mode="0711", **params)
    assert {name for name in ("", "f", "a", "a/f", "a/b", "a/b/f") if mode_of(root / "t" / name) == 0o711} == changed


def test_files_and_folders_get_separate_modes(root: Path, system: System) -> None:
    make(root, {"t/": 0o777, "t/f": 0o777, "t/a/": 0o777})
    changes = converge(system, path="/t", recursive=True, file_mode="u=rw,go=r", directory_mode="0755")
    assert [change.after for change in changes] == ["files u=rw,go=r; directories 0755"]
    assert [mode_of(root / "t" / name) for name in ("", "f", "a")] == [0o755, 0o644, 0o755]
    converge(system, path="/t", recursive=True, file_mode="0600")
    assert [mode_of(root / "t" / name) for name in ("", "f", "a")] == [0o755, 0o600, 0o755]


def test_single_path_shows_plain_values(root: Path, system: System) -> None:
    make(root, {"srv/tool": 0o4755})
    changes = converge(system, path="/srv/tool", owner="saned", mode="u+x,o=")
    assert changes == (Change("owner", "root", "saned"), Change("mode", "4755", "4750"))
    assert mode_of(root / "srv/tool") == 0o4750


def test_new_owner_keeps_set_id_bits(root: Path, system: System) -> None:
    make(root, {"srv/tool": 0o4755})
    converge(system, path="/srv", recursive=True, owner="saned")
    assert mode_of(root / "srv/tool") == 0o4755


def test_missing_path_needs_no_change(system: System) -> None:
    assert converge(system, path="/nowhere", recursive=True, owner="saned", mode="0700") == ()


def test_paths_of_other_resources_left_out(root: Path, system: System) -> None:
    make(root, {"var/data/a": 0o644, "var/data/b": 0o644})
    (root / "data").symlink_to("var/data")
    spec = permissions.yield_to(
        permissions.parse({"path": "/data", "recursive": True, "mode": "0700"}), ("/data/b", "/data-2", "/etc/b")
    )
    changes = acting(permissions).changes(system, spec, permissions.inspect(system, spec))
    permissions.apply(system, spec, changes)
    assert (mode_of(root / "var/data/a"), mode_of(root / "var/data/b")) == (0o700, 0o644)


def test_tree_restored_by_undo(root: Path, system: System) -> None:
    make(root, {"t/": 0o700, "t/f\n1": 0o640, os.fsdecode(b"t/\xff"): 0o4711})
    make(root, {"t/g": 0o600}, uid=1234)
    params = {"path": "/t", "recursive": True, "owner": "saned", "mode": "0755", "match": {"group": "0"}}
    spec = permissions.parse(params)
    before = fields_of(permissions.inspect(system, spec))
    changes = converge(system, **params)
    (root / "t/later").write_text("made after the change")
    permissions.apply(system, spec, tuple(change.inverse() for change in changes))
    (root / "t/later").unlink()
    assert fields_of(permissions.inspect(system, spec)) == before
    assert [mode_of(root / "t" / name) for name in ("f\n1", os.fsdecode(b"\xff"))] == [0o640, 0o4711]


def test_incomplete_record_written_again(root: Path, system: System) -> None:
    make(root, {"t/a": 0o644})
    spec = permissions.parse({"path": "/t", "recursive": True, "only": "files", "mode": "0600"})
    changes = acting(permissions).changes(system, spec, permissions.inspect(system, spec))
    records = root / "var/lib/converge/trees"
    make(root, {f"var/lib/converge/trees/{str(changes[0].before)[5:69]}": 0o600})
    permissions.apply(system, spec, changes)
    assert [path.read_bytes() for path in records.iterdir()] == [b"0644 a\0end\0"]
    permissions.apply(system, spec, changes)
    assert [path.read_bytes() for path in records.iterdir()] == [b"0644 a\0end\0"]


def test_user_and_group_with_same_number_share_record(root: Path, system: System) -> None:
    make(root, {"data/": 0o755, "data/a": 0o644}, uid=1000)
    spec = permissions.parse({"path": "/data", "recursive": True, "owner": "saned", "group": "saned"})
    changes = acting(permissions).changes(system, spec, permissions.inspect(system, spec))
    permissions.apply(system, spec, changes)
    permissions.apply(system, spec, tuple(change.inverse() for change in changes))
    stat = (root / "data/a").stat()
    assert (stat.st_uid, stat.st_gid) == (1000, 1000)


def test_state_of_large_tree_is_small(root: Path, system: System) -> None:
    make(root, {f"t/{number}": 0o644 for number in range(300)})
    (change,) = changes_for(system, path="/t", recursive=True, only="files", owner="saned")
    assert len(str(change.before)) < 120
    assert "(300 entries, first 0)" in str(change.before)


@pytest.mark.parametrize(
    "params",
    [
        {"path": "relative", "mode": "0700"},
        {"path": "/a/../b", "mode": "0700"},
        {"path": "/a"},
        {"path": "/a", "mode": "rwx"},
        {"path": "/a", "mode": "0700", "match": {"mode": "u=rwx"}},
    ],
)
def test_invalid_parameters_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        permissions.parse(params)


def test_unknown_user_named_in_error(root: Path, system: System) -> None:
    make(root, {"t/a": 0o644})
    with pytest.raises(ProviderError, match="the user 'nobody-here' is unknown"):
        changes_for(system, path="/t", recursive=True, owner="nobody-here")


def test_fixes_of_different_faults_in_one_tree_do_not_conflict() -> None:
    first = permissions.parse({"path": "/home", "recursive": True, "match": {"mode": "0755"}, "mode": "0700"})
    second = permissions.parse({"path": "/home", "recursive": True, "match": {"mode": "0775"}, "mode": "0770"})
    ours, theirs = (acting(permissions).claims(spec) for spec in (first, second))
    assert {claim.thing.recorded for claim in ours}.isdisjoint(claim.thing.recorded for claim in theirs)
