"""Roots that allow changes of their disk: real loop devices, mounted as a disk or in other ways."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.system import System, disks

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """The mount point of a loop device, with a folder `tree` in it."""
    image, place = tmp_path / "disk.img", tmp_path / "place"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    with ExitStack() as undo:
        mount("-oloop", image, place, undo)
        (place / "tree").mkdir()
        yield place


def mount(option: str, source: Path, place: Path, undo: ExitStack) -> None:
    subprocess.run(["mount", option, str(source), str(place)], check=True)
    undo.callback(subprocess.run, ["umount", str(place)], check=True)


def test_root_that_is_a_mounted_disk_is_accepted(mounted: Path) -> None:
    disks.require_own_disk(System(str(mounted)))
    assert System(str(mounted)).run(["true"], view="machine").ok


def test_composed_root_with_mounted_sysroot_is_accepted(mounted: Path, tmp_path: Path) -> None:
    (tmp_path / "root/sysroot").mkdir(parents=True)
    with ExitStack() as undo:
        mount("--bind", mounted, tmp_path / "root/sysroot", undo)
        disks.require_own_disk(System(str(tmp_path / "root")))


def test_root_that_is_a_folder_is_refused(tmp_path: Path, mounted: Path) -> None:
    for root in (tmp_path, mounted / "tree"):
        with pytest.raises(ProviderError, match="is not the mount of a disk"):
            System(str(root)).run(["true"], view="machine")


def test_root_that_is_a_bind_mounted_folder_is_refused(mounted: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with ExitStack() as undo:
        mount("--bind", mounted / "tree", other, undo)
        with pytest.raises(ProviderError, match="is not the mount of a disk"):
            disks.require_own_disk(System(str(other)))


def test_root_on_disk_of_running_system_is_refused(tmp_path: Path) -> None:
    with ExitStack() as undo:
        (tmp_path / "again").mkdir()
        mount("--bind", Path("/"), tmp_path / "again", undo)
        with pytest.raises(ProviderError, match="on the disk that the running system is on"):
            disks.require_own_disk(System(str(tmp_path / "again")))
