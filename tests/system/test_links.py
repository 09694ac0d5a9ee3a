"""Symbolic links, and the start of a file."""

import os
from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.system import System


def test_a_link_is_made_and_turned(root: Path, system: System) -> None:
    system.make_link("/etc/new/link", "../a")
    assert (root / "etc/new/link").readlink() == Path("../a")
    (root / "etc/new/.link.converge-tmp").symlink_to("left by a killed run")
    system.make_link("/etc/new/link", "/b")
    assert system.read_link("/etc/new/link") == "/b"
    assert os.listdir(root / "etc/new") == ["link"]


@pytest.mark.parametrize("name", ["file", "folder"])
def test_a_link_replaces_nothing_else(root: Path, system: System, name: str) -> None:
    (root / "etc/file").touch()
    (root / "etc/folder").mkdir()
    with pytest.raises(ProviderError, match=f"/etc/{name} exists and is not a symbolic link"):
        system.make_link(f"/etc/{name}", "target")


def test_read_link_without_a_link_is_none(root: Path, system: System) -> None:
    (root / "etc/file").touch()
    assert (system.read_link("/etc/file"), system.read_link("/etc/absent")) == (None, None)


def test_the_start_of_a_file(root: Path, system: System) -> None:
    (root / "etc/file").write_bytes(b"0123456789")
    assert system.read_start("/etc/file", 4) == b"0123"
    assert system.read_start("/etc/file", 40) == b"0123456789"
    assert system.read_start("/etc/absent", 4) is None
    os.mkfifo(root / "etc/pipe")
    with pytest.raises(ProviderError, match="is not a regular file"):
        system.read_start("/etc/pipe", 4)
