"""A live root whose /sysroot is mounted read-only, as on a booted ostree system, in a box of mounts of its own.

The box has the host's programs; /etc, /var, /run and the mount at /sysroot are folders of the test. Programs in it
compare their own mounts before and after, and the host reads the folders.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PRIVATE = frozenset(("etc", "var", "run", "tmp", "dev", "proc", "sys", "sysroot", "ostree"))
REPOSITORY = Path(__file__).parents[2]
CORE = "[core]\nrepo_version=1\nmode=archive\n"
OS = '[remote "os"]\nurl=https://old.example.org/os/\n'
UNCHANGED = """
import errno, os
def mounts():
    return open("/proc/self/mountinfo").read()
def refused():
    try:
        open("/ostree/repo/config", "a").close()
    except OSError as error:
        return error.errno == errno.EROFS
before = mounts()
assert refused()
"""
"""The first lines of every script: `before` is the mounts; `refused()` is true if a plain write fails as it should."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """The folders of a machine; `sysroot` holds a real repository with one remote."""
    for name in ("etc/ostree/remotes.d", "var/tmp", "run", "sysroot/ostree"):
        (tmp_path / name).mkdir(parents=True)
    subprocess.run(["ostree", "init", f"--repo={tmp_path}/sysroot/ostree/repo", "--mode=archive"], check=True)
    config(tmp_path).write_text(f"{CORE}\n{OS}")
    return tmp_path


def config(box: Path) -> Path:
    return box / "sysroot/ostree/repo/config"


def run(box: Path, *words: str, may_mount: bool = True, read_only: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program with the box as its live root."""
    binds = [word for name in ("etc", "var", "run", "sysroot") for word in ("--bind", str(box / name), f"/{name}")]
    for entry in sorted(Path("/").iterdir()):
        if entry.name not in PRIVATE and entry.is_symlink():
            binds += ["--symlink", str(entry.readlink()), str(entry)]
        elif entry.name not in PRIVATE and entry.is_dir():
            binds += ["--ro-bind", str(entry), str(entry)]
    mounts = ["--symlink", "sysroot/ostree", "/ostree", "--dev", "/dev", "--proc", "/proc", "--bind", "/tmp", "/tmp"]
    mounts += ["--remount-ro", "/sysroot"] if read_only else []
    capabilities = ["--cap-add", "ALL"] if may_mount else ["--cap-drop", "CAP_SYS_ADMIN"]
    bwrap = ["bwrap", "--die-with-parent", "--unshare-pid", *capabilities, *binds, *mounts]
    return subprocess.run(
        [*bwrap, "--chdir", str(REPOSITORY), "--setenv", "PYTHONDONTWRITEBYTECODE", "1", "--", *words],
        capture_output=True,
        text=True,
        check=False,
    )


