from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop

GRUB = b"""\
# Edited by hand
GRUB_TIMEOUT=5
GRUB_CMDLINE_LINUX_DEFAULT="quiet nomodeset splash"
GRUB_CMDLINE_LINUX='dyndbg="file a.c +p" nomodeset'
"""
CMDLINE = b"root=UUID=1 ro quiet console=tty0 quiet console=ttyS0,115200\n"


def appended_to_a_text(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/kernel/cmdline", CMDLINE)
    return {"append": ["module_blacklist=hid_sensor_hub", "quiet", 'dyndbg="file b.c +p"'], "delete": ["console=tty0"]}


def replaced_in_a_text(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/kernel/cmdline", CMDLINE + b"mitigations=off -- single\n")
    return {"replace": {"console": ["ttyS1", "tty1"], "mitigations": "auto", "loglevel": "3"}, "delete": ["quiet"]}


def odd_and_long(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/kernel/cmdline", b'# ours\na="caf\xe9 x" quiet b=' + b"x" * 3000 + b" a\n")
    return {"replace": {"a": "1"}, "delete": ["b"], "append": ["c"]}


def of_grub(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/default/grub", GRUB)
    return {
        "append": ["module_blacklist=hid_sensor_hub"],
        "delete": ["nomodeset"],
        "replace": {"dyndbg": "file c.c +p"},
    }


def of_grub_in_later_files(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/default/grub", GRUB)
    system.write("/etc/default/grub.d/10_cloud.cfg", b'GRUB_CMDLINE_LINUX="console=tty0 earlyprintk=ttyS0"\n')
    addition = b'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT crashkernel=2G-:192M"\n'
    system.write("/etc/default/grub.d/kdump-tools.cfg", addition)
    return {"append": ["debug"], "delete": ["earlyprintk", "splash"]}


SPECIMENS = (appended_to_a_text, replaced_in_a_text, odd_and_long, of_grub, of_grub_in_later_files)
