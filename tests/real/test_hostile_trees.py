"""Hostile trees: the work in them changes nothing outside of them, and it ends.

The protected files are compared byte by byte, with inode, mode and owner: on the host, beside the root, and inside the
root, beside the tree. Each run is a process with a time limit and its own mounts.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from attrs import frozen

from tests.machine import Machine

TIME_LIMIT = 60
"""Seconds; a run takes less than one."""
REPOSITORY = Path(__file__).parents[2]
ODD = os.fsdecode(b"odd\n\xff")
DEPTH = 100
RUNS = 30
"""The number of runs of converge while links are swapped."""

Print = dict[str, tuple[object, ...]]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for device nodes, mounts and other owners")


def fingerprint(folder: Path) -> Print:
    found: Print = {}
    for path in (folder, *folder.rglob("*")):
        stat = path.lstat()
        data = path.read_bytes() if path.is_file() else None
        found[str(path)] = (data, stat.st_ino, stat.st_mode, stat.st_uid, stat.st_gid)
    return found


@frozen
class Trap:
    """A machine with a tree that belongs to a user, and precious files outside of the tree."""

    machine: Machine
    host: Path
    """Beside the root."""

    @property
    def tree(self) -> Path:
        return self.machine.path("/var/tree")

    @property
    def inside(self) -> Path:
        """In the root, beside the tree."""
        return self.machine.path("/etc/precious")

    def precious(self) -> Print:
        return fingerprint(self.host) | fingerprint(self.inside)

    def lay(self) -> None:
        """Make all entries that could lead out of the tree, or stop a program that walks it."""
        deepest = self.tree / "deep" / "/".join(["d"] * DEPTH)
        for path in (deepest, self.tree / ODD, self.tree / "mounted/bind", self.tree / "mounted/tmpfs"):
            path.mkdir(parents=True)
        for path in (deepest / "file", self.tree / ODD / ODD, self.tree / "file"):
            path.write_text("theirs")
        for name, precious in (("host", self.host), ("inside", self.inside)):
            os.link(precious / "secret", self.tree / f"hard-link-{name}")
        for name, target in (("host", str(self.host)), ("inside", "/etc/precious")):
            (self.tree / f"link-{name}").symlink_to(target)
            (deepest / f"link-{name}").symlink_to(f"{target}/secret")
        (self.tree / "up").symlink_to("../" * 50 + str(self.host).lstrip("/"))
        (self.tree / "circle").symlink_to("circle")
        os.mkfifo(self.tree / "fifo")
        os.mknod(self.tree / "device", 0o020600, os.makedev(1, 5))  # /dev/zero, which has no end
        for path in (self.tree, *self.tree.rglob("*")):
            if path.lstat().st_nlink == 1 or path.is_dir():
                os.chown(path, 1000, 1000, follow_symlinks=False)

    def fill(self, number: int) -> None:
        """Fill the tree while links are swapped in it; entries that are in the way are left out."""
        with suppress(OSError):
            shutil.rmtree(self.machine.path("/srv/tree"), ignore_errors=True)
            self.tree.mkdir(exist_ok=True)
            folder = os.open(self.tree, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                for name in ("sub", "sub/below"):
                    with suppress(FileExistsError):
                        os.mkdir(name, dir_fd=folder)
                for name in (f"file-{number}", "sub/file", "sub/below/file"):
                    os.close(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, dir_fd=folder))
            finally:
                os.close(folder)

    def declare(self, type_: str, params: str) -> None:
        self.machine.declare(f"hostile: {{type: {type_}, apply: always, with: {params}}}")

    def run(self, *, mounts: bool = False) -> subprocess.CompletedProcess[str]:
        """Run converge; with `mounts`, the precious host folder and a tmpfs are mounted in the tree during the run."""
        points = [str(self.tree / "mounted/bind"), str(self.tree / "mounted/tmpfs")]
        mounting = f'mount --bind {self.host} "$1" && mount -t tmpfs tmpfs "$2" && ' if mounts else ""
        shell = ["sh", "-c", f'{mounting}shift 2 && exec "$@"', "sh", *points]
        words = ["-m", "converge", "apply", str(self.machine.manifest), "--root", str(self.machine.root)]
        return subprocess.run(
            ["unshare", "--mount", *shell, sys.executable, *words],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )

    @contextmanager
    def swapping(self, name: str, target: str) -> Iterator[None]:
        """During the block, a folder below /var is replaced by a link and back, over and over."""
        command = [sys.executable, "-c", SWAPPER, name, target]
        swapper = subprocess.Popen(command, cwd=self.tree.parent)
        try:
            yield
        finally:
            swapper.send_signal(signal.SIGKILL)
            swapper.wait()


SWAPPER = """
import os, sys
name, target = sys.argv[1:]
for _ in range(1_000_000):
    for act, words in (
        (os.mkdir, (name,)),
        (os.rename, (name, name + "-aside")),
        (os.symlink, (target, name)),
        (os.unlink, (name,)),
        (os.rename, (name + "-aside", name)),
    ):
        try:
            act(*words)
        except OSError:
            pass
