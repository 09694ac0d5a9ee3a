"""Listing, patterns, and who could have written a file."""

import os
from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.system import System


def test_a_folder_is_listed_in_order(root: Path, system: System) -> None:
    for name in ("b", "a", ".c"):
        (root / "etc" / name).touch()
    assert system.list_folder("/etc") == (".c", "a", "b")
    assert system.list_folder("/absent") == ()
    with pytest.raises(ProviderError):
        system.list_folder("/etc/a")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/etc/*.conf", ("/etc/a.conf", "/etc/b.conf")),
        ("/etc/.*", ("/etc/.hidden.conf",)),
        ("/etc/[ab].con?", ("/etc/a.conf", "/etc/b.conf")),
        ("/*/d/*", ("/etc/d/x",)),
        ("/home/*/x", ("/home/ann/x",)),
        ("/etc/a.conf/*", ()),
        ("/absent/*", ()),
        ("/etc/dangling", ("/etc/dangling",)),
        ("/", ("/",)),
    ],
)
def test_patterns_match_as_in_a_shell(root: Path, system: System, pattern: str, found: tuple[str, ...]) -> None:
    for path in ("etc/a.conf", "etc/b.conf", "etc/.hidden.conf", "etc/d/x", "var/home/ann/x"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    (root / "home").symlink_to("/var/home")
    (root / "etc/dangling").symlink_to("nowhere")
    assert system.glob(pattern) == found


@pytest.fixture
def manifest(root: Path) -> Path:
    path = root / "etc/converge/site.yaml"
    path.parent.mkdir()
    path.touch()
    path.chmod(0o644)
    return path


def test_what_only_root_could_have_written_is_trusted(root: Path, system: System, manifest: Path) -> None:
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "tmp/link").symlink_to("/etc/converge")
    assert manifest.exists()
    system.require_trusted("/etc/converge/site.yaml")
    system.require_trusted("/tmp/link/site.yaml")
    system.require_trusted("/etc/converge/absent.yaml")


@pytest.mark.parametrize(
    ("path", "mode", "uid"),
    [
        ("etc/converge/site.yaml", 0o664, 0),
        ("etc/converge/site.yaml", 0o646, 0),
        ("etc/converge/site.yaml", 0o644, 1000),
        ("etc/converge", 0o775, 0),
        ("etc/converge", 0o755, 1000),
        ("etc", 0o777, 0),
    ],
)
def test_what_others_could_have_written_is_refused(
    root: Path, system: System, manifest: Path, path: str, mode: int, uid: int
) -> None:
    os.chown(root / path, uid, -1)
    (root / path).chmod(mode)
    assert manifest.exists()
    with pytest.raises(ProviderError, match=f"/{path}") as caught:
        system.require_trusted("/etc/converge/site.yaml")
    assert (caught.value.hint or "").startswith("ch")


def test_a_link_that_others_could_turn_is_refused(root: Path, system: System, manifest: Path) -> None:
    (root / "var/link").symlink_to(f"/{manifest.parent.relative_to(root)}")
    os.chown(root / "var/link", 1000, -1, follow_symlinks=False)
    with pytest.raises(ProviderError, match="belongs to user 1000"):
        system.require_trusted("/var/link/site.yaml")
