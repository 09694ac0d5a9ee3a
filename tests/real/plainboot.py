"""A system without ostree on which a script runs: its own small disk is `/` in its own mount namespace.

/usr is the host's with memory on top. The disk is /dev/vdq, because GRUB's scripts ignore loop devices. This checkout
and its libraries are in /run/converge-tests.
"""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

TOP = Path(__file__).parents[2]
VERSION = "6.1.0-1"
"""The version of the installed kernel, of which only the files exist."""

needs_disk = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("losetup", "mkfs.ext4", "unshare"))), reason="needs root and loops"
)

_COMPOSE = """
set -eu
place=$1 loop=$2 top=$3 libraries=$4 script=$5
mount --make-rprivate /
mount -t tmpfs dev /dev
mknod -m 0666 /dev/null c 1 3
mknod -m 0666 /dev/urandom c 1 9
mknod /dev/vdq b 7 "${loop#/dev/loop}"
ln -s /proc/self/fd /dev/fd
mount /dev/vdq "$place"
cd "$place"
for path in etc boot usr dev proc sys run tmp var/lib; do mkdir -p $path; done
for name in bin sbin lib lib64; do [ -L $name ] || ln -s usr/$name $name; done
mount -t tmpfs run run
mkdir -p run/upper run/work run/converge-tests/top run/converge-tests/libraries
mount -t overlay -o lowerdir=/usr,upperdir=run/upper,workdir=run/work usr usr
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sys sys
mount --bind "$top" run/converge-tests/top
mount --bind "$libraries" run/converge-tests/libraries
exec chroot . sh -euc "$script"
"""
_ENVIRONMENT = """
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=/run/converge-tests/top:/run/converge-tests/libraries
converge() { python3 -m converge "$@"; }
"""


@frozen
class Disk:
    image: Path
    loop: str

    def run(self, script: str) -> str:
        """Run a shell script (with `converge` as a command) to its end; returns its output."""
        place = self.image.with_name("mounted")
        place.mkdir(exist_ok=True)
        words = (place, self.loop, TOP, sysconfig.get_path("purelib"), _ENVIRONMENT + script)
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        argv = [*unshare, "sh", "-c", _COMPOSE, "sh", *map(str, words)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write(self, files: Mapping[str, str]) -> None:
        """Write files, each of which ends in a line feed."""
        folders = {path.rpartition("/")[0] for path in files}
        texts = [f"cat >{path} <<'END'\n{text}END\n" for path, text in files.items()]
        self.run(f"mkdir -p {' '.join(sorted(folders))}\n{''.join(texts)}")


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """A new file system for the duration of a `with`; mounts that a script leaves are removed with it."""
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    attach = ["losetup", "--find", "--show", str(image)]
    loop = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield Disk(image, loop)
    finally:
        subprocess.run(["losetup", "--detach", loop], check=True)
