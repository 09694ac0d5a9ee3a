"""Writing: whole or not at all, with the attributes of what was there, and nowhere but in the root."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.system import System
from converge.system.access import temporary_name

ACL = bytes.fromhex("0200000001000600ffffffff020006000104000004000400ffffffff10000600ffffffff20000400ffffffff")
"""user::rw- user:1025:rw- group::r-- mask::rw- other::r--, as the kernel keeps it (acl(5))."""


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def traces(root: Path) -> list[tuple[str, int, int]]:
    """What any change would leave a trace in: per path the inode and the change time (ns)."""
    return [(str(path), path.lstat().st_ino, path.lstat().st_ctime_ns) for path in sorted(root.rglob("*"))]


def test_a_new_file_has_the_defaults(root: Path, system: System) -> None:
    system.write("/etc/new/folder/file", b"x")
    assert (root / "etc/new/folder/file").read_bytes() == b"x"
    assert mode_of(root / "etc/new/folder/file") == 0o644
    assert mode_of(root / "etc/new") == 0o755


def test_the_umask_has_no_say(root: Path, system: System) -> None:
    before = os.umask(0o077)
    try:
        system.write("/etc/new/file", b"x")
        system.make_folder("/etc/folder", mode=0o775)
    finally:
        os.umask(before)
    assert (mode_of(root / "etc/new"), mode_of(root / "etc/new/file")) == (0o755, 0o644)
    assert mode_of(root / "etc/folder") == 0o775


def test_what_is_replaced_hands_on_its_attributes(root: Path, system: System) -> None:
    path = root / "etc/file"
    path.write_bytes(b"old")
    os.chown(path, 1000, 1001)
    path.chmod(0o6750)
    os.setxattr(path, "user.note", b"mine")
    os.setxattr(path, "system.posix_acl_access", ACL)
    mode = mode_of(path)
    system.write("/etc/file", b"new")
    found = path.stat()
    assert path.read_bytes() == b"new"
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (1000, 1001, mode)
    assert os.getxattr(path, "user.note") == b"mine"
    assert os.getxattr(path, "system.posix_acl_access") == ACL


def test_given_attributes_win(root: Path, system: System) -> None:
    path = root / "etc/file"
    path.write_bytes(b"old")
    system.write("/etc/file", b"old", mode=0o600, uid=5, gid=6)
    assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (5, 6, 0o600)


def test_writing_what_is_there_touches_nothing(root: Path, system: System) -> None:
    system.write("/etc/file", b"same", mode=0o640, uid=1, gid=2)
    before = traces(root)
    system.write("/etc/file", b"same", mode=0o640, uid=1, gid=2)
    system.write("/etc/file", b"same")
    assert traces(root) == before


def test_a_link_stays_and_its_target_inside_the_root_is_written(tmp_path: Path, root: Path, system: System) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"the host's")
    (root / "etc/link").symlink_to(outside)
    system.write("/etc/link", b"ours")
    assert (root / "etc/link").is_symlink()
    assert outside.read_bytes() == b"the host's"
    assert (root / str(outside).lstrip("/")).read_bytes() == b"ours"


def test_a_file_on_the_way_is_an_error(root: Path, system: System) -> None:
    (root / "etc/file").write_bytes(b"")
    with pytest.raises(ProviderError, match="cannot write /etc/file/below") as caught:
        system.write("/etc/file/below", b"x")
    assert caught.value.hint


def test_the_leftover_of_a_killed_run_is_taken_over(root: Path, system: System) -> None:
    leftover = root / "etc" / temporary_name("file")
    leftover.symlink_to("victim")
    (root / "etc/victim").write_bytes(b"untouched")
    system.write("/etc/file", b"x")
    assert sorted(os.listdir(root / "etc")) == ["file", "victim"]
    assert (root / "etc/victim").read_bytes() == b"untouched"


def test_a_failed_write_leaves_the_file_and_nothing_else(root: Path, system: System) -> None:
    (root / "etc/file").write_bytes(b"old")
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(ProviderError, match="cannot write /etc/file: File too large"):
            system.write("/etc/file", b"more than fits", keep=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (root / "etc/file").read_bytes() == b"old"
    assert os.listdir(root / "etc") == ["file"]


def test_what_is_replaced_or_removed_is_kept(root: Path, system: System) -> None:
    system.write("/etc/file", b"first")
    system.write("/etc/file", b"second")
    system.remove("/etc/file")
    for data in (b"first", b"second"):
        assert system.kept(system.keep(data)) == data
    store = root / "var/lib/converge/store"
    assert mode_of(root / "var/lib") == 0o755
    assert {mode_of(path) for path in (store, *store.iterdir())} == {0o700}
    assert {mode_of(path) for path in store.glob("*/*")} == {0o600}
    assert len(list(store.glob("*/*"))) == 2


def test_converges_own_files_are_not_kept(root: Path, system: System) -> None:
    system.write("/etc/file", b"first", keep=False)
    system.write("/etc/file", b"second", keep=False)
    system.remove("/etc/file", keep=False)
    assert not (root / "var/lib").exists()


def test_the_store_hands_out_nothing_broken(root: Path, system: System) -> None:
    address = system.keep(b"content")
    (stored,) = (root / "var/lib/converge/store").glob("*/*")
    stored.write_bytes(b"contenX")
    assert system.kept(address) is None
    system.keep(b"content")
    assert system.kept(address) == b"content"
    assert system.kept("sha256:../../../etc/passwd") is None


def test_remove_takes_the_link_and_not_its_target(root: Path, system: System) -> None:
    (root / "etc/target").write_bytes(b"x")
    (root / "etc/link").symlink_to("target")
    system.remove("/etc/link")
    system.remove("/etc/link")
    system.remove("/etc/no/such/folder")
    assert os.listdir(root / "etc") == ["target"]
    with pytest.raises(ProviderError, match="is a folder"):
        system.remove("/etc")


def test_append_adds_to_the_end(root: Path, system: System) -> None:
    system.append("/var/lib/journal", b"one\n", sync=False)
    system.append("/var/lib/journal", b"two\n", sync=True)
    assert (root / "var/lib/journal").read_bytes() == b"one\ntwo\n"
    assert mode_of(root / "var/lib/journal") == 0o600


def test_a_folder_is_made_once(root: Path, system: System) -> None:
    system.make_folder("/var/a/b", mode=0o2770, uid=7, gid=8)
    found = (root / "var/a/b").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (7, 8, 0o2770)
    system.make_folder("/var/a/b", mode=0o700)
    assert mode_of(root / "var/a/b") == 0o2770
    system.write("/var/file", b"")
    with pytest.raises(ProviderError, match="not a folder"):
        system.make_folder("/var/file")


def test_a_new_folder_is_whole_or_not_there(root: Path, system: System) -> None:
    """What a killed run has left beside it is taken over; so a folder never stands there with another owner."""
    (root / "var" / temporary_name("a")).mkdir(mode=0o777)
    system.make_folder("/var/a", mode=0o750, uid=7)
    (root / "var" / temporary_name("b")).mkdir()
    system.write("/var/b", b"")
    (root / "var" / temporary_name("c")).touch()
    system.make_folder("/var/c")
    assert sorted(os.listdir(root / "var")) == ["a", "b", "c"]
    assert (mode_of(root / "var/a"), (root / "var/a").stat().st_uid) == (0o750, 7)


def test_a_link_is_made_and_led_elsewhere(root: Path, system: System) -> None:
    (root / "var/target").write_text("x")
    system.make_link("/var/new/link", "../target")
    assert (root / "var/new/link").read_text() == "x"
    before = traces(root)
    system.make_link("/var/new/link", "../target")
    assert traces(root) == before
    (root / "var/new" / temporary_name("link")).mkdir()
    system.make_link("/var/new/link", "/etc")
    assert (system.read_link("/var/new/link"), os.listdir(root / "var/new")) == ("/etc", ["link"])
    assert (root / "var/target").read_text() == "x"


def test_only_a_link_is_replaced_by_a_link(root: Path, system: System) -> None:
    (root / "var/file").write_text("x")
    for path in ("/var/file", "/etc"):
        with pytest.raises(ProviderError, match="is not a symbolic link"):
            system.make_link(path, "target")
        assert system.read_link(path) is None
    assert system.read_link("/var/none/at/all") is None
    assert (root / "var/file").read_text() == "x"


def test_owner_and_mode_are_set_on_the_thing_itself(root: Path, system: System) -> None:
    (root / "etc/target").write_bytes(b"x")
    (root / "etc/target").chmod(0o644)
    (root / "etc/link").symlink_to("target")
    system.set_owner("/etc/link", 5, 6)
    assert ((root / "etc/link").lstat().st_uid, (root / "etc/target").stat().st_uid) == (5, 0)
    with pytest.raises(ProviderError, match="symbolic link"):
        system.set_mode("/etc/link", 0o600)
    system.set_mode("/etc/target", 0o4711)
    system.set_owner("/etc/target", 5, None)
    assert mode_of(root / "etc/target") == 0o4711
    with pytest.raises(ProviderError, match="does not exist"):
        system.set_mode("/etc/absent", 0o600)


def test_modes_of_what_cannot_be_opened_are_set(root: Path, system: System) -> None:
    os.mkfifo(root / "etc/fifo")
    system.set_mode("/etc/fifo", 0o600)
    assert mode_of(root / "etc/fifo") == 0o600


SWAPPER = """
import os, sys
while True:
    os.rename("folder", "aside"); os.symlink(sys.argv[1], "folder")
    os.unlink("folder"); os.rename("aside", "folder")
