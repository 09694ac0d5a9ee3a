"""An ostree sysroot with three deployments: the running one (or the one to run), the former one, and a pinned one."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real import ostreeboot, ostreesysroot
from tests.real.ostreeboot import Entry
from tests.real.ostreesysroot import Sysroot

MANIFEST = """\
converge: 1
product: test
resources:
  sensors:
    type: kernel-args
    apply: once
    with: {append: [module_blacklist=hid_sensor_hub, quiet, 'dyndbg="file a.c +p"'], delete: [nomodeset]}
"""
MORE = """\
  console:
    type: kernel-args
    apply: always
    with: {replace: {console: [tty0, ttyS0]}}
"""
BEFORE = "root=LABEL=root rw nomodeset console=tty1 quiet"
AFTER = 'root=LABEL=root rw console=tty1 quiet module_blacklist=hid_sensor_hub dyndbg="file a.c +p"'
WITH_MORE = 'root=LABEL=root rw console=tty0 console=ttyS0 quiet module_blacklist=hid_sensor_hub dyndbg="file a.c +p"'
APPLY = "converge apply /var/test.yaml\n"
REBOOT = "requested a reboot"
STAGED = "set in the staged deployment; done after it has booted"
STAGE = "ostree admin deploy --os=os --stage main\n"
SHUT_DOWN = "ostree admin finalize-staged\n"


@contextmanager
def three_deployments(folder: Path) -> Iterator[Sysroot]:
    with ostreesysroot.made(folder) as sysroot:
        ostree(sysroot, "pin", "0")
        for arguments in ("root=LABEL=root rw before", BEFORE):
            deploy(sysroot, "--retain", "--karg-none", *(f"--karg-append={each}" for each in arguments.split()))
        declare(sysroot, MANIFEST)
        yield sysroot


def ostree(sysroot: Sysroot, verb: str, *words: str) -> None:
    done = sysroot.ostree("admin", verb, f"--sysroot={sysroot.path}", *words)
    assert done.returncode == 0, done.stderr


def deploy(sysroot: Sysroot, *words: str) -> None:
    ostree(sysroot, "deploy", "--os=os", *words, "main")


def upgrade(sysroot: Sysroot) -> None:
    """Commit another version of the OS."""
    tree = sysroot.path.with_name("tree")
    (tree / "usr/lib/os-release").write_text('ID=test\nVERSION_ID="2"\n')
    words = ("commit", f"--repo={sysroot.path}/ostree/repo", "--branch=main", f"--tree=dir={tree}")
    assert sysroot.ostree(*words).returncode == 0


def declare(sysroot: Sysroot, text: str, name: str = "test.yaml") -> None:
    """Write the product to /var, which all deployments share."""
    (sysroot.path / "ostree/deploy/os/var" / name).write_text(text)


def entries(sysroot: Sysroot) -> tuple[Entry, ...]:
    return ostreeboot.entries(sysroot)


def deployed(sysroot: Sysroot) -> list[tuple[str, str]]:
    """Checksum and serial, and arguments, of all deployments in their order."""
    return [(entry.name, entry.arguments) for entry in entries(sysroot)]


def commit(deployment: tuple[str, str]) -> str:
    return deployment[0].partition(".")[0]


def converge(sysroot: Sysroot, root: Path) -> "subprocess.CompletedProcess[str]":
    manifest = sysroot.path / "ostree/deploy/os/var/test.yaml"
    argv = [sys.executable, "-m", "converge", "apply", str(manifest), "--root", str(root), "--event", "install"]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def origin(deployment: Path) -> str:
    return Path(f"{deployment}.origin").read_text()


def is_pinned(deployment: Path) -> bool:
    return "pinned=true" in origin(deployment)


def bytes_of_entries(sysroot: Sysroot) -> list[str]:
    """The files in their order of booting, without the path in `ostree=`."""
    files = sorted((sysroot.path / "boot/loader/entries").iterdir(), reverse=True)
    return [re.sub(r"\bostree=/ostree/boot\.\d", "ostree=", file.read_text()) for file in files]


def go_back(sysroot: Sysroot) -> None:
    """Make the second deployment the default, as `rpm-ostree rollback` does."""
    first, second = sorted((sysroot.path / "boot/loader/entries").iterdir(), reverse=True)[:2]
    texts, version = [first.read_text(), second.read_text()], re.compile(r"^version (\d+)$", re.MULTILINE)
    numbers = [found[1] for found in map(version.search, texts) if found]
    for path, text, number in zip((first, second), texts, reversed(numbers), strict=True):
        path.write_text(version.sub(f"version {number}", text))
