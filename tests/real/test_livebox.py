"""The box in which converge is tried out as the live root: what it shows, and that the host has nothing of it."""

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


def test_converge_is_at_the_live_root_and_the_host_has_nothing_of_it(box: Livebox) -> None:
    assert box.call(write_as_the_live_root)
    assert (box.root / "etc/livebox").read_text() == box.run(["cat", "/etc/livebox"]).stdout == "here\n"
    assert not Path("/etc/livebox").exists()


def test_a_name_and_a_network_of_its_own(box: Livebox) -> None:
    host, forwarding = platform.node(), Path("/proc/sys/net/ipv4/ip_forward")
    before = forwarding.read_text()
    box.call(socket.sethostname, "in-the-box")
    assert box.run(["uname", "-n"]).stdout == "in-the-box\n"
    assert box.run(["sh", "-c", f"echo 1 >{forwarding} && cat {forwarding}"]).stdout == "1\n"
    assert (platform.node(), forwarding.read_text()) == (host, before)


@pytest.mark.parametrize("path", ["/proc/sys/vm/swappiness", "/sys/kernel/mm/ksm/run"])
def test_what_the_kernel_shares_with_the_host_can_only_be_read(box: Livebox, path: str) -> None:
    done = box.run(["sh", "-c", f"cat {path} >{path}"])
    assert (done.returncode, "Read-only file system" in done.stderr) == (2, True)


def test_it_is_process_one_of_its_own(box: Livebox) -> None:
    assert box.call(os.getpid) < 100
    assert box.run(["sh", "-c", "exit 7"]).returncode == 7


def fail(what: str) -> None:
    raise ProviderError(what, hint="none")


def test_what_a_function_raises_is_raised(box: Livebox) -> None:
    with pytest.raises(ProviderError, match="as told"):
        box.call(fail, "as told")


def test_the_command_line_runs_in_it(box: Livebox, tmp_path: Path) -> None:
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


def test_it_is_this_converge_that_runs_in_it(box: Livebox) -> None:
    where = box.run([sys.executable, "-c", "import converge; print(converge.__file__)"], cwd=str(TOP))
    assert where.stdout == f"{TOP}/converge/__init__.py\n"


def test_nothing_is_left_of_a_box() -> None:
    before = Path("/proc/self/mountinfo").read_text()
    with livebox() as gone:
        assert gone.run(["true"]).returncode == 0
    assert not gone.root.exists()
    assert Path("/proc/self/mountinfo").read_text() == before
