"""Moving and deleting: nothing is replaced, no link followed, no mount crossed, no folder of /usr/etc lost."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.system import OtherFileSystem, System
from tests.machine import snapshot


@pytest.fixture
def tree(root: Path) -> Path:
    """A folder with all that a folder can hold."""
    top = root / "var/tree"
    (top / "deep" / "/".join(["d"] * 100)).mkdir(parents=True)
    (top / "file").write_text("x")
    (top / "deep/d/file").write_text("y")
    (top / "link").symlink_to("/etc")
    (top / os.fsdecode(b"odd\n\xff")).mkdir()
    os.mkfifo(top / "fifo")
    os.mknod(top / "device", 0o020600, os.makedev(1, 3))
    return top


def test_a_thing_is_moved_whole(root: Path, system: System, tree: Path) -> None:
    before, inode = snapshot(tree), tree.stat().st_ino
    system.move("/var/tree", "/var/new/place")
    assert snapshot(root / "var/new/place") == before
    assert (root / "var/new/place").stat().st_ino == inode
    assert not tree.exists()


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere"), os.mkfifo])
def test_nothing_is_moved_over_what_is_there(
    root: Path, system: System, tree: Path, make: Callable[[Path], None]
) -> None:
    make(root / "var/there")
    before = snapshot(root)
    for source in ("/var/tree", "/var/tree/file"):
        with pytest.raises(ProviderError, match="/var/there already exists"):
            system.move(source, "/var/there")
    assert snapshot(root) == before
    assert tree.exists()


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("/var/none", "/var/a", "/var/none does not exist"),
        ("/var/none/below", "/var/a", "/var/none/below does not exist"),
        ("/", "/var/a", "/ has to stay"),
        ("/var/tree/link", "/var/a", "is a symbolic link"),
        ("/var/tree", "/var/tree/deep/a", "cannot move to /var/tree/deep/a"),
        ("/var/tree", "/var/tree/file/a", "cannot move to /var/tree/file/a"),
    ],
)
def test_what_cannot_be_moved_is_an_error(
    root: Path, system: System, tree: Path, source: str, target: str, said: str
) -> None:
    before = snapshot(tree)
    with pytest.raises(ProviderError, match=said):
        system.move(source, target)
    assert snapshot(tree) == before
    assert not (root / "var/a").exists()


def test_links_on_the_way_stay_inside_the_root(tmp_path: Path, root: Path, system: System, tree: Path) -> None:
    (tmp_path / "outside").mkdir()
    (root / "way").symlink_to(tmp_path / "outside")
    system.move("/var/tree", "/way/tree")
    assert os.listdir(tmp_path / "outside") == []
    assert (root / str(tmp_path).lstrip("/") / "outside/tree/file").exists()
    assert not tree.exists()


def test_contents_are_moved_and_the_folder_stays(root: Path, system: System, tree: Path) -> None:
    before, inode = snapshot(tree), tree.stat().st_ino
    (root / "var/kept").mkdir()
    system.move_contents("/var/tree", "/var/kept")
    assert snapshot(root / "var/kept") == before
    assert (tree.stat().st_ino, os.listdir(tree)) == (inode, [])


def test_contents_replace_the_same_names_on_request(root: Path, system: System, tree: Path) -> None:
    (root / "var/kept/link/old").mkdir(parents=True)
    (root / "var/kept/other").touch()
    before = snapshot(tree)
    with pytest.raises(ProviderError, match="/var/kept/link already exists"):
        system.move_contents("/var/tree", "/var/kept")
    assert snapshot(tree) == before
    assert sorted(os.listdir(root / "var/kept")) == ["link", "other"]
    system.move_contents("/var/tree", "/var/kept", replace=True)
    assert snapshot(root / "var/kept").keys() == {*before, "other"}
    assert os.listdir(tree) == []


@pytest.mark.parametrize("source", ["/var/link", "/var/tree/file", "/var/none"])
def test_only_a_folder_itself_has_contents(root: Path, system: System, tree: Path, source: str) -> None:
    (root / "var/link").symlink_to("tree")
    (root / "var/kept").mkdir()
    before = snapshot(root)
    with pytest.raises(ProviderError, match=source):
        system.move_contents(source, "/var/kept")
    with pytest.raises(ProviderError, match=source):
        system.delete_contents(source)
    assert snapshot(root) == before
    assert tree.exists()


def test_everything_in_a_tree_is_deleted_and_nothing_else(root: Path, system: System, tree: Path) -> None:
    (root / "etc/other").write_text("stays")
    os.link(root / "etc/other", tree / "deep/name")
    system.delete_contents("/var/tree")
    assert os.listdir(tree) == []
    system.delete("/var/tree")
    system.delete("/var/tree")
    system.delete("/var/none/below")
    assert os.listdir(root / "var") == []
    assert (root / "etc/other").read_text() == "stays"


def test_deletion_has_no_use_for_many_descriptors(root: Path, system: System) -> None:
    folder = os.open(root / "var", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    system.delete("/var/d")
    assert os.listdir(root / "var") == []


@pytest.mark.parametrize("path", ["/var/tree/link", "/var/tree/fifo", "/var/tree/device", "/var/tree/file"])
def test_a_thing_of_any_kind_is_deleted_itself(root: Path, system: System, tree: Path, path: str) -> None:
    system.delete(path)
    assert not os.path.lexists(root / path.lstrip("/"))
    assert (root / "etc").exists()
    assert len(os.listdir(tree)) == 5


def test_an_empty_folder_is_removed_and_no_other_thing(root: Path, system: System, tree: Path) -> None:
    (root / "var/empty").mkdir()
    system.remove_folder("/var/empty")
    system.remove_folder("/var/empty")
    for path in ("/var/tree", "/var/tree/link", "/var/tree/file"):
        with pytest.raises(ProviderError, match="cannot remove"):
            system.remove_folder(path)
    assert os.listdir(root / "var") == ["tree"]
    assert len(os.listdir(tree)) == 6


IN_A_MOUNT = """
import subprocess, sys
from converge.errors import ProviderError
from converge.system import System
root, outside, kind = sys.argv[1:]
point = root + "/var/tree/deep/d"
options = ["--bind", outside] if kind == "bind" else ["-t", "tmpfs", "x"]
subprocess.run(["mount", *options, point], check=True)
system = System(root)
system.make_folder("/var/kept")
for change in (
    lambda: system.delete("/var/tree"),
    lambda: system.delete_contents("/var/tree"),
    lambda: system.move("/var/tree", "/var/kept/tree"),
    lambda: system.move_contents("/var/tree", "/var/kept"),
    lambda: system.delete("/var/tree/deep/d"),
    lambda: system.move("/var/tree/deep/d", "/var/kept/d"),
):
    try:
        change()
    except ProviderError as error:
        assert error.message == "something is mounted at /var/tree/deep/d", error.message
    else:
        raise AssertionError
