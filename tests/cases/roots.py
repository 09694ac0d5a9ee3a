"""Golden roots: folders in git that become roots, and what is compared of a root."""

import os
import shutil
from pathlib import Path

from tests.machine import Machine, snapshot

OURS = ("etc/converge", "etc/os-release", "run", "var/lib/converge")
"""What converge keeps for itself, and the version, which steps set."""


def lay(golden: Path, root: Path) -> None:
    """Lay a golden folder over a root: all of it root's, files 0644, folders 0755, but for `<golden>.modes`."""
    if golden.exists():
        shutil.copytree(golden, root, symlinks=True, dirs_exist_ok=True)
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    modes = golden.with_suffix(".modes")
    for line in modes.read_text().splitlines() if modes.exists() else ():
        if line and not line.startswith("#"):
            _set(root, *line.split(maxsplit=2))


def _set(root: Path, mode: str, owner: str, name: str) -> None:
    """`0700 1000:1000 home/ana/`: a name that ends in a slash is a folder, made where git could not hold it."""
    path = root / name
    if name.endswith("/"):
        path.mkdir(parents=True, exist_ok=True)
    uid, gid = map(int, owner.split(":"))
    os.chown(path, uid, gid, follow_symlinks=False)
    if not path.is_symlink():  # it has no mode of its own, and leads out of the root
        path.chmod(int(mode, 8))


def make(folder: Path, golden: Path) -> Machine:
    """A scratch machine with the content of a golden folder."""
    folder.mkdir()
    machine = Machine.make(folder)
    machine.path("/var/lib").mkdir()
    lay(golden, machine.root)
    return machine


def contents(root: Path, *ignored: str) -> dict[str, tuple[object, ...]]:
    """All of a root except the files of converge itself."""
    hidden = tuple(f"{name}/" for name in (*OURS, *ignored))
    return {name: what for name, what in snapshot(root).items() if not f"{name}/".startswith(hidden)}


def identities(root: Path, names: set[str]) -> dict[str, tuple[int, int]]:
    """Inode and time of each file: they change if a file is written again with the same content."""
    stats = {name: (root / name).lstat() for name in sorted(names) if (root / name).is_file()}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}
