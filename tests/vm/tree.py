"""A small Debian system to boot. mmdebstrap builds it, once per machine: it is kept in the user's cache folder."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SUITE = "bookworm"
PACKAGES = ("python3", "systemd", "systemd-sysv")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")
PYTHON = (3, 11)
"""That of the suite: what the tests' own Python has installed must fit it."""
TIME_LIMIT = 300
"""Seconds."""
TOOLS = ("mmdebstrap", "nsenter", "systemd-nspawn", "unshare")


def missing() -> str:
    """Why no tree can be built or booted here; empty where it can."""
    if os.geteuid() != 0:
        return "only root can boot a system"
    if sys.version_info[:2] != PYTHON:
        return f"the tests run on another Python than Debian {SUITE} has"
    return ", ".join(f"there is no {tool}" for tool in TOOLS if not shutil.which(tool))


def tree() -> Path:
    """The folder of the tree, built where it is not there. No test changes it."""
    recipe = " ".join((SUITE, *PACKAGES, *LEFT_OUT))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "converge-tests"
    path = cache / f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "lock"):
        if not path.exists():
            _build(cache, path)
    return path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(cache: Path, path: Path) -> None:
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as folder:
        building = Path(folder) / "tree"
        words = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", *options, SUITE, str(building)]
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=TIME_LIMIT)
        if done.returncode:
            pytest.fail(f"mmdebstrap failed: {done.stderr}", pytrace=False)
        building.rename(path)
