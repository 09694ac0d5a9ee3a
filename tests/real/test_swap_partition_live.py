"""The swap partition of the running system: converge's `/` is on the disk, mounted and in use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine import GROUP, PASSWD
from tests.real.partitioned import GPT_ID, LINUX, Blueprint, Disk, attached, image, needs_disks, run, swaps_on

TOP = Path(__file__).parents[2]
GPT = f"label: gpt\nlabel-id: {GPT_ID}\n\n"
MBR = "label: dos\nlabel-id: 0x12345678\n\n"

pytestmark = [
    needs_disks,
    pytest.mark.skipif(not os.path.islink("/bin"), reason="needs a host with all programs in /usr"),
]

_SETUP = r"""
set -eu
place=$1 node=$2 top=$3
mount --make-rprivate /
mount -o nouuid "$node" "$place"
cd "$place"
shift 3
for path in /usr "$@"; do mkdir -p ".$path"; mount --bind "$path" ".$path"; done
for name in bin sbin lib lib64; do [ ! -L "/$name" ] || ln -sfn "usr/$name" "$name"; done
mkdir -p etc var run tmp dev proc sys
mount -t tmpfs run run
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
"""
"""In its own mount namespace: the file system of a partition, with the host's programs in it."""
_RUN = 'exec chroot . env --chdir="$top" '


def on(disk: Disk, place: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the root partition of a disk as `/`."""
    place.mkdir(exist_ok=True)
    python = sorted({str(TOP), sys.prefix, sys.base_prefix} - {"/usr"})
    words = ["sh", "-c", _SETUP + _RUN + command, "sh", str(place), disk.partition(1), str(TOP), *python]
    return subprocess.run(["unshare", "--mount", *words], check=False, capture_output=True, text=True)


def converge(disk: Disk, place: Path, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
    return on(disk, place, " ".join((sys.executable, "-m converge", verb, "/etc/test.yaml", *words)))


def put(disk: Disk, place: Path, params: str, more: str = "") -> None:
    resource = f"  swap: {{type: swap-partition, apply: always, with: {{{params}}}}}\n{more}"
    with disk.mounted(place) as root:
        (root / "etc").mkdir(exist_ok=True)
        files = {"passwd": PASSWD, "group": GROUP, "os-release": 'ID=test\nVERSION_ID="1"\n'}
        files["test.yaml"] = f"converge: 1\nproduct: test\nresources:\n{resource}"
        for name, text in files.items():
            (root / "etc" / name).write_text(text)


def test_swap_of_running_system_is_removed(tmp_path: Path) -> None:
    script = f"{MBR}start=2048, size=65536, type=83, bootable\nstart=67584, size=20000, type=82"
    with attached(image(tmp_path / "disk.img", Blueprint(script, 64, {1: "xfs", 2: "swap"}))) as disk:
        place = tmp_path / "root"
        put(disk, place, "ensure: absent")
        run("swapon", disk.partition(2))
        before = disk.table()
        planned = converge(disk, place, "plan", "--detailed-exitcode")
        assert planned.returncode == 2, planned.stdout + planned.stderr
        assert "          -   2   67584 -  87583     9.8 MiB  swap" in planned.stdout.splitlines()
        assert disk.table() == before
        applied = converge(disk, place, "apply")
        assert applied.returncode == 0, applied.stdout + applied.stderr
        assert not swaps_on(disk.node)
        (left,) = disk.table()
        assert left == {**before[0], "size": 85536}
        assert disk.kernel() == {1: (2048, 85536)}
        again = converge(disk, place, "plan", "--detailed-exitcode")
        assert again.returncode == 0, again.stdout + again.stderr
        assert int(on(disk, place, "df --output=size -B1 / | tail -1").stdout) > 33 << 20


def test_swap_for_running_system_is_made_and_used(tmp_path: Path) -> None:
    blueprint = Blueprint(f"{GPT}start=2048, size=65536, type={LINUX}", 64, {1: "xfs"})
    with attached(image(tmp_path / "disk.img", blueprint)) as disk:
        place = tmp_path / "root"
        label = f"live-{os.getpid()}"
        used = f"{{type: swap, apply: always, needs: [swap], with: {{device: LABEL={label}}}}}"
        put(disk, place, f"size: 8MiB, label: {label}", f"  used: {used}\n")
        applied = converge(disk, place, "apply")
        assert applied.returncode == 0, applied.stdout + applied.stderr
        assert "Applied: 1 added, 1 changed" in applied.stdout
        assert swaps_on(disk.node) == [f"{disk.name}p2"]
