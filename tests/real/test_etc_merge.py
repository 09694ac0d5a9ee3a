"""If a folder of /usr/etc is not a folder in /etc, ostree's next merge fails; converge never replaces such a folder.

With the real ostree: a system root with one deployment, and then the next one, into which /etc is merged.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from converge.cli import app
from converge.errors import ExitCode
from tests.real import ostreesysroot
from tests.real.ostreesysroot import Sysroot, needs_ostree

pytestmark = needs_ostree


@pytest.fixture
def sysroot(tmp_path: Path) -> Iterator[Sysroot]:
    with ostreesysroot.made(tmp_path) as made:
        yield made


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/var")])
def test_folder_replaced_by_other_kind_breaks_merge(sysroot: Sysroot, make: Callable[[Path], None]) -> None:
    folder = sysroot.deployment / "etc/app.d"
    shutil.rmtree(folder)
    make(folder)
    failed = sysroot.deploy()
    assert (failed.returncode, "cannot merge" in failed.stderr) == (1, True), failed.stderr


MANIFEST = "converge: 1\nproduct: test\nresources:\n  it: {type: %s, apply: always, with: {%s}}\n"
REMOVED = ("directory", "path: /etc/app.d, ensure: absent, recursive: true")
MOVED = ("move", "from: /etc/app.d, to: /etc/elsewhere, leave_link: true")
LINKED = ("symlink", "path: /etc/app.d, target: /var")
WRITTEN = ("file", "path: /etc/app.d, content: x")


def converge(sysroot: Sysroot, type_: str, params: str) -> int:
    manifest = sysroot.path.with_name("test.yaml")
    manifest.write_text(MANIFEST % (type_, params))
    return app.run(["apply", str(manifest), "--root", str(sysroot.deployment)])


@pytest.mark.parametrize("resource", [REMOVED, MOVED, LINKED, WRITTEN])
def test_existing_folder_of_usr_etc_is_not_replaced(sysroot: Sysroot, resource: tuple[str, str]) -> None:
    assert converge(sysroot, *resource) == ExitCode.FAILED
    assert (sysroot.deployment / "etc/app.d/default").read_text() == "ours\n"
    assert sysroot.deploy().returncode == 0


@pytest.mark.parametrize("resource", [MOVED, LINKED, WRITTEN])
def test_removed_folder_of_usr_etc_is_not_replaced(
    sysroot: Sysroot, resource: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(sysroot.deployment / "etc/app.d")
    (sysroot.deployment / "etc/elsewhere").mkdir()
    assert converge(sysroot, *resource) == ExitCode.FAILED
    assert "/etc/app.d is a folder in /usr/etc and has to stay one" in capsys.readouterr().out
    assert not os.path.lexists(sysroot.deployment / "etc/app.d")
    assert sysroot.deploy().returncode == 0


def test_emptied_folder_survives_merge_with_kept_content(sysroot: Sysroot) -> None:
    assert converge(sysroot, "directory", "path: /etc/app.d, empty: true") == ExitCode.OK
    first = sysroot.deployment
    assert sysroot.deploy().returncode == 0
    assert sysroot.deployment != first
    assert os.listdir(sysroot.deployment / "etc/app.d") == []
    (kept,) = (sysroot.deployment / "etc/converge/removed").glob("*/*/default")
    assert kept.read_text() == "ours\n"