print(sorted(found.path for found in system.walk("/var/tree", max_depth=2)))
system.write("/var/tree/deep/d/new", b"")
system.delete_contents("/var/tree/deep/d")
"""


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_what_is_mounted_in_a_tree_keeps_it_where_it_is(tmp_path: Path, root: Path, tree: Path, kind: str) -> None:
    """A bind mount of the same file system differs from the folders around it only in the table of mounts."""
    (tmp_path / "outside").mkdir()
    before = snapshot(tree)
    command = ["unshare", "--mount", sys.executable, "-c", IN_A_MOUNT, str(root), str(tmp_path / "outside"), kind]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "deep/d" not in done.stdout
    assert snapshot(tree) == before


ACROSS = """
import subprocess, sys
from converge.system import OtherFileSystem, System
subprocess.run(["mount", "-t", "tmpfs", "x", sys.argv[1] + "/etc"], check=True)
system = System(sys.argv[1])
system.write("/etc/one", b"")
for move in (system.move, system.move_contents):
    try:
        move("/var/tree", "/etc/place" if move == system.move else "/etc")
    except OtherFileSystem as error:
        print(error.message)
"""


def test_another_file_system_is_an_error_and_all_stays(root: Path, tree: Path) -> None:
    before = snapshot(tree)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    command = ["unshare", "--mount", sys.executable, "-c", ACROSS, str(root)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "/etc/place would be on another file system",
        "/etc/deep would be on another file system",
    ]
    assert snapshot(tree) == before
    assert issubclass(OtherFileSystem, ProviderError)


@pytest.fixture
def defaults(root: Path) -> Path:
    """What ostree has for /etc by default: folders that have to stay folders."""
    (root / "usr/etc/app.d/inner").mkdir(parents=True)
    (root / "usr/etc/app.conf").touch()
    return root / "usr/etc"


CHANGES: dict[str, Callable[[System], object]] = {
    "write": lambda system: system.write("/etc/app.d", b"x"),
    "write through a link": lambda system: system.write("/var/link", b"x"),
    "append": lambda system: system.append("/etc/app.d", b"x", sync=False),
    "link": lambda system: system.make_link("/etc/app.d", "/var"),
    "move a file there": lambda system: system.move("/var/file", "/etc/app.d"),
    "move a folder there with a file for a folder": lambda system: system.move("/var/folder", "/etc/app.d"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_nothing_but_a_folder_comes_where_usr_etc_has_one(
    root: Path, system: System, defaults: Path, change: Callable[[System], object]
) -> None:
    (root / "var/link").symlink_to("../etc/app.d")
    (root / "var/file").touch()
    (root / "var/folder").mkdir()
    (root / "var/folder/inner").touch()
    before = snapshot(root)
    with pytest.raises(ProviderError, match="is a folder in /usr/etc and has to stay one") as caught:
        change(system)
    assert "choose another path" in str(caught.value.hint)
    assert snapshot(root) == before
    assert defaults.exists()


REMOVALS: dict[str, Callable[[System], object]] = {
    "remove it": lambda system: system.remove_folder("/etc/app.d/inner"),
    "delete it": lambda system: system.delete("/etc/app.d"),
    "delete what is around it": lambda system: system.delete_contents("/etc/app.d"),
    "move it": lambda system: system.move("/etc/app.d", "/var/app.d"),
    "move what is around it": lambda system: system.move_contents("/etc/app.d", "/var"),
}


@pytest.mark.parametrize("removal", REMOVALS.values(), ids=REMOVALS.keys())
def test_a_folder_that_usr_etc_has_is_not_taken_away(
    root: Path, system: System, defaults: Path, removal: Callable[[System], object]
) -> None:
    (root / "etc/app.d/inner").mkdir(parents=True)
    before = snapshot(root)
    with pytest.raises(ProviderError, match="is a folder in /usr/etc and has to stay one"):
        removal(system)
    assert snapshot(root) == before
    assert defaults.exists()


def test_files_of_usr_etc_and_what_is_in_its_folders_may_change(root: Path, system: System, defaults: Path) -> None:
    (root / "etc/app.d").symlink_to("/var")
    system.remove("/etc/app.d")
    (root / "var/folder/inner").mkdir(parents=True)
    (root / "var/folder/file").touch()
    system.move("/var/folder", "/etc/app.d")
    system.write("/etc/app.d/own", b"")
    system.make_link("/etc/app.conf", "app.d/own")
    system.delete("/etc/app.d/file")
    system.make_folder("/etc/app.d/inner/new")
    system.move("/etc/app.d/inner/new", "/var/new")
    assert sorted(os.listdir(root / "etc/app.d")) == ["inner", "own"]
    assert defaults.exists()


SWAPPER = """
import os, sys
for _ in range(1_000_000):
    os.rename("folder", "aside"); os.symlink(sys.argv[1], "folder")
    os.unlink("folder"); os.rename("aside", "folder")
"""


@pytest.mark.parametrize("emptied", [True, False])
def test_folder_swapped_for_a_link_is_emptied_or_left(root: Path, system: System, emptied: bool) -> None:
    """The link leads to a folder inside the root: only what is in the folder itself may go."""
    for number in range(20):
        (root / f"etc/precious-{number}").touch()
    (root / "var/folder").mkdir()
    (root / "var/kept").mkdir()
    swapper = subprocess.Popen([sys.executable, "-c", SWAPPER, "/etc"], cwd=root / "var")
    try:
        for number in range(300):
            try:
                system.write(f"/var/folder/own-{number}", b"", keep=False)
                if emptied:
                    system.move_contents("/var/folder", "/var/kept", replace=True)
                else:
                    system.delete_contents("/var/folder")
            except ProviderError as error:
                assert "/var/folder" in error.message  # noqa: PT017  (losing the race is fine)
    finally:
        swapper.send_signal(signal.SIGKILL)
        swapper.wait()
    assert {f"precious-{number}" for number in range(20)} <= set(os.listdir(root / "etc"))
