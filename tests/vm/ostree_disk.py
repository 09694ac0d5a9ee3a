"""The disk of a small Debian system deployed by ostree, made once per machine and kept in the user's cache.

GPT, with the root partition, a swap partition behind it, and free space behind that. The kernel boots without a boot
loader: `deployed.py` reads the loader's entries and passes them to qemu.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.vm.tree import LEFT_OUT, SUITE, TIME_LIMIT, cached, grow, lacking

PACKAGES = (
    *("python3", "systemd", "systemd-sysv", "udev", "ostree", "ostree-boot", "linux-image-cloud-amd64"),
    *("initramfs-tools", "busybox-static", "zstd", "fdisk", "e2fsprogs", "systemd-zram-generator"),
)
TOOLS = ("mmdebstrap", "ostree", "sfdisk", "losetup", "mkfs.ext4", "qemu-system-x86_64")
SECTOR = 512
START, ROOT_SECTORS, SWAP_SECTORS = 2048, 4_000_000, 400_000
SIZE = 3 << 30
"""Bytes; most of them are free."""
ARGUMENTS = ("root=LABEL=root", "rw", "console=ttyS0", "quiet")
NAME = "os"

_TABLE = f"""\
label: gpt
start={START}, size={ROOT_SECTORS}, type=linux, name=root
start={START + ROOT_SECTORS}, size={SWAP_SECTORS}, type=swap, name=swap
"""
_HOOK = r"""
set -eu
cd "$1"
mkdir -p etc/initramfs-tools/hooks etc/initramfs-tools/scripts/init-bottom
cat >etc/initramfs-tools/hooks/ostree <<'END'
#!/bin/sh
[ "$1" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
copy_exec /usr/lib/ostree/ostree-prepare-root /usr/lib/ostree/ostree-prepare-root
END
cat >etc/initramfs-tools/scripts/init-bottom/ostree <<'END'
#!/bin/sh
[ "$1" = prereqs ] && exit 0
/usr/lib/ostree/ostree-prepare-root "$rootmnt"
END
chmod +x etc/initramfs-tools/hooks/ostree etc/initramfs-tools/scripts/init-bottom/ostree
chroot . update-initramfs -u
"""
"""Debian's initramfs does not prepare a deployment by itself."""
_AS_OSTREE_HAS_IT = r"""
set -eu
cd "$1"
version=$(ls usr/lib/modules)
mv boot/vmlinuz-* "usr/lib/modules/$version/vmlinuz"
mv boot/initrd.img-* "usr/lib/modules/$version/initramfs.img"
mv etc usr/etc
rm -rf boot initrd.img* vmlinuz* var dev home root opt srv mnt media run tmp proc sys
mkdir boot var dev proc sys run sysroot tmp
for name in home opt srv mnt media; do ln -s "var/$name" "$name"; done
ln -s var/roothome root
ln -s sysroot/ostree ostree
rm -f usr/etc/resolv.conf
: >usr/etc/machine-id
cat >usr/lib/tmpfiles.d/var.conf <<'END'
d /var/roothome 0700 root root -
d /var/tmp 1777 root root -
END
cat >usr/lib/systemd/system/errand.service <<'END'
[Unit]
After=multi-user.target
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=oneshot
ExecStart=/bin/sh /var/errand/run
StandardOutput=append:/var/errand/output
StandardError=append:/var/errand/output
END
ln -s ../errand.service usr/lib/systemd/system/multi-user.target.wants/errand.service
"""
"""The folders of an ostree commit, and the unit that runs the errand of a test and ends the boot."""


def missing() -> str:
    """Why such a disk cannot be made here; empty if it can."""
    return lacking(TOOLS)


def disk() -> Path:
    """The image. Tests never change it: each uses a copy."""
    recipe = (SUITE, *PACKAGES, *LEFT_OUT, *ARGUMENTS, _TABLE, _HOOK, _AS_OSTREE_HAS_IT)
    return cached("ostree", recipe, _build)


def _build(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
        tree, image = Path(folder) / "tree", Path(folder) / "disk.img"
        _grow_tree(tree)
        with image.open("wb") as file:
            file.truncate(SIZE)
        _run("sfdisk", "--quiet", str(image), given=_TABLE)
        with loop(image) as device:
            _run("mkfs.ext4", "-q", "-L", "root", device)
        with mounted(image) as sysroot:
            _deploy(tree, sysroot)
        image.rename(path)


def _grow_tree(tree: Path) -> None:
    hook = tree.with_name("hook")
    hook.write_text(f"#!/bin/sh{_HOOK}")
    hook.chmod(0o755)
    grow(tree, PACKAGES, f"--customize-hook={hook}")
    _run("sh", "-c", _AS_OSTREE_HAS_IT, "sh", str(tree))


def _deploy(tree: Path, sysroot: Path) -> None:
    repo = f"--repo={sysroot}/ostree/repo"
    _run("ostree", "admin", "init-fs", str(sysroot))
    _run("ostree", "admin", "os-init", f"--sysroot={sysroot}", NAME)
    _run("ostree", "config", repo, "set", "sysroot.bootloader", "none")
    _run("ostree", "config", repo, "set", "sysroot.readonly", "true")
    _run("ostree", "commit", repo, "--branch=main", f"--tree=dir={tree}", "--consume")
    arguments = [f"--karg={argument}" for argument in ARGUMENTS]
    _run("ostree", "admin", "deploy", f"--sysroot={sysroot}", f"--os={NAME}", *arguments, "main")
    (sysroot / f"ostree/deploy/{NAME}/var/errand").mkdir()


@contextmanager
def loop(image: Path) -> Iterator[str]:
    """The root partition of an image as a device, with its size in the table."""
    root = json.loads(_run("sfdisk", "--json", str(image)))["partitiontable"]["partitions"][0]
    window = (f"--offset={root['start'] * SECTOR}", f"--sizelimit={root['size'] * SECTOR}")
    device = _run("losetup", "--find", "--show", *window, str(image)).strip()
    try:
        yield device
    finally:
        _run("losetup", "--detach", device)


@contextmanager
def mounted(image: Path) -> Iterator[Path]:
    """The file system on the root partition of an image."""
    with tempfile.TemporaryDirectory(prefix="sysroot-") as place, loop(image) as device:
        _run("mount", device, place)
        try:
            yield Path(place)
        finally:
            _run("umount", place)


def copy(target: Path) -> None:
    """Copy the disk to a sparse file."""
    _run("cp", "--sparse=always", "--reflink=auto", str(disk()), str(target))


def _run(*words: str, given: str = "") -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True, input=given, timeout=TIME_LIMIT)
    if done.returncode:
        pytest.fail(f"{words[0]} failed: {done.stderr}", pytrace=False)
    return done.stdout
