from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop

SHARED = b"# ours\nnet.ipv4.ip_forward = 0\n-kernel.core_pattern=|" + b"x" * 3000


def new_parameter(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/usr/lib/sysctl.d/50-default.conf", b"net.ipv4.ip_forward = 0\n")
    return {"key": "net.ipv4.ip_forward", "value": 1}


def changed_parameter_of_an_interface(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/sysctl.d/60-converge-net.ipv4.conf.eth0-1.rp_filter.conf", b"net/ipv4/conf/eth0.1/rp_filter=1\n")
    return {"key": "-net.ipv4.conf.eth0/1.rp_filter", "value": "2"}


def parameter_in_a_shared_file(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/sysctl.d/90-site.conf", SHARED)
    return {"key": "kernel.core_pattern", "value": "core" + "y" * 3000, "file": "/etc/sysctl.d/90-site.conf"}


def unwanted_parameter(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/sysctl.d/60-converge-kernel.panic.conf", b"kernel.panic = 10\n", mode=0o600)
    return {"key": "kernel/panic", "ensure": "absent"}


def unwanted_parameter_in_a_shared_file(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/sysctl.d/90-site.conf", SHARED)
    return {"key": "kernel.core_pattern", "ensure": "absent", "file": "/etc/sysctl.d/90-site.conf"}


SPECIMENS = (
    new_parameter,
    changed_parameter_of_an_interface,
    parameter_in_a_shared_file,
    unwanted_parameter,
    unwanted_parameter_in_a_shared_file,
)
