"""Images of disks, attached as loop devices, with a root file system on one of their partitions.

    with attached(image(folder / "disk.img", DISK)) as disk, disk.mounted(folder / "root"):
        System(str(folder / "root"))

Every partition is added to the kernel, because the kernel of a test machine may not read tables by itself. Swaps,
mounts and devices that a test leaves are removed at the end of the `with`.
"""

import gc
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from attrs import frozen

from converge.system import System

MIB = 1 << 20
GPT_ID = "4D701CB1-1F24-774E-BED0-E4B9A67F4B41"
SWAP, LINUX = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
RECOVERY = "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC"

_TOOLS = ("sfdisk", "partx", "losetup", "mkfs.xfs", "xfs_growfs", "mkswap", "swapon", "blkid")


def available() -> bool:
    """Whether disks can be attached and mounted here."""
    if os.geteuid() != 0 or not all(map(shutil.which, _TOOLS)):
        return False
    return subprocess.run(["losetup", "--find"], check=False, capture_output=True).returncode == 0


def grows_ext4() -> bool:
    """Whether the kernel lets us grow a mounted ext4, which requires CAP_SYS_RESOURCE (capabilities(7))."""
    found = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff:"))
    return bool(int(found.split()[1], 16) >> 24 & 1)


needs_disks = pytest.mark.skipif(not available(), reason="needs root, loop devices and partition tools")


@frozen
class Blueprint:
    """A disk to make: `script` is for sfdisk(8); `contents` is `swap` or a file system by partition number.

    The root is on the partition `root`; `size` is in MiB.
    """

    script: str
    size: int
    contents: Mapping[int, str]
    sector: int = 512
    root: int = 1
    active: bool = False
    """Whether the protective MBR of a GPT is marked as bootable."""


@frozen
class Disk:
    """A disk while it is attached."""

    image: Path
    node: str
    blueprint: Blueprint

    def partition(self, number: int) -> str:
        return f"{self.node}p{number}"

    @property
    def name(self) -> str:
        return self.node.rpartition("/")[2]

    def kernel(self) -> dict[int, tuple[int, int]]:
        """The first sector and the number of sectors (512 bytes) of each partition that the kernel knows."""
        found = Path(f"/sys/block/{self.name}").glob(f"{self.name}p*")
        return {
            int((each / "partition").read_text()): (int((each / "start").read_text()), int((each / "size").read_text()))
            for each in found
        }

    def outside_the_root(self) -> str:
        """A digest of the disk without its root partition."""
        found = next(row for row in self.table() if row["number"] == self.blueprint.root)
        start, end = (found["start"] + shift for shift in (0, found["size"]))
        digest = sha256()
        with open(self.node, "rb") as file:
            digest.update(file.read(start * self.blueprint.sector))
            file.seek(end * self.blueprint.sector)
            while piece := file.read(MIB):
                digest.update(piece)
        return digest.hexdigest()

    def first_sector(self) -> bytes:
        with open(self.node, "rb") as file:
            return file.read(512)

    def table(self) -> list[dict[str, Any]]:
        """The table as sfdisk(8) prints it, without the nodes."""
        return table_of(self.node)

    @contextmanager
    def mounted(self, place: Path, *options: str) -> Iterator[Path]:
        kind = self.blueprint.contents[self.blueprint.root]
        copies = ("nouuid",) if kind == "xfs" else ()  # another copy of the same template may be mounted
        given = ",".join(("relatime", *copies, *options))
        with mounted(given, self.partition(self.blueprint.root), place):
            yield place


@contextmanager
def mounted(options: str, source: str, place: Path) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    run("mount", f"--options={options}", source, str(place))
    try:
        yield place
    finally:
        if subprocess.run(["umount", str(place)], check=False, capture_output=True).returncode != 0:
            gc.collect()  # a system keeps its root open, and the trace of a caught error keeps systems
            run("umount", "--lazy", str(place))


def let_go(system: System) -> None:
    """Make a system close its root, so that it can be unmounted; the system cannot be used after that."""
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), system._descriptor, inheritable=False)


def run(*argv: str, stdin: str = "") -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout


def table_of(device: str) -> list[dict[str, Any]]:
    found = json.loads(run("sfdisk", "--json", device))["partitiontable"].get("partitions", [])
    return [{"number": int(each.pop("node").rpartition("p")[2]), **each} for each in found]


def image(path: Path, blueprint: Blueprint) -> tuple[Path, Blueprint]:
    """Make the image of a disk."""
    path.write_bytes(b"")
    run("cp", "--sparse=always", str(_template(repr(blueprint), blueprint)), str(path))
    return path, blueprint


@cache
def _folder() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(prefix="disks-", ignore_cleanup_errors=True)


_made: dict[str, Path] = {}


def _template(key: str, blueprint: Blueprint) -> Path:
    """One image per blueprint, because making one takes far longer than copying it."""
    if key not in _made:
        path = Path(_folder().name) / f"{len(_made)}.img"
        with path.open("wb") as file:
            file.truncate(blueprint.size * MIB)
        with _loop(path, blueprint.sector) as node:
            run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", node, stdin=blueprint.script)
            if blueprint.active:
                run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--activate", node, "1")
        with attached((path, blueprint)) as disk:
            for number, kind in blueprint.contents.items():
                run(*_MAKE[kind], disk.partition(number))
        _made[key] = path
    return _made[key]


_MAKE = {
    "swap": ("mkswap", "--label=old"),
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("env", "TEST_DIR=1", "TEST_DEV=1", "QA_CHECK_FS=1", "mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "--quiet", "--force"),
}
"""With the variables of xfs's own tests, mkfs.xfs(8) makes file systems of less than 300 MiB."""


@contextmanager
def attached(made: tuple[Path, Blueprint], *, read_only: bool = False) -> Iterator[Disk]:
    path, blueprint = made
    with _loop(path, blueprint.sector, *(("--read-only",) if read_only else ())) as node:
        run("partx", "--add", node)
        try:
            yield Disk(path, node, blueprint)
        finally:
            _release(node)


@contextmanager
def _loop(path: Path, sector: int, *words: str) -> Iterator[str]:
    node = run("losetup", "--find", "--show", f"--sector-size={sector}", *words, str(path)).strip()
    _forget_partitions(node)  # of an image that could not be released before
    try:
        yield node
    finally:
        run("losetup", "--detach", node)


def _release(node: str) -> None:
    for name in swaps_on(node):
        run("swapoff", f"/dev/{name}")
    _forget_partitions(node)


def swaps_on(node: str) -> list[str]:
    """The names of the disk's partitions in use as swap; only the name is known for those of other mount namespaces."""
    lines = Path("/proc/swaps").read_text().splitlines()[1:]
    names = [line.split()[0].rpartition("/")[2] for line in lines]
    return [name for name in names if name.startswith(f"{node.rpartition('/')[2]}p")]


def _forget_partitions(node: str) -> None:
    subprocess.run(["partx", "--delete", node], check=False, capture_output=True)
