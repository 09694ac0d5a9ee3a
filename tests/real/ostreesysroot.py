"""A real ostree sysroot with one deployment of a small tree; more can be deployed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

needs_ostree = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ostree", "chattr"))), reason="needs root and ostree"
)

TREE = {
    "usr/lib/os-release": 'ID=test\nVERSION_ID="1"\n',
    "usr/lib/modules/6.1/vmlinuz": "kernel",
    "usr/lib/modules/6.1/initramfs.img": "initramfs",
    "usr/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "usr/etc/group": "root:x:0:\n",
    "usr/etc/app.d/default": "ours\n",
}


@frozen
class Sysroot:
    path: Path

    def deploy(self) -> "subprocess.CompletedProcess[str]":
        """Deploy the commit (again), with the changes to /etc of the last deployment."""
        return self.ostree("admin", "deploy", f"--sysroot={self.path}", "--os=os", "main")

    def ostree(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["ostree", *words], capture_output=True, text=True, check=False)

    @property
    def deployment(self) -> Path:
        """The newest one."""
        return max(self.path.glob("ostree/deploy/os/deploy/*.?"), key=lambda path: path.name)


@contextmanager
def made(folder: Path) -> Iterator[Sysroot]:
    """A sysroot in a folder, for the time of a `with`; beside it is the tree of its commit."""
    sysroot, tree = Sysroot(folder / "sysroot"), folder / "tree"
    for name, text in TREE.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    for name in ("boot", "var", "sysroot", "proc", "run", "dev", "tmp"):
        (tree / name).mkdir()
    for name in ("bin", "lib", "lib64", "sbin"):
        (tree / name).symlink_to(f"usr/{name}")
    (tree / "ostree").symlink_to("sysroot/ostree")
    sysroot.path.mkdir()
    repo = f"--repo={sysroot.path}/ostree/repo"
    for words in (
        ("admin", "init-fs", str(sysroot.path)),
        ("admin", "os-init", f"--sysroot={sysroot.path}", "os"),
        ("config", repo, "set", "sysroot.bootloader", "none"),
        ("commit", repo, "--branch=main", f"--tree=dir={tree}"),
    ):
        assert sysroot.ostree(*words).returncode == 0
    assert sysroot.deploy().returncode == 0
    try:
        yield sysroot
    finally:
        for deployment in sysroot.path.glob("ostree/deploy/os/deploy/*.?"):
            subprocess.run(["chattr", "-i", str(deployment)], check=True)  # otherwise it could not be removed