"""


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    trap = Trap(Machine.make(tmp_path / "machine"), tmp_path / "host")
    for folder in (trap.host, trap.inside):
        (folder / "below").mkdir(parents=True)
        for path in (folder / "secret", folder / "file", folder / "below/file"):
            path.write_text(f"precious {path.name}")
            path.chmod(0o640)
            os.chown(path, 0, 117)
    trap.tree.mkdir()
    return trap


PERMISSIONS = "{path: /var/tree, recursive: true, owner: alice, group: alice, mode: 'u=rwX,go=', hard_links: %s}"
REMOVING = {
    "emptied": ("directory", "{path: /var/tree, empty: true}"),
    "emptied for good": ("directory", "{path: /var/tree, empty: true, backup: false}"),
    "removed": ("directory", "{path: /var/tree, ensure: absent, recursive: true}"),
    "removed for good": ("directory", "{path: /var/tree, ensure: absent, recursive: true, backup: false}"),
    "moved": ("move", "{from: /var/tree, to: /srv/tree, leave_link: true}"),
}


def test_permissions_changed_only_inside_hostile_tree(trap: Trap) -> None:
    trap.lay()
    before = trap.precious()
    trap.declare("permissions", PERMISSIONS % "skip")
    done = trap.run(mounts=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert trap.precious() == before
    fixed = [path for path in trap.tree.rglob("*") if not path.is_symlink() and path.lstat().st_nlink == 1]
    assert sorted(path.name for path in fixed) == ["device", "fifo", "file", "file", ODD]
    assert {path.lstat().st_mode & 0o7077 for path in fixed} == {0}


def test_hard_link_in_tree_refused_by_default(trap: Trap) -> None:
    trap.lay()
    before, tree = trap.precious(), fingerprint(trap.tree)
    trap.declare("permissions", PERMISSIONS % "refuse")
    done = trap.run()
    assert (done.returncode, "has 2 hard links" in done.stdout) == (4, True), done.stdout + done.stderr
    assert (trap.precious(), fingerprint(trap.tree)) == (before, tree)


@pytest.mark.parametrize("what", REMOVING)
def test_hostile_tree_removed_completely(trap: Trap, what: str) -> None:
    trap.lay()
    before, names = trap.precious(), sorted(os.listdir(trap.tree))
    trap.declare(*REMOVING[what])
    done = trap.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert trap.precious() == before
    kept = [*trap.machine.root.glob("var/lib/converge/removed/*/*"), *trap.machine.root.glob("srv/tree")]
    assert [sorted(os.listdir(folder)) for folder in kept] == ([] if "for good" in what else [names])
    assert os.listdir(trap.tree) == [] if "emptied" in what else not trap.tree.exists()


@pytest.mark.parametrize("what", REMOVING)
def test_tree_with_mounts_unchanged(trap: Trap, what: str) -> None:
    trap.lay()
    before, tree = trap.precious(), fingerprint(trap.tree)
    trap.declare(*REMOVING[what])
    done = trap.run(mounts=True)
    assert (done.returncode, "something is mounted at /var/tree/mounted/" in done.stdout) == (4, True), done.stdout
    assert (trap.precious(), fingerprint(trap.tree)) == (before, tree)


THINGS = """
    things:
      type: {type}
      apply: always
      for_each: "{{{{ glob('/var/tree/*') }}}}"
      with: {{path: "{{{{ item }}}}", {params}}}
    below:
      type: {type}
      apply: always
      for_each: "{{{{ glob('/var/tree/odd*/*') }}}}"
      with: {{path: "{{{{ item }}}}", {params}}}
    through:
      type: {type}
      apply: always
      for_each: [/var/tree/link-host/secret, /var/tree/up/secret, /var/tree/circle/secret, /var/tree/fifo/secret]
      with: {{path: "{{{{ item }}}}", {params}}}
