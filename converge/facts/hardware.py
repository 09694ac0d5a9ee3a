"""The machine, its kernel and its network: facts that hold only where the system will run."""

import re
from collections.abc import Mapping

from converge.facts.base import Fact, Source, pairs, text_of
from converge.language.expressions import BOOLEAN, SIZE, TEXT, TEXTS, VERSION, Found, optional
from converge.model import Unknown, Version

_DMI = "/sys/class/dmi/id"
_ARGUMENT = re.compile(r'(?:[^\s"]|"[^"]*")+')
_LIVE = ("boot=live", "boot=casper", "rd.live.image", "endless.live_boot", "archisobasedir=")
"""What the kernel arguments of live media have: Debian's, Ubuntu's, dracut's, Endless OS's and Arch's."""

_ROUTE_IS_UP, _ROUTE_IS_REJECT = 0x0001, 0x0200  # route(8) flags, linux/route.h
_METERED = {"u 1": True, "u 2": False, "u 3": True, "u 4": False}  # NMMetered: yes, no, guessed yes, guessed no


def _arch(source: Source) -> Found:
    said = source.hardware.read_line("/proc/sys/kernel/arch")
    return said or source.hardware.query(["uname", "-m"]).require().stdout.strip()


def _firmware(source: Source) -> Found:
    if source.hardware.stat("/sys/firmware/efi"):
        return "uefi"
    return "devicetree" if source.hardware.stat("/sys/firmware/devicetree/base") else "bios"


def _vendor(source: Source) -> Found:
    return source.hardware.read_line(f"{_DMI}/sys_vendor") or None


def _model(source: Source) -> Found:
    return source.hardware.read_line(f"{_DMI}/product_name") or None


def _bios_version(source: Source) -> Found:
    return source.hardware.read_line(f"{_DMI}/bios_version") or None


def _virtualization(source: Source) -> Found:
    said = source.hardware.query(["systemd-detect-virt"]).stdout.strip()
    return said or Unknown("systemd-detect-virt does not say")


def _live(source: Source) -> Found:
    return any(argument.startswith(_LIVE) for argument in _arguments(source))


def _cpu_vendor(source: Source) -> Found:
    found = pairs(text_of(source.hardware, "/proc/cpuinfo") or "", ":")
    return found.get("vendor_id") or found.get("CPU implementer")


def _memory(source: Source) -> Found:
    said = pairs(text_of(source.hardware, "/proc/meminfo") or "", ":").get("MemTotal", "")
    match = re.fullmatch(r"([0-9]+) kB", said)
    return int(match[1]) * 1024 if match else Unknown("the kernel does not say how much memory there is")


def _kernel_version(source: Source) -> Found:
    said = source.hardware.read_line("/proc/sys/kernel/osrelease")
    return Version(said) if said else Unknown("the kernel does not say its version")


def _arguments(source: Source) -> tuple[str, ...]:
    return tuple(_ARGUMENT.findall(text_of(source.hardware, "/proc/cmdline") or ""))


def _online(source: Source) -> Found:
    ipv4, ipv6 = (text_of(source.hardware, f"/proc/net/{name}") for name in ("route", "ipv6_route"))
    if ipv4 is None and ipv6 is None:
        return Unknown("the kernel does not say its routes")
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
    asked = ["busctl", "--system", "--auto-start=no", "--timeout=5", "get-property"]
    said = source.hardware.query([*asked, service, f"/{service.replace('.', '/')}", service, "Metered"], timeout=10)
    return _METERED.get(said.stdout.strip(), Unknown("NetworkManager does not say whether the network is metered"))


FACTS: Mapping[str, Fact] = {
    "machine.arch": Fact(TEXT, "The architecture, as `uname -m` says it.", _arch, hardware=True),
    "machine.firmware": Fact(TEXT, "uefi, bios or devicetree.", _firmware, hardware=True),
    "machine.vendor": Fact(optional(TEXT), "Who made the machine, by its firmware.", _vendor, hardware=True),
    "machine.model": Fact(optional(TEXT), "The product name, by the firmware.", _model, hardware=True),
    "machine.bios_version": Fact(optional(TEXT), "The firmware's version.", _bios_version, hardware=True),
    "machine.virtualization": Fact(
        TEXT, "What it runs in, as systemd-detect-virt says it; none on real hardware.", _virtualization, hardware=True
    ),
    "machine.live": Fact(BOOLEAN, "It was started from a live medium.", _live, hardware=True),
    "cpu.vendor": Fact(
        optional(TEXT), "The processor's vendor, such as GenuineIntel or AuthenticAMD.", _cpu_vendor, hardware=True
    ),
    "memory.total": Fact(SIZE, "The memory that the kernel can use.", _memory, hardware=True),
    "kernel.version": Fact(VERSION, "The running kernel's version.", _kernel_version, hardware=True),
    "kernel.arguments": Fact(TEXTS, "The arguments that the kernel was started with.", _arguments, hardware=True),
    "network.online": Fact(BOOLEAN, "There is a way out: a default route.", _online, hardware=True),
    "network.metered": Fact(
        BOOLEAN, "Traffic costs money, as NetworkManager knows or guesses.", _metered, hardware=True
    ),
}
