"""Settings made by converge, as read by ostree and grub-mkconfig, and on a real FAT."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.real import ostreesysroot, partitioned
from tests.real.loops import MIB, call, image, loop, mounted, needs_loops
from tests.real.ostreeboot import boot
from tests.real.ostreesysroot import Sysroot, needs_ostree
from tests.real.partitioned import Blueprint, attached, needs_disks

TOP = Path(__file__).parents[2]


def manifest(*resources: str) -> str:
    """A product of resources, each given by its type and the text of its `with`."""
    lines = [
        f"  r{number}: {{type: {type_}, apply: always, with: {{{text}}}}}"
        for number, (type_, _, text) in enumerate(each.partition(" ") for each in resources)
    ]
    return "\n".join(["converge: 1", "product: test", "resources:", *lines, ""])


def converge(root: Path, resource: str) -> "subprocess.CompletedProcess[str]":
    file = root.with_name("test.yaml")
    file.write_text(manifest(resource))
    argv = [sys.executable, "-m", "converge", "apply", str(file), "--root", str(root)]
    return subprocess.run(argv, check=False, capture_output=True, text=True)


@pytest.fixture
def sysroot(tmp_path: Path) -> Iterator[Sysroot]:
    with ostreesysroot.made(tmp_path) as made:
        yield made


def value_of(sysroot: Sysroot, setting: str) -> str:
    """The value that ostree reads; empty if it is not set."""
    return sysroot.ostree("config", f"--repo={sysroot.path}/ostree/repo", "get", setting).stdout.strip()


@needs_ostree
def test_ostree_reads_the_value(sysroot: Sysroot) -> None:
    assert converge(sysroot.path, "bootloader-setting setting: sysroot.bootprefix, value: true").returncode == 0
    assert (value_of(sysroot, "sysroot.bootprefix"), value_of(sysroot, "sysroot.bootloader")) == ("true", "none")
    assert sysroot.deploy().returncode == 0
    assert converge(sysroot.path, "bootloader-setting setting: sysroot.bootprefix, ensure: absent").returncode == 0
    assert value_of(sysroot, "sysroot.bootprefix") == ""


@needs_ostree
@pytest.mark.parametrize("value", ["none", "auto", "grub2", "syslinux", "uboot", "zipl"])
def test_ostree_opens_its_repository_with_every_value(sysroot: Sysroot, value: str) -> None:
    assert converge(sysroot.path, f"bootloader-setting setting: sysroot.bootloader, value: {value}").returncode == 0
    assert sysroot.ostree("refs", f"--repo={sysroot.path}/ostree/repo").returncode == 0
    assert value_of(sysroot, "sysroot.bootloader") == value


@needs_ostree
def test_value_on_read_only_sysroot_is_set(sysroot: Sysroot) -> None:
    own, unset = "setting: sysroot.bootloader, value: auto", "setting: sysroot.bootprefix, value: false"
    resources = [f"bootloader-setting {each}, only_if_unset: true" for each in (own, unset)]
    (sysroot.path / "ostree/deploy/os/var/test.yaml").write_text(manifest(*resources))
    apply = "converge apply /var/test.yaml\n"
    first, second = boot(sysroot, sysroot.deployment, f"{apply}echo then\n{apply}", read_only=True).split("then\n")
    assert "Applied: 1 added, 0 changed" in first
    assert "Applied: 0 added, 0 changed" in second
    assert "reboot" not in first
    assert (value_of(sysroot, "sysroot.bootprefix"), value_of(sysroot, "sysroot.bootloader")) == ("false", "none")


def has_fat() -> bool:
    return "\tvfat\n" in Path("/proc/filesystems").read_text() and shutil.which("mkfs.vfat") is not None


needs_fat = pytest.mark.skipif(not has_fat(), reason="needs FAT in the kernel, and mkfs.vfat")


@needs_loops
@pytest.mark.parametrize(
    ("kind", "options"), [("ext4", ()), pytest.param("vfat", ("-oumask=0077",), marks=needs_fat)], ids=["ext4", "vfat"]
)
def test_loader_conf_is_written_on_its_partition(tmp_path: Path, kind: str, options: tuple[str, ...]) -> None:
    """A FAT does not have owners and modes. A read-only one stays as it is."""
    (root := tmp_path / "root").mkdir()
    disk = image(tmp_path / "esp.img", 8 * MIB)
    call(f"mkfs.{kind}", str(disk))
    with loop(disk) as device, mounted(device, root / "efi", *options) as esp:
        (esp / "EFI/systemd").mkdir(parents=True)
        (esp / "EFI/systemd/systemd-bootx64.efi").write_bytes(b"MZ")
        for value in (3, 0):
            assert converge(root, f"bootloader-setting setting: timeout, value: {value}").returncode == 0
            assert (esp / "loader/loader.conf").read_text() == f"timeout {value}\n"
            assert os.listdir(esp / "loader") == ["loader.conf"]
        call("mount", "-o", "remount,bind,ro", str(esp))
        failed = converge(root, "bootloader-setting setting: timeout, value: 9")
        assert failed.returncode == 4
        assert "read-only" in failed.stdout.lower()
        assert (esp / "loader/loader.conf").read_text() == "timeout 0\n"


needs_grub = pytest.mark.skipif(not shutil.which("grub-mkconfig"), reason="grub-mkconfig is not installed")

_LIVE = """
set -eu
root=$1 top=$2 libraries=$3
mount --make-rprivate /
mount --bind /usr "$root/usr"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount -t tmpfs run "$root/run"
mkdir -p "$root/run/top" "$root/run/libraries"
mount --bind "$top" "$root/run/top"
mount --bind "$libraries" "$root/run/libraries"
export PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/run/top:/run/libraries
chroot "$root" python3 -m converge apply /var/test.yaml || exit
"""

KILL = """\
#!/bin/sh
kill -9 $(ps -o ppid= -p $PPID) $PPID
"""
"""A script of grub-mkconfig that kills it and its caller."""


@frozen
class Grub:
    """A disk with a root and GRUB; converge runs on it as the live root."""

    root: Path

    def apply(self, *resources: str) -> "subprocess.CompletedProcess[str]":
        (self.root / "var/test.yaml").write_text(manifest(*resources))
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _LIVE, "sh"]
        argv = [*unshare, str(self.root), str(TOP), sysconfig.get_path("purelib")]
        return subprocess.run(argv, check=False, capture_output=True, text=True)

    @property
    def settings(self) -> Path:
        return self.root / "etc/default/grub"

    @property
    def made(self) -> str:
        return (self.root / "boot/grub/grub.cfg").read_text()


DISK = Blueprint("label: gpt\nsize=48MiB, type=linux\n", 64, {1: "ext4"})
"""With a partition, because GRUB's scripts do not make entries for a root on a whole loop device."""