"""


@pytest.mark.parametrize(
    ("type_", "params"),
    [
        ("file", "content: ours, mode: '0600'"),
        ("file", "mode: '0600', owner: scanner"),
        ("file", "ensure: absent"),
        ("symlink", "target: /etc"),
        ("symlink", "ensure: absent"),
        ("directory", "empty: true"),
        ("directory", "ensure: absent, recursive: true, backup: false"),
    ],
)
def test_each_type_changes_nothing_outside_hostile_tree(trap: Trap, type_: str, params: str) -> None:
    trap.lay()
    before = trap.precious()
    trap.machine.declare(THINGS.format(type=type_, params=params))
    done = trap.run(mounts=True)
    assert "Applied: " in done.stdout, done.stderr
    assert done.returncode == 4, done.stdout
    assert trap.precious() == before


SWAPPED = {
    "permissions, in the tree": ("permissions", PERMISSIONS % "skip", "tree/sub"),
    "emptied, in the tree": (*REMOVING["emptied"], "tree/sub"),
    "emptied, itself": (*REMOVING["emptied"], "tree"),
    "emptied for good, in the tree": (*REMOVING["emptied for good"], "tree/sub"),
    "emptied for good, itself": (*REMOVING["emptied for good"], "tree"),
    "removed, itself": (*REMOVING["removed"], "tree"),
    "removed for good, in the tree": (*REMOVING["removed for good"], "tree/sub/below"),
    "removed for good, itself": (*REMOVING["removed for good"], "tree"),
    "moved, itself": (*REMOVING["moved"], "tree"),
    "linked, itself": ("symlink", "{path: /var/tree/sub, target: elsewhere}", "tree/sub"),
}


@pytest.mark.parametrize("target", ["host", "inside"])
@pytest.mark.parametrize("what", SWAPPED)
def test_links_swapped_in_during_run_change_nothing_outside(trap: Trap, what: str, target: str) -> None:
    """The run may lose the race, as long as nothing outside of the tree is damaged."""
    before = trap.precious()
    type_, params, swapped = SWAPPED[what]
    trap.declare(type_, params)
    with trap.swapping(swapped, str(trap.host) if target == "host" else "/etc/precious"):
        for number in range(RUNS):
            trap.fill(number)
            trap.machine.apply()
            assert trap.precious() == before
            assert not trap.machine.path("/srv/tree").is_symlink()
    assert trap.precious() == before


@pytest.mark.parametrize(
    ("type_", "params"),
    [
        ("file", "{path: /var/tree/sub/file, content: ours}"),
        ("file", "{path: /var/tree/sub/file, ensure: absent}"),
        ("symlink", "{path: /var/tree/sub/link, target: elsewhere}"),
        ("directory", "{path: /var/tree/sub/below, mode: '0700', owner: scanner}"),
        ("directory", "{path: /var/tree/sub/below, ensure: absent, recursive: true, backup: false}"),
        ("move", "{from: /var/tree/sub/file, to: /var/tree/sub/new/file}"),
    ],
)
def test_links_swapped_in_path_during_run_stay_inside_root(trap: Trap, type_: str, params: str) -> None:
    before = fingerprint(trap.host)
    trap.declare(type_, params)
    with trap.swapping("tree/sub", str(trap.host)):
        for number in range(RUNS):
            trap.fill(number)
            trap.machine.apply()
            assert fingerprint(trap.host) == before
