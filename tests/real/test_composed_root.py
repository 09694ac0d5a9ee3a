"""An ostree sysroot, or a deployment in it, as the root: every change is where the booted system will find it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.real import ostreesysroot
from tests.real.livebox import livebox, needs_livebox
from tests.real.loops import MIB, call, image, loop, mounted, needs_loops
from tests.real.ostreesysroot import Sysroot, needs_ostree

pytestmark = needs_ostree

MANIFEST = """\
converge: 1
product: test
resources:
  settings: {type: file, apply: always, with: {path: /etc/app.conf, content: "x\\n"}}
  data: {type: file, apply: always, with: {path: /var/lib/app/data, content: "y\\n"}}
  os-remote: {type: ostree-remote, apply: always, with: {name: os, url: "https://example.org/os"}}
"""


@pytest.fixture
def sysroot(tmp_path: Path) -> Iterator[Sysroot]:
    (tmp_path / "test.yaml").write_text(MANIFEST)
    with ostreesysroot.made(tmp_path) as made:
        yield made


def converge(sysroot: Sysroot, verb: str, root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    manifest = sysroot.path.with_name("test.yaml")
    argv = [sys.executable, "-m", "converge", verb, str(manifest), "--root", str(root), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_install_writes_to_the_places_of_the_booted_system(sysroot: Sysroot) -> None:
    done = converge(sysroot, "apply", sysroot.path, "--event", "install")
    assert (done.returncode, done.stdout.splitlines()[-1][:17]) == (0, "Applied: 3 added,"), done
    shared = sysroot.path / "ostree/deploy/os/var"
    assert (sysroot.deployment / "etc/app.conf").read_text() == "x\n"
    assert (shared / "lib/app/data").read_text() == "y\n"
    assert "example.org/os" in (sysroot.path / "ostree/repo/config").read_text()
    assert (sysroot.deployment / "etc/converge/ledger.json").exists()
    assert (shared / "lib/converge/ledger.json").exists()
    assert list((sysroot.deployment / "var").iterdir()) == []
    assert list((sysroot.deployment / "sysroot").iterdir()) == []
    assert str(sysroot.path) not in Path("/proc/self/mountinfo").read_text()


def test_second_run_by_either_path_changes_nothing(sysroot: Sysroot) -> None:
    assert converge(sysroot, "apply", sysroot.path, "--event", "install").returncode == 0
    for root in (sysroot.path, sysroot.deployment):
        planned = converge(sysroot, "plan", root, "--detailed-exitcode")
        assert (planned.returncode, planned.stderr) == (0, ""), planned


def test_sysroot_means_the_deployment_that_boots_next(sysroot: Sysroot) -> None:
    first = sysroot.deployment
    assert sysroot.deploy().returncode == 0
    assert sysroot.deployment != first
    assert converge(sysroot, "apply", sysroot.path, "--event", "install").returncode == 0
    assert (sysroot.deployment / "etc/app.conf").exists()
    assert not (first / "etc/app.conf").exists()


def test_other_deployment_finds_shared_state_in_place(sysroot: Sysroot) -> None:
    first = sysroot.deployment
    assert sysroot.deploy().returncode == 0
    assert converge(sysroot, "apply", sysroot.path, "--event", "install").returncode == 0
    done = converge(sysroot, "apply", first)
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[-1].startswith("Applied: 1 added, 0 changed, 0 removed;")
    assert (first / "etc/app.conf").exists()


def test_sysroot_without_deployment_is_refused(tmp_path: Path) -> None:
    sysroot = Sysroot(tmp_path / "sysroot")
    sysroot.path.mkdir()
    (tmp_path / "test.yaml").write_text(MANIFEST)
    assert sysroot.ostree("admin", "init-fs", str(sysroot.path)).returncode == 0
    failed = converge(sysroot, "plan", sysroot.path)
    assert failed.returncode == 1
    assert f"no deployment of {sysroot.path} is set up to boot" in failed.stderr


@needs_livebox
def test_sysroot_of_running_system_is_refused(sysroot: Sysroot) -> None:
    with livebox() as box:
        box.run(
            ["sh", "-c", f"mkdir /ostree && mount --bind {sysroot.path}/ostree /ostree && touch /run/ostree-booted"]
        )
        refused = box.converge("apply", str(sysroot.path.with_name("test.yaml")), "--root", str(sysroot.path))
    assert refused.returncode == 1
    assert "is the running system's" in refused.stderr
    assert "leave out --root" in refused.stderr
    assert not (sysroot.deployment / "etc/app.conf").exists()


def test_missing_right_to_mount_is_in_the_error(sysroot: Sysroot) -> None:
    manifest = sysroot.path.with_name("test.yaml")
    argv = [sys.executable, "-m", "converge", "plan", str(manifest), "--root", str(sysroot.path)]
    dropped = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", *argv]
    failed = subprocess.run(dropped, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "cannot compose the root" in failed.stderr
    assert "run converge as root" in failed.stderr


@needs_loops
@pytest.mark.parametrize("place", ["ostree/deploy/os/var", "var of the deployment"])
def test_separate_var_and_boot_are_used(place: str, sysroot: Sysroot, tmp_path: Path) -> None:
    """An installer may have mounted /var at ostree's own place, or in the deployment."""
    shared = sysroot.deployment / "var" if place.endswith("deployment") else sysroot.path / place
    manifest = MANIFEST + "  swap: {type: swap, apply: always, with: {path: /var/swap/file, size: 1MiB}}\n"
    manifest += "  mark: {type: file, apply: always, with: {path: /boot/mark, content: x}}\n"
    with ExitStack() as disks:
        places = {"var": shared, "boot": sysroot.path / "boot"}
        for name, at in places.items():
            disk = image(tmp_path / f"{name}.img", 32 * MIB)
            call("mkfs.ext4", "-q", str(disk))
            if name == "boot":
                call("cp", "-a", str(at), str(tmp_path / "former"))
            disks.enter_context(mounted(disks.enter_context(loop(disk)), at))
        call("cp", "-a", f"{tmp_path}/former/.", str(places["boot"]))
        (tmp_path / "test.yaml").write_text(manifest)
        done = converge(sysroot, "apply", sysroot.path, "--event", "install")
        assert done.returncode == 0, done
        assert {"lib", "swap"} < set(os.listdir(shared))
        assert (shared / "swap/file").stat().st_size == MIB
        assert (places["boot"] / "mark").read_text() == "x"
        assert converge(sysroot, "plan", sysroot.path, "--detailed-exitcode").returncode == 0
    assert not (sysroot.path / "ostree/deploy/os/var/swap").exists()
    assert not (sysroot.path / "boot/mark").exists()
