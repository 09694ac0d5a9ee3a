"""Walking and fixing trees, odd ones above all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.system import System


def paths(system: System, path: str, **options: object) -> list[str]:
    return sorted(found.path for found in system.walk(path, **options))  # type: ignore[arg-type]  # max_depth, excludes


@pytest.fixture
def tree(root: Path) -> Path:
    top = root / "var/lib/saned"
    for path in ("a/b/c", "skip/deep"):
        (top / path).mkdir(parents=True)
    for path in ("file", "a/file", "a/b/c/file", "skip/deep/file"):
        (top / path).touch()
    return top


ALL = ["", "a", "a/b", "a/b/c", "a/b/c/file", "a/file", "file", "skip", "skip/deep", "skip/deep/file"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ALL),
        ({"max_depth": 0}, [""]),
        ({"max_depth": 1}, ["", "a", "file", "skip"]),
        ({"max_depth": 2}, ["", "a", "a/b", "a/file", "file", "skip", "skip/deep"]),
        ({"excludes": ["skip"]}, ALL[:7]),
        ({"excludes": ["skip", "*/file"]}, ["", "a", "a/b", "a/b/c", "file"]),
        ({"excludes": ["a/b/", "s*/deep"]}, ["", "a", "a/file", "file", "skip"]),
    ],
)
def test_a_walk_finds_what_is_asked(
    system: System, tree: Path, options: dict[str, object], expected: list[str]
) -> None:
    assert tree.exists()
    assert paths(system, "/var/lib/saned", **options) == expected


def test_links_to_the_top_are_followed_and_none_below(tmp_path: Path, root: Path, system: System, tree: Path) -> None:
    (root / "alias").symlink_to("/var/lib/saned/a")
    (tree / "a/out").symlink_to(tmp_path)
    (tree / "a/up").symlink_to("..")
    assert paths(system, "/alias") == ["", "b", "b/c", "b/c/file", "file", "out", "up"]
    assert paths(system, "/absent") == []
    assert paths(system, "/var/lib/saned/file") == [""]


def test_folders_come_before_what_is_in_them(system: System, tree: Path) -> None:
    assert tree.exists()
    seen: set[str] = set()
    for found in system.walk("/"):
        assert not found.path or os.path.dirname(found.path) in seen
        seen.add(found.path)


def test_everything_is_fixed_and_nothing_else(root: Path, system: System, tree: Path) -> None:
    outside = root / "etc/shadow"
    outside.touch()
    outside.chmod(0o640)
    (tree / "link").symlink_to("/etc/shadow")
    os.mkfifo(tree / "fifo")
    os.mknod(tree / "device", 0o020666, os.makedev(1, 5))
    (tree / os.fsdecode(b"odd\n\xff")).touch()
    for found in system.walk("/var/lib/saned"):
        assert system.fix(found, mode=None if found.kind == "symlink" else 0o700, uid=117, gid=7)
    fixed = [tree, *tree.rglob("*")]
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in fixed} == {(117, 7)}
    assert {path.lstat().st_mode & 0o7777 for path in fixed if not path.is_symlink()} == {0o700}
    assert (outside.stat().st_uid, outside.stat().st_mode & 0o7777) == (0, 0o640)


def test_a_link_has_no_mode(system: System, tree: Path) -> None:
    (tree / "a/b/link").symlink_to("c")
    walk = system.walk("/var/lib/saned")
    found = next(found for found in walk if found.kind == "symlink")
    assert found.path == "a/b/link"
    with pytest.raises(ProviderError, match="a/b/link is a symbolic link"):
        system.fix(found, mode=0o600)


@pytest.mark.parametrize("swap", ["gone", "link", "other file", "new hard link"])
def test_what_took_a_things_place_is_left_alone(root: Path, system: System, tree: Path, swap: str) -> None:
    victim, target = root / "etc/victim", tree / "file"
    victim.touch()
    victim.chmod(0o640)
    walk = system.walk("/var/lib/saned", max_depth=1)
    found = next(found for found in walk if found.path == "file")
    target.unlink() if swap != "new hard link" else os.link(target, tree / "second")
    if swap == "link":
        target.symlink_to("/etc/victim")
    elif swap == "other file":
        os.link(victim, target)
    assert system.fix(found, mode=0o777, uid=117) is False
    assert (victim.stat().st_uid, victim.stat().st_mode & 0o7777) == (0, 0o640)


def test_a_folder_swapped_for_a_link_is_not_entered(tmp_path: Path, system: System, tree: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").touch()
    seen = []
    for found in system.walk("/var/lib/saned"):
        seen.append(found.path)
        if found.path == "skip":
            (tree / "skip").rename(tree / "moved")
            (tree / "skip").symlink_to(tmp_path / "outside")
    assert not [path for path in seen if path.startswith("skip/")]


def test_what_vanishes_is_passed_over(system: System, tree: Path) -> None:
    for found in system.walk("/var/lib/saned"):
        if found.path == "a":
            for path in ("a/b/c/file", "a/file"):
                (tree / path).unlink()
            (tree / "a/b/c").rmdir()
            (tree / "a/b").rmdir()
            (tree / "a").rmdir()
    assert paths(system, "/var/lib/saned") == ["", "file", "skip", "skip/deep", "skip/deep/file"]


def test_a_hundred_levels_are_walked(root: Path, system: System) -> None:
    (root / "var" / "/".join(["d"] * 100)).mkdir(parents=True)
    assert len(paths(system, "/var")) == 101


MOUNTED = """
import subprocess, sys
from converge.system import System
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", sys.argv[1] + "/var/lib/saned/a"], check=True)
open(sys.argv[1] + "/var/lib/saned/a/inside", "w").close()
print(sorted(found.path for found in System(sys.argv[1]).walk("/var/lib/saned")))
"""


def test_another_file_system_is_passed_over(root: Path, tree: Path) -> None:
    assert tree.exists()
    command = ["unshare", "--mount", sys.executable, "-c", MOUNTED, str(root)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(["", "file", "skip", "skip/deep", "skip/deep/file"])
