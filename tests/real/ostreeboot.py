"""Run a script in a deployment that appears to ostree and converge as booted.

The script runs in its own mount namespace, composed as ostree does it: the deployment is `/`, with its sysroot, /boot
and /var in it. ostree finds the booted deployment by the inode of `/`. /usr is the host's, for its programs, and /run
is new each time, as after a boot. This checkout and its libraries are in /run/converge-tests.
"""

import subprocess
import sysconfig
from pathlib import Path

from attrs import frozen

from tests.real.ostreesysroot import Sysroot

TOP = Path(__file__).parents[2]

_COMPOSE = """
set -eu
root=$1 sysroot=$2 top=$3 libraries=$4 cmdline=$5 options=$6 script=$7
mount --make-rprivate /
mount --bind "$root" "$root"
mount --bind "$sysroot" "$root/sysroot"
mount --bind "$sysroot/boot" "$root/boot"
mount --bind "${root%/deploy/*}/var" "$root/var"
mount --bind /usr "$root/usr"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --bind "$cmdline" "$root/proc/cmdline"
mount -t tmpfs run "$root/run"
mount -t tmpfs tmp "$root/tmp"
mkdir -p "$root/run/converge-tests/top" "$root/run/converge-tests/libraries"
touch "$root/run/ostree-booted"
mount --bind "$top" "$root/run/converge-tests/top"
mount --bind "$libraries" "$root/run/converge-tests/libraries"
for place in sysroot boot; do mount -o "remount,bind,$options" "$root/$place"; done
exec chroot "$root" sh -euc "$script"
"""
_ENVIRONMENT = """
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=/run/converge-tests/top:/run/converge-tests/libraries
converge() { python3 -m converge "$@"; }
"""


@frozen
class Entry:
    """A boot loader entry. `arguments` are without `ostree=`, which ostree itself sets to find the deployment."""

    version: int
    deployment: Path
    arguments: str

    @property
    def name(self) -> str:
        """Checksum and serial."""
        return self.deployment.name


def entries(sysroot: Sysroot) -> tuple[Entry, ...]:
    """In the order of booting, the next one first."""
    found = (_read(sysroot, path) for path in (sysroot.path / "boot/loader/entries").glob("ostree-*.conf"))
    return tuple(sorted(found, key=lambda entry: -entry.version))


def _read(sysroot: Sysroot, path: Path) -> Entry:
    lines = (line.partition(" ") for line in path.read_text().splitlines())
    entry = {key: value for key, _, value in lines}
    words = entry["options"].split(" ")
    (ours,) = (word for word in words if word.startswith("ostree="))
    deployment = (sysroot.path / ours.removeprefix("ostree=/")).resolve()
    return Entry(int(entry["version"]), deployment, " ".join(word for word in words if word != ours))


def boot(sysroot: Sysroot, deployment: Path, script: str, *, read_only: bool = False) -> str:
    """Run a shell script (with `converge` as a command) to its end; returns its output."""
    cmdline = sysroot.path.with_name("cmdline")
    (entry,) = (each for each in entries(sysroot) if each.deployment == deployment)
    cmdline.write_text(f"BOOT_IMAGE=/vmlinuz {entry.arguments} ostree=/ostree/boot.0/os/0/0\n")
    libraries = sysconfig.get_path("purelib")
    paths = (deployment, sysroot.path, TOP, libraries, cmdline, "ro" if read_only else "rw")
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    argv = [*unshare, "sh", "-c", _COMPOSE, "sh", *map(str, paths), _ENVIRONMENT + script]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
