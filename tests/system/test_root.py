"""How paths resolve inside a root, and what is refused without being opened."""

import gc
import os
from pathlib import Path

import pytest

from converge.errors import ConvergeError, ProviderError
from converge.system import System


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("/", "/"),
        ("/..", "/"),
        ("/../../etc/hosts", "/etc/hosts"),
        ("etc//./hosts/", "/etc/hosts"),
        ("/home/ann", "/var/home/ann"),
        ("/home/../x", "/var/x"),
        ("/absolute", "/etc/passwd"),
        ("/absolute-folder/x/../y", "/etc/y"),
        ("/climbing", "/etc/passwd"),
        ("/chain", "/var/home"),
        ("/nowhere/below/../x", "/nowhere/x"),
        ("/nowhere/../../../x", "/x"),
        ("/dangling", "/etc/not-there/x"),
    ],
)
def test_links_resolve_inside_the_root(root: Path, system: System, path: str, resolved: str) -> None:
    (root / "var/home").mkdir()
    for name, target in {
        "home": "var/home",
        "absolute": "/etc/passwd",
        "absolute-folder": "/etc",
        "climbing": "../../../../../../../etc/passwd",
        "chain": "/home",
        "dangling": "/etc/not-there/x",
    }.items():
        (root / name).symlink_to(target)
    assert system.resolve(path) == resolved


def test_a_link_to_the_hosts_passwd_reads_the_roots(root: Path, system: System) -> None:
    (root / "link").symlink_to("/etc/passwd")
    assert system.read("/link") is None
    (root / "etc/passwd").write_bytes(b"ours")
    assert system.read("/link") == b"ours"


@pytest.mark.parametrize("target", ["/loop", "loop", "other"])
def test_a_loop_of_links_is_an_error(root: Path, system: System, target: str) -> None:
    (root / "loop").symlink_to(target)
    (root / "other").symlink_to("loop")
    with pytest.raises(ProviderError, match="cannot read /loop") as caught:
        system.read("/loop")
    assert "circle" in (caught.value.hint or "")
    with pytest.raises(ProviderError):
        system.write("/loop/x", b"")


def test_the_live_root_resolves_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    live = System("/")
    assert live.live
    assert live.this_hardware
    assert live.read(f"{tmp_path}/link") == b"x"
    link, file = live.stat(f"{tmp_path}/link", follow=False), live.stat(f"{tmp_path}/link/", follow=True)
    assert link
    assert file
    assert (link.kind, file.kind) == ("symlink", "file")
    assert live.resolve(f"{tmp_path}/link") == os.path.realpath(tmp_path / "file")
    assert live.stat(f"{tmp_path}/file/below") is None


def test_foreign_root_that_calls_itself_live_leads_nowhere_out(root: Path, system: System) -> None:
    (root / "link").symlink_to("/etc")
    system.live = True
    assert (system.read("/etc/passwd"), system.list_folder("/link")) == (None, ())


def test_root_that_is_not_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConvergeError, match="is not a folder"):
        System(str(tmp_path / "absent"))


def test_a_root_reached_through_a_link_is_that_folder(tmp_path: Path, root: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    assert System(str(tmp_path / "alias")).root == str(root)


def test_stat_says_what_is_there(root: Path, system: System) -> None:
    (root / "etc/file").write_bytes(b"four")
    (root / "etc/file").chmod(0o4750)
    found = system.stat("/etc/file")
    assert found
    assert (found.kind, found.mode, found.size, found.links) == ("file", 0o4750, 4, 1)
    assert system.stat("/etc/absent") is None
    assert system.stat("/etc/file/below") is None


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "socket"])
def test_only_regular_files_are_read(root: Path, system: System, kind: str) -> None:
    path = root / "etc/odd"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, 0o020666, os.makedev(1, 5))
    elif kind == "socket":
        os.mknod(path, 0o140666)
    else:
        path.mkdir()
    with pytest.raises(ProviderError, match="not a regular file"):
        system.read("/etc/odd")
    with pytest.raises(ProviderError, match="not a regular file"):
        system.write("/etc/odd", b"x")
    with pytest.raises(ProviderError):
        system.append("/etc/odd", b"x", sync=False)


def test_reading_has_a_limit(root: Path, system: System) -> None:
    (root / "etc/big").write_bytes(b"12345")
    assert system.read("/etc/big", limit=5) == b"12345"
    with pytest.raises(ProviderError, match="larger than 4 bytes"):
        system.read("/etc/big", limit=4)


@pytest.mark.parametrize(
    "name", ["new\nline", os.fsdecode(b"\xff\xfe"), "ä", "a" * 255, os.fsdecode("ü".encode() * 127)]
)
def test_odd_names_are_names(root: Path, system: System, name: str) -> None:
    path = f"/etc/{name}"
    system.write(path, b"one")
    system.write(path, b"two")
    assert system.read(path) == b"two"
    assert system.list_folder("/etc") == (name,)
    assert os.listdir(root / "etc") == [name]


@pytest.mark.parametrize("path", ["/etc/nul\0", "/etc/\ud800"])
def test_what_no_path_can_be_is_an_error(system: System, path: str) -> None:
    with pytest.raises(ProviderError) as caught:
        system.read(path)
    assert caught.value.message.isprintable()


def test_a_hundred_levels_are_not_too_deep(system: System) -> None:
    path = "".join(f"/level-{number}" for number in range(100))
    system.write(f"{path}/file", b"deep")
    assert system.read(f"{path}/file") == b"deep"
    assert system.resolve(f"{path}/../../x") == path.rsplit("/", 2)[0] + "/x"


def test_descriptors_are_given_back(root: Path, system: System) -> None:
    (root / "home").symlink_to("/var/home")
    system.write("/home/ann/file", b"x")
    gc.collect()  # what earlier tests left behind
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        system.read("/home/ann/../ann/file")
        system.write("/home/ann/file", b"x")
        System(str(root)).stat("/home")
        list(system.walk("/home"))
        next(system.walk("/home")).path  # noqa: B018  (left unfinished on purpose)
    assert len(os.listdir("/proc/self/fd")) == before
