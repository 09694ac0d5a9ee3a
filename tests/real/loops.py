"""Files as disks: loop devices of the running kernel, removed at the end of a `with`.

Swaps and loop devices belong to the kernel in every namespace: other tests may have theirs at the same time.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1 << 20
TOOLS = ("losetup", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "mkswap", "swapon", "sfdisk", "partx")


def missing() -> str:
    """Why loop devices cannot be used here; empty if they can."""
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        return "needs root, and loop devices"
    return ", ".join(f"{tool} is missing" for tool in TOOLS if not shutil.which(tool))


needs_loops = pytest.mark.skipif(bool(missing()), reason=missing() or "available")


def call(*words: str, given: str | None = None) -> str:
    """Run a program that must succeed; returns its output."""
    done = subprocess.run(words, check=False, capture_output=True, text=True, input=given)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


def image(path: Path, size: int) -> Path:
    """An empty disk of `size` bytes."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


@contextmanager
def loop(disk: Path, *options: str) -> Iterator[str]:
    """The disk as a device."""
    device = call("losetup", "--find", "--show", *options, str(disk)).strip()
    subprocess.run(["partx", "--delete", device], check=False, capture_output=True)  # those of a former disk
    try:
        yield device
    finally:
        call("losetup", "--detach", device)


@contextmanager
def mounted(device: str, place: Path, *options: str) -> Iterator[Path]:
    place.mkdir(parents=True, exist_ok=True)
    call("mount", *options, device, str(place))
    try:
        yield place
    finally:
        call("umount", str(place))


def make_file_system(kind: str, path: str) -> None:
    call(f"mkfs.{kind}", "-f" if kind != "ext4" else "-q", path)
