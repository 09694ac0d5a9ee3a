from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop

CONFIG = "/ostree/repo/config"


def ostrees_bootloader(system: System, _: Workshop) -> dict[str, Any]:
    system.write(CONFIG, b"[core]\nrepo_version=1\nmode=bare\n")
    return {"setting": "sysroot.bootloader", "value": "none", "only_if_unset": True}


def other_bootprefix(system: System, _: Workshop) -> dict[str, Any]:
    system.write(CONFIG, b"[core]\nmode=bare\n\n[sysroot]\n# ours\nbootprefix=false\nreadonly=true\n")
    return {"setting": "sysroot.bootprefix", "value": "true"}


def bootprefix_no_more(system: System, _: Workshop) -> dict[str, Any]:
    system.write(CONFIG, b"[sysroot]\nbootprefix=false\n")
    return {"setting": "sysroot.bootprefix", "ensure": "absent"}


def systemd_boot(system: System, _: Workshop) -> dict[str, Any]:
    system.make_folder("/boot/efi/EFI/systemd")
    return {"setting": "timeout", "value": 3}


def systemd_boot_with_comments(system: System, _: Workshop) -> dict[str, Any]:
    system.make_folder("/efi/EFI/systemd")
    system.write("/efi/loader/loader.conf", b"#timeout 3\ndefault *\ntimeout  5\neditor no")
    return {"setting": "timeout", "value": "0"}


def systemd_boots_own(system: System, _: Workshop) -> dict[str, Any]:
    system.make_folder("/boot/EFI/systemd")
    system.write("/boot/loader/loader.conf", b"timeout menu-force\n")
    return {"setting": "timeout", "ensure": "absent"}


def grub_in_a_later_file(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/default/grub", b"GRUB_TIMEOUT=5\nGRUB_DEFAULT=0\n")
    system.write("/etc/default/grub.d/50-cloud.cfg", b'# cloud\nGRUB_TIMEOUT="0"\n')
    return {"setting": "timeout", "value": 2}


def grub_unset(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/default/grub", b"# GRUB_TIMEOUT=5\nGRUB_DEFAULT=0")
    return {"setting": "timeout", "value": 2, "only_if_unset": True}


SPECIMENS = (
    bootprefix_no_more,
    grub_in_a_later_file,
    grub_unset,
    ostrees_bootloader,
    other_bootprefix,
    systemd_boot,
    systemd_boot_with_comments,
    systemd_boots_own,
)