"""


def test_a_folder_swapped_for_a_link_leads_nowhere_else(tmp_path: Path, root: Path, system: System) -> None:
    """Many writes race with a folder that turns into a link to a folder of the host, and back."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "folder").mkdir()
    swapper = subprocess.Popen([sys.executable, "-c", SWAPPER, str(outside)], cwd=root)
    try:
        for number in range(500):
            try:
                system.write("/folder/file", b"%d" % number, keep=False)
            except ProviderError as error:
                assert "cannot write" in error.message  # noqa: PT017  (losing the race is fine)
    finally:
        swapper.send_signal(signal.SIGKILL)
        swapper.wait()
    assert os.listdir(outside) == []


EVERYTHING = """
import os, sys
from converge.system import System, lock
system = System(sys.argv[1])
with lock(system):
    for path in ("/etc/link", "/home/ann/file", "/../../../etc/up", "/etc/new/file"):
        for data in (b"one", b"two"):
            system.write(path, data, mode=0o600)
        system.append(path, b"three", sync=True)
        system.set_owner(system.resolve(path), 1, 1)
        system.set_mode(system.resolve(path), 0o640)
    system.make_folder("/home/ben")
    system.make_folder("/home/cat/deep")
    for found in system.walk("/home"):
        system.fix(found, mode=0o700, uid=5)
    system.remove("/etc/link")
    system.remove("/home/ann/file")
    for target in ("/etc/passwd", "../../../../up"):
        system.make_link("/home/link", target)
        system.make_link("/home/cat/deep/link", target)
    system.move("/home/cat", "/etc/cat")
    system.move("/etc/cat", "/home/link/below")
    system.move_contents("/var/home", "/../etc/new", replace=True)
    system.make_folder("/home/deep/er")
    system.delete_contents("/var/home")
    system.make_folder("/home/er")
    system.remove_folder("/home/er")
    system.delete("/etc/new")
"""
CHANGING = (
    "openat,open,creat,mkdirat,mkdir,renameat,renameat2,rename,unlinkat,unlink,rmdir,symlinkat,symlink,"
    "fchmodat,chmod,chown,fchownat"
)
PATH = re.compile(r"(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?\"([^\"]*)\"")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_path_outside_the_root_is_opened_for_writing(tmp_path: Path, root: Path) -> None:
    (root / "etc/link").symlink_to("/etc/passwd")
    (root / "home").symlink_to("/var/home")
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-qq", "-o", str(trace), "-e", f"trace={CHANGING}"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([*command, sys.executable, "-c", EVERYTHING, str(root)], env=environment, check=True)
    changed = [path for line in trace.read_text().splitlines() for path in changed_by(line)]
    assert len(changed) > 50
    assert [path for path in changed if not f"{path}/".startswith((f"{root}/", "/proc/self/fd/"))] == []


def changed_by(line: str) -> list[str]:
    """The paths that a traced call changes or opens for writing. The first text of a new link is where it leads."""
    name, _, rest = line.split(maxsplit=1)[1].partition("(")
    if name in ("openat", "open") and not re.search("O_WRONLY|O_RDWR|O_CREAT", rest):
        return []
    paths = [os.path.join(folder or os.getcwd(), path) for folder, path in PATH.findall(rest)]
    return paths[1:] if name.startswith("symlink") else paths


def test_folder_reaches_the_disk_after_any_writer(root: Path, system: System) -> None:
    (root / "etc/link").symlink_to("/var")
    for path in ("/etc", "/etc/link", "/", "/absent"):
        system.sync_folder(path)
    (root / "etc/file").touch()
    with pytest.raises(ProviderError, match="/etc/file"):
        system.sync_folder("/etc/file")