@pytest.fixture
def grub(tmp_path: Path) -> Iterator[Grub]:
    with attached(partitioned.image(tmp_path / "disk.img", DISK)) as disk, disk.mounted(tmp_path / "root") as root:
        for name in ("usr", "dev", "sys", "proc", "run", "tmp", "var", "etc/default", "boot/grub"):
            (root / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (root / name).symlink_to(f"usr/{name}")
        shutil.copytree("/etc/grub.d", root / "etc/grub.d")
        (root / "etc/os-release").write_text('ID=test\nVERSION_ID="1"\n')
        (root / "boot/vmlinuz-6.1.0").write_bytes(b"kernel")
        made = Grub(root)
        made.settings.write_text('GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX="quiet"\n')
        (root / "boot/grub/grub.cfg").write_text("# It is automatically generated by grub-mkconfig\n")
        yield made


TIMEOUT = "bootloader-setting setting: timeout, value: 3"


@needs_disks
@needs_grub
def test_grub_cfg_is_generated_again(grub: Grub) -> None:
    done = grub.apply(TIMEOUT, "kernel-args append: [module_blacklist=hid_sensor_hub]")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "    set timeout_style=menu\n    set timeout=3\n" in grub.made
    entries = [line for line in grub.made.splitlines() if "/vmlinuz-6.1.0" in line and line.startswith("\tlinux")]
    assert entries
    assert all("quiet module_blacklist=hid_sensor_hub" in line for line in entries)
    assert grub.settings.read_text().startswith("GRUB_TIMEOUT=3\n")
    again = grub.apply(TIMEOUT, "kernel-args append: [module_blacklist=hid_sensor_hub]")
    assert "Applied: 0 added, 0 changed" in again.stdout


@needs_disks
@needs_grub
def test_run_killed_before_grub_cfg_is_finished(grub: Grub) -> None:
    grub.apply("bootloader-setting setting: timeout, value: 5")
    killer = grub.root / "etc/grub.d/99_kill"
    killer.write_text(KILL)
    killer.chmod(0o755)
    assert grub.apply(TIMEOUT).returncode not in (0, 1, 4)
    assert grub.settings.read_text().startswith("GRUB_TIMEOUT=3\n")
    assert "set timeout=3\n" not in grub.made
    killer.unlink()
    assert grub.apply(TIMEOUT).returncode == 0
    assert "set timeout=3\n" in grub.made


@needs_disks
@needs_grub
@pytest.mark.parametrize("what", ["overridden", "broken"])
def test_grub_cfg_not_generated_keeps_the_setting(grub: Grub, what: str) -> None:
    line = "GRUB_HIDDEN_TIMEOUT=9" if what == "overridden" else "GRUB_DEFAULT=$(exit 7"
    grub.settings.write_text(before := f"GRUB_TIMEOUT=5\n{line}\n")
    failed = grub.apply(TIMEOUT)
    assert failed.returncode == 4
    assert ("was generated with a timeout of '9'" if what == "overridden" else "grub-mkconfig") in failed.stdout
    assert grub.settings.read_text() == before
