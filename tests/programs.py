"""Programs for scratch roots, which have none of their own."""

import shutil
from functools import cache
from pathlib import Path

import pytest

NAMES = ("cat", "cp", "echo", "false", "grep", "head", "mkdir", "rm", "sed", "sh", "touch", "tr", "true")


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
