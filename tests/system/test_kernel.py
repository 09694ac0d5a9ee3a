"""The running kernel's host name and parameters: changed at the live root, which stands in a box here, else refused."""

from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.system import System
from tests.real.livebox import livebox, needs_livebox


def name_the_machine(name: str) -> None:
    System("/").set_host_name(name)


def set_parameter(name: str, value: str) -> None:
    System("/").set_kernel_parameter(name, value)


@needs_livebox
def test_live_system_changes_at_once_or_refuses() -> None:
    forwarding = "net/ipv4/conf/lo/forwarding"
    with livebox() as box:
        box.call(name_the_machine, "reading-room")
        box.call(set_parameter, forwarding, "1")
        assert box.run(["uname", "-n"]).stdout == "reading-room\n"
        assert box.run(["cat", f"/proc/sys/{forwarding}"]).stdout == "1\n"
        with pytest.raises(ProviderError, match="cannot set the host name: Invalid argument"):
            box.call(name_the_machine, "x" * 65)
        with pytest.raises(ProviderError, match=f"cannot set /proc/sys/{forwarding}: Invalid argument"):
            box.call(set_parameter, forwarding, "many")
        with pytest.raises(ProviderError, match="/proc/sys/net/ipv4/no_such does not exist"):
            box.call(set_parameter, "net/ipv4/no_such", "1")
        with pytest.raises(ProviderError, match="cannot set /proc/sys/vm/swappiness: Read-only file system"):
            box.call(set_parameter, "vm/swappiness", "1")


def test_a_foreign_root_has_no_kernel(root: Path, system: System) -> None:
    with pytest.raises(ProviderError, match=f"{root} is not the running system"):
        system.set_host_name("reading-room")
    with pytest.raises(ProviderError, match=f"{root} is not the running system"):
        system.set_kernel_parameter("net/ipv4/ip_forward", "1")
