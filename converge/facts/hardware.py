"""The machine, its kernel and its network: facts that are true only on the machine that will run the system."""

import re
from collections.abc import Callable, Mapping

from converge.facts.fact import Fact, Source, pairs, text_of
from converge.language.expressions import BOOLEAN, SIZE, TEXT, TEXTS, VERSION, Found, optional
from converge.model import Unknown, Version

_ARGUMENT = re.compile(r'(?:[^\s"]|"[^"]*")+')
_LIVE = ("boot=live", "boot=casper", "rd.live.image", "endless.live_boot", "archisobasedir=")
"""Kernel arguments of live media: Debian's, Ubuntu's, dracut's, Endless OS's and Arch's."""

_ROUTE_IS_UP, _ROUTE_IS_REJECT = 0x0001, 0x0200  # route(8) flags, linux/route.h
_METERED = {"u 1": True, "u 2": False, "u 3": True, "u 4": False}  # NMMetered: yes, no, guessed yes, guessed no


def _arch(source: Source) -> Found:
    arch = source.hardware.read_line("/proc/sys/kernel/arch")
    return arch or source.hardware.query(["uname", "-m"]).require().stdout.strip()


def _firmware(source: Source) -> Found:
    if source.hardware.stat("/sys/firmware/efi"):
        return "uefi"
    return "devicetree" if source.hardware.stat("/sys/firmware/devicetree/base") else "bios"


def _dmi(name: str) -> Callable[[Source], Found]:
    return lambda source: source.hardware.read_line(f"/sys/class/dmi/id/{name}") or None


def _virtualization(source: Source) -> Found:
    printed = source.hardware.query(["systemd-detect-virt"]).stdout.strip()
    return printed or Unknown("systemd-detect-virt printed nothing")


def _live(source: Source) -> Found:
    return any(argument.startswith(_LIVE) for argument in _arguments(source))


def _cpu_vendor(source: Source) -> Found:
    found = pairs(text_of(source.hardware, "/proc/cpuinfo") or "", ":")
    return found.get("vendor_id") or found.get("CPU implementer")


def _memory(source: Source) -> Found:
    total = pairs(text_of(source.hardware, "/proc/meminfo") or "", ":").get("MemTotal", "")
    match = re.fullmatch(r"([0-9]+) kB", total)
    return int(match[1]) * 1024 if match else Unknown("/proc/meminfo contains no MemTotal")


def _kernel_version(source: Source) -> Found:
    release = source.hardware.read_line("/proc/sys/kernel/osrelease")
    return Version(release) if release else Unknown("/proc/sys/kernel/osrelease contains no version")


def _arguments(source: Source) -> tuple[str, ...]:
    return tuple(_ARGUMENT.findall(text_of(source.hardware, "/proc/cmdline") or ""))


def _online(source: Source) -> Found:
    ipv4, ipv6 = (text_of(source.hardware, f"/proc/net/{name}") for name in ("route", "ipv6_route"))
    if ipv4 is None and ipv6 is None:
        return Unknown("/proc/net/route and /proc/net/ipv6_route are missing")
    return any(map(_is_default, (ipv4 or "").splitlines())) or any(map(_is_default6, (ipv6 or "").splitlines()))


def _is_default(line: str) -> bool:
    """Columns: interface, destination, gateway, flags, ..., the mask as the eighth."""
    match line.split():
        case [_, "00000000", _, flags, _, _, _, "00000000", *_]:
            return int(flags, 16) & (_ROUTE_IS_UP | _ROUTE_IS_REJECT) == _ROUTE_IS_UP
    return False


def _is_default6(line: str) -> bool:
    """Columns: destination, its prefix length, source, its prefix length, next hop, metric, ..., flags, interface."""
    match line.split():
        case [destination, "00", _, _, _, _, _, _, flags, interface] if not destination.strip("0"):
            up = int(flags, 16) & (_ROUTE_IS_UP | _ROUTE_IS_REJECT) == _ROUTE_IS_UP
            return up and interface != "lo"
    return False


def _metered(source: Source) -> Found:
    service = "org.freedesktop.NetworkManager"
    get = ["busctl", "--system", "--auto-start=no", "--timeout=5", "get-property"]
    found = source.hardware.query([*get, service, f"/{service.replace('.', '/')}", service, "Metered"], timeout=10)
    return _METERED.get(found.stdout.strip(), Unknown("NetworkManager does not know whether the network is metered"))


FACTS: Mapping[str, Fact] = {
    "machine.arch": Fact(TEXT, "The architecture, as printed by `uname -m`.", _arch, hardware=True),
    "machine.firmware": Fact(TEXT, "uefi, bios or devicetree.", _firmware, hardware=True),
    "machine.vendor": Fact(optional(TEXT), "The vendor, from the firmware.", _dmi("sys_vendor"), hardware=True),
    "machine.model": Fact(optional(TEXT), "The product name, from the firmware.", _dmi("product_name"), hardware=True),
    "machine.bios_version": Fact(optional(TEXT), "The firmware's version.", _dmi("bios_version"), hardware=True),
    "machine.virtualization": Fact(
        TEXT,
        "The virtualization, as printed by systemd-detect-virt; none on real hardware.",
        _virtualization,
        hardware=True,
    ),
    "machine.live": Fact(BOOLEAN, "Whether the machine was started from a live medium.", _live, hardware=True),
    "cpu.vendor": Fact(
        optional(TEXT), "The processor's vendor, such as GenuineIntel or AuthenticAMD.", _cpu_vendor, hardware=True
    ),
    "memory.total": Fact(SIZE, "The memory that the kernel can use, in bytes.", _memory, hardware=True),
    "kernel.version": Fact(VERSION, "The running kernel's version.", _kernel_version, hardware=True),
    "kernel.arguments": Fact(TEXTS, "The arguments that the kernel was started with.", _arguments, hardware=True),
    "network.online": Fact(BOOLEAN, "Whether the network has a default route.", _online, hardware=True),
    "network.metered": Fact(
        BOOLEAN, "Whether traffic costs money, as NetworkManager knows or guesses.", _metered, hardware=True
    ),
}
