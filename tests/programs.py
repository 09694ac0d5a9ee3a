"""Programs for scratch roots, which have none of their own."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

NAMES = ("cat", "cp", "echo", "false", "grep", "head", "mkdir", "mv", "rm", "sed", "sh", "touch", "tr", "true")


def put_programs(root: str | Path) -> None:
    """Give a root a /bin with a shell and small tools: busybox, which is all of them and needs no library."""
    folder = Path(root, "bin")
    folder.mkdir()
    shutil.copy(_busybox(), folder / "busybox")
    for name in NAMES:
        (folder / name).symlink_to("busybox")


@cache
def _busybox() -> str:
    found = shutil.which("busybox")
    if found is None or b"/ld-linux" in Path(found).read_bytes()[:4096]:
        pytest.skip("needs a busybox that is linked statically (Debian's package busybox-static)")
    return found


PYTHON = "/usr/bin/python3"
"""The distribution's Python, which a root gets at the same place."""
_OWN_PATHS = "import os, sys; print(os.path.realpath(sys.executable), os.path.dirname(os.__file__))"


def put_python(root: str | Path) -> None:
    """Give a root the host's Python: the program, its standard library and linked libraries (40 MB)."""
    if not os.path.exists(PYTHON):
        pytest.skip(f"needs {PYTHON}")
    program, library = _output(PYTHON, "-I", "-c", _OWN_PATHS).split()
    for path in (program, *_linked(program, *map(str, Path(library, "lib-dynload").glob("*.so")))):
        _under(root, path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, _under(root, path))
    shutil.copytree(library, _under(root, library), ignore=shutil.ignore_patterns("test", "__pycache__", "config-*"))
    if program != PYTHON:
        _under(root, PYTHON).symlink_to(os.path.basename(program))


def _under(root: str | Path, path: str) -> Path:
    return Path(root, path.lstrip("/"))


def _linked(*paths: str) -> set[str]:
    """The libraries that programs are linked with, and the one that loads them."""
    return set(re.findall(r"(?:=> |\t)(/\S+) \(0x", _output("ldd", *paths)))


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, check=True, text=True).stdout
