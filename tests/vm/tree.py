"""A small Debian system to boot. mmdebstrap builds it once per machine; it is kept in the user's cache folder."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SUITE = "bookworm"
PACKAGES = ("python3", "systemd", "systemd-sysv")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")
PYTHON = (3, 11)
"""The version in the suite: the libraries of the tests' own Python must fit it."""
TIME_LIMIT = 300
"""Seconds."""
TOOLS = ("mmdebstrap", "nsenter", "systemd-nspawn", "unshare")


def missing() -> str:
    """Why a tree cannot be built or booted here; empty if it can."""
    return lacking(TOOLS)


def lacking(tools: Iterable[str]) -> str:
    if os.geteuid() != 0:
        return "only root can boot a system"
    if sys.version_info[:2] != PYTHON:
        return f"the tests run on another Python than Debian {SUITE}"
    return ", ".join(f"{tool} is missing" for tool in tools if not shutil.which(tool))


def tree() -> Path:
    """The folder of the tree, built if it is missing. Tests never change it."""
    return cached(SUITE, (SUITE, *PACKAGES, *LEFT_OUT), _build)


def cached(name: str, recipe: Iterable[str], build: Callable[[Path], None]) -> Path:
    """The path of the output of `build`; the output of the same recipe is used again."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "converge-tests"
    path = cache / f"{name}-{hashlib.sha256(' '.join(recipe).encode()).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "lock"):
        if not path.exists():
            build(path)
    return path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
        building = Path(folder) / "tree"
        grow(building, PACKAGES)
        building.rename(path)


def grow(path: Path, packages: Iterable[str], *options: str) -> None:
    """Build a tree with these packages by mmdebstrap."""
    excluded = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    words = ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", *excluded, *options]
    done = subprocess.run([*words, SUITE, str(path)], check=False, capture_output=True, text=True, timeout=TIME_LIMIT)
    if done.returncode:
        pytest.fail(f"mmdebstrap failed: {done.stderr}", pytrace=False)