def python(box: Path, script: str, **options: bool) -> str:
    """The output of a script with the live system as `system`; it fails if the mounts have changed."""
    text = f"{UNCHANGED}\nfrom converge.system import System\nsystem = System()\n{script}\nassert refused()\n"
    shared = "" if options else "mount --make-rshared / && "  # as systemd has it
    python = ("sh", "-c", f'{shared}exec "$@"', "sh", sys.executable, "-c")
    done = run(box, *python, text + "assert before == mounts()\n", **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_file_is_written_and_mount_stays_read_only(box: Path) -> None:
    python(box, 'system.write("/ostree/repo/config", b"[core]\\n", mode=0o600)')
    assert config(box).read_text() == "[core]\n"
    assert config(box).stat().st_mode & 0o777 == 0o600
    assert [path.read_text() for path in (box / "var/lib/converge/store").rglob("*") if path.is_file()] == [
        f"{CORE}\n{OS}"
    ]


def test_every_kind_of_change_is_made(box: Path) -> None:
    python(
        box,
        """
system.make_folder("/ostree/new/folder", mode=0o750)
system.write("/sysroot/ostree/new/file", b"x")
system.append("/ostree/new/file", b"y", sync=True)
system.set_mode("/ostree/new/file", 0o640)
system.set_owner("/ostree/new/file", 7, 8)
system.write("/ostree/new/other", b"z")
system.remove("/ostree/new/other")
""",
    )
    file, folder = box / "sysroot/ostree/new/file", box / "sysroot/ostree/new/folder"
    found = file.stat()
    assert (file.read_text(), found.st_mode & 0o777, found.st_uid, found.st_gid) == ("xy", 0o640, 7, 8)
    assert folder.stat().st_mode & 0o777 == 0o750
    assert sorted(path.name for path in folder.parent.iterdir()) == ["file", "folder"]


def test_error_is_the_same_as_elsewhere(box: Path) -> None:
    printed = python(
        box,
        """
from converge.errors import ProviderError
for path in ("/ostree/repo", "/ostree/repo/config/x"):
    try:
        system.write(path, b"")
    except ProviderError as error:
        print(error.explained)
""",
    )
    assert printed.splitlines() == [
        "/sysroot/ostree/repo is not a regular file",
        "cannot write /ostree/repo/config/x: Not a directory (a component of the path is a file, not a folder)",
    ]


def test_missing_right_to_mount_is_in_the_error(box: Path) -> None:
    printed = python(
        box,
        """
from converge.errors import ProviderError
try:
    system.write("/ostree/repo/config", b"")
except ProviderError as error:
    print(error.explained)
""",
        may_mount=False,
    )
    assert "/sysroot is mounted read-only and cannot be made writable" in printed
    assert config(box).read_text() == f"{CORE}\n{OS}"


@pytest.mark.parametrize(
    ("type_", "with_", "expected"),
    [
        ("collection-id", "{ostree: os, collection_id: org.example.Os}", "collection-id=org.example.Os"),
        ("ostree-remote", "{name: os, host: old.example.org, with_host: new.example.org}", "https://new.example.org/"),
        ("ostree-remote", "{gather: true}", "url=https://more.example.org/"),
        ("ostree-remote", "{name: os, ensure: absent}", "repo_version"),
    ],
)
def test_run_applies_and_finds_resource_in_place(box: Path, type_: str, with_: str, expected: str) -> None:
    more = box / "etc/ostree/remotes.d/more.conf"
    more.write_text('[remote "more"]\nurl=https://more.example.org/\n')
    manifest = box / "etc/box.yaml"
    resource = f"    type: {type_}\n    apply: always\n    with: {with_}\n"
    manifest.write_text(f"converge: 1\nproduct: box\ntitle: Box\nresources:\n  it:\n{resource}")
    apply = (sys.executable, "-m", "converge", "apply", "/etc/box.yaml", "--event", "upgrade")
    first, second = run(box, *apply), run(box, *apply)
    assert "1 changed" in first.stdout or "1 removed" in first.stdout, first.stdout + first.stderr
    assert (first.returncode, second.returncode) == (0, 0)
    assert "1 in place" in second.stdout
    assert expected in config(box).read_text()
    opened = run(box, "ostree", "remote", "list", "--show-urls")
    assert opened.returncode == 0, opened.stderr


def test_program_on_root_disk_can_write(box: Path) -> None:
    printed = python(
        box,
        """
from converge.errors import ProviderError
system.run_on_root_disk(["touch", "/sysroot/ostree/made"])
try:
    system.run_on_root_disk(["cat", "/sysroot/ostree/missing"])
except ProviderError as error:
    print(error.explained)
""",
    )
    assert (box / "sysroot/ostree/made").exists()
    assert printed.endswith("failed with code 1: cat: /sysroot/ostree/missing: No such file or directory\n")


def test_writable_sysroot_is_written_without_mounting(box: Path) -> None:
    script = 'from converge.system import System; System().write("/ostree/repo/config", b"[core]\\n")'
    done = run(box, sys.executable, "-c", script, may_mount=False, read_only=False)
    assert done.returncode == 0, done.stderr
    assert config(box).read_text() == "[core]\n"
