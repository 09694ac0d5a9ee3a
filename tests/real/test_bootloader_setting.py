"""What ostree and systemd themselves say of settings that converge has made."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.providers import bootloader_setting
from converge.system import System
from tests.real import ostreesysroot
from tests.real.converging import converge
from tests.real.ostreesysroot import Sysroot, needs_ostree


@pytest.fixture
def sysroot(tmp_path: Path) -> Iterator[Sysroot]:
    with ostreesysroot.made(tmp_path) as made:
        yield made


@needs_ostree
def test_ostree_reads_what_was_set(sysroot: Sysroot) -> None:
    repo = f"--repo={sysroot.path}/ostree/repo"
    apply(sysroot, 'value: "true"')
    assert sysroot.ostree("config", repo, "get", "sysroot.bootprefix").stdout == "true\n"
    assert sysroot.ostree("config", repo, "get", "sysroot.bootloader").stdout == "none\n"
    assert sysroot.deploy().returncode == 0
    apply(sysroot, "ensure: absent")
    assert sysroot.ostree("config", repo, "get", "sysroot.bootprefix").returncode != 0


def apply(sysroot: Sysroot, wanted: str) -> None:
    manifest = sysroot.path.with_name("test.yaml")
    resource = f"{{type: bootloader-setting, apply: always, with: {{setting: sysroot.bootprefix, {wanted}}}}}"
    manifest.write_text(f"converge: 1\nproduct: test\nresources: {{it: {resource}}}\n")
    argv = [sys.executable, "-m", "converge", "apply", str(manifest), "--root", str(sysroot.path)]
    subprocess.run(argv, check=True, capture_output=True)


@pytest.mark.skipif(not shutil.which("grub-mkconfig"), reason="grub-mkconfig is not installed")
def test_grub_mkconfig_reads_what_was_set(tmp_path: Path) -> None:
    system = System(str(tmp_path))
    system.write("/etc/default/grub", b"GRUB_TIMEOUT=5\n")
    converge(bootloader_setting, system, setting="timeout", value=7)
    script = f". {tmp_path}/etc/default/grub; echo $GRUB_TIMEOUT"
    assert subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout == "7\n"
