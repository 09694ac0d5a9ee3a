"""The box in which converge runs as at a live root: its content, and that it does not change the host."""

import os
import platform
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.system import System
from tests.real.livebox import TOP, Livebox, livebox, needs_livebox

pytestmark = needs_livebox


@pytest.fixture(scope="module")
def box() -> Iterator[Livebox]:
    with livebox() as made:
        yield made


def write_as_the_live_root() -> bool:
    system = System("/")
    system.write("/etc/livebox", b"here\n")
    return system.live


def test_converge_changes_live_root_of_box_but_not_host(box: Livebox) -> None:
    assert box.call(write_as_the_live_root)
    assert (box.root / "etc/livebox").read_text() == box.run(["cat", "/etc/livebox"]).stdout == "here\n"
    assert not Path("/etc/livebox").exists()


def test_box_has_its_own_name_and_network(box: Livebox) -> None:
    host, forwarding = platform.node(), Path("/proc/sys/net/ipv4/ip_forward")
    before = forwarding.read_text()
    box.call(socket.sethostname, "in-the-box")
    assert box.run(["uname", "-n"]).stdout == "in-the-box\n"
    assert box.run(["sh", "-c", f"echo 1 >{forwarding} && cat {forwarding}"]).stdout == "1\n"
    assert (platform.node(), forwarding.read_text()) == (host, before)


@pytest.mark.parametrize("path", ["/proc/sys/vm/swappiness", "/sys/kernel/mm/ksm/run"])
def test_kernel_settings_of_host_are_read_only(box: Livebox, path: str) -> None:
    done = box.run(["sh", "-c", f"cat {path} >{path}"])
    assert (done.returncode, "Read-only file system" in done.stderr) == (2, True)


def test_box_has_its_own_processes(box: Livebox) -> None:
    assert box.call(os.getpid) < 100
    assert box.run(["sh", "-c", "exit 7"]).returncode == 7


def fail(what: str) -> None:
    raise ProviderError(what, hint="none")


def test_error_of_function_is_raised(box: Livebox) -> None:
    with pytest.raises(ProviderError, match="as declared"):
        box.call(fail, "as declared")


def test_command_line_runs_in_box(box: Livebox, tmp_path: Path) -> None:
    manifest = tmp_path / "test.yaml"
    manifest.write_text(
        "converge: 1\nproduct: test\nresources:\n"
        "  issue: {type: file, apply: always, with: {path: /etc/issue.box, content: Hello}}\n"
    )
    done = box.converge("apply", str(manifest))
    assert done.returncode == 0, done.stderr
    assert (box.root / "etc/issue.box").read_text() == "Hello"
    assert (box.root / "etc/converge/ledger.json").exists()
    assert not Path("/etc/issue.box").exists()


def test_converge_in_box_is_this_checkout(box: Livebox) -> None:
    printed = box.run([sys.executable, "-c", "import converge; print(converge.__file__)"], cwd=str(TOP))
    assert printed.stdout == f"{TOP}/converge/__init__.py\n"


def test_closed_box_leaves_nothing() -> None:
    before = Path("/proc/self/mountinfo").read_text()
    with livebox() as gone:
        assert gone.run(["true"]).returncode == 0
    assert not gone.root.exists()
    assert Path("/proc/self/mountinfo").read_text() == before
