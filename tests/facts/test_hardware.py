from pathlib import Path

import pytest

from converge.facts.hardware import FACTS
from converge.model import Unknown, Version
from tests.facts.root import put, source

ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
DEFAULT = "eth0\t00000000\t010A0A0A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
LOCAL = "eth0\t000A0A0A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
NOWHERE = "0" * 32
DEFAULT_6 = f"{NOWHERE} 00 {NOWHERE} 00 fe80{'0' * 27}1 00000400 00000001 00000000 00000003 eth0\n"
REJECT_6 = f"{NOWHERE} 00 {NOWHERE} 00 {NOWHERE} ffffffff 00000001 00000000 00200200 lo\n"


@pytest.mark.parametrize(
    ("name", "files", "expected"),
    [
        ("machine.arch", {"proc/sys/kernel/arch": "aarch64\n"}, "aarch64"),
        ("machine.firmware", {"sys/firmware/efi/fw_platform_size": "64"}, "uefi"),
        ("machine.firmware", {"sys/firmware/devicetree/base/model": "x"}, "devicetree"),
        ("machine.firmware", {}, "bios"),
        ("machine.vendor", {"sys/class/dmi/id/sys_vendor": "LENOVO\n"}, "LENOVO"),
        ("machine.vendor", {}, None),
        ("machine.model", {"sys/class/dmi/id/product_name": "20XW\n"}, "20XW"),
        ("machine.bios_version", {"sys/class/dmi/id/bios_version": " N32ET \n"}, "N32ET"),
        ("machine.live", {"proc/cmdline": "quiet rd.live.image\n"}, True),
        ("machine.live", {"proc/cmdline": "quiet boot=live\n"}, True),
        ("machine.live", {"proc/cmdline": "quiet root=UUID=1\n"}, False),
        ("cpu.vendor", {"proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\n"}, "GenuineIntel"),
        ("cpu.vendor", {"proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\n"}, "0x41"),
        ("memory.total", {"proc/meminfo": "MemTotal:         800768 kB\nMemFree: 1 kB\n"}, 782 << 20),
        ("kernel.version", {"proc/sys/kernel/osrelease": "6.1.0-18-amd64\n"}, Version("6.1.0-18-amd64")),
        ("kernel.arguments", {"proc/cmdline": 'quiet a="b c" x=1\n'}, ("quiet", 'a="b c"', "x=1")),
        ("network.online", {"proc/net/route": ROUTES + LOCAL + DEFAULT}, True),
        ("network.online", {"proc/net/route": ROUTES + LOCAL}, False),
        ("network.online", {"proc/net/route": ROUTES, "proc/net/ipv6_route": REJECT_6}, False),
        ("network.online", {"proc/net/route": ROUTES, "proc/net/ipv6_route": REJECT_6 + DEFAULT_6}, True),
    ],
)
def test_fact_from_kernel(tmp_path: Path, name: str, files: dict[str, str | bytes], expected: object) -> None:
    put(tmp_path, files)
    assert FACTS[name].gather(source(tmp_path)) == expected


@pytest.mark.parametrize("name", ["memory.total", "kernel.version", "network.online"])
def test_fact_missing_in_kernel_is_unknown(tmp_path: Path, name: str) -> None:
    assert isinstance(FACTS[name].gather(source(tmp_path)), Unknown)
