from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop, make

VENDOR = "/usr/lib/systemd/system"
SCANNER = b"""\
[Unit]
Description=Scanner

[Service]
ExecStart=/usr/sbin/saned

[Install]
WantedBy=multi-user.target
Alias=scanner.service
Also=saned.socket
"""
SOCKET = b"[Socket]\nListenStream=6566\n\n[Install]\nWantedBy=sockets.target\n"
CLASSROOM = "[Service]\nExecStart=/usr/bin/classroom\n\n[Install]\nWantedBy=multi-user.target\n"


def _vendor(system: System) -> None:
    system.write(f"{VENDOR}/saned.service", SCANNER)
    system.write(f"{VENDOR}/saned.socket", SOCKET)


def new_unit(_: System, workshop: Workshop) -> dict[str, Any]:
    source = workshop.asset("classroom.service", CLASSROOM.encode())
    return {
        "name": "classroom.service",
        "source": source,
        "drop_ins": {"limits": "[Service]\nMemoryMax=1G\n"},
        "enabled": True,
        "running": True,
        "after_change": ["other"],
    }


def vendors_unit_enabled_with_a_drop_in(system: System, _: Workshop) -> dict[str, Any]:
    _vendor(system)
    system.write("/etc/systemd/system/saned.service.d/theirs.conf", b"[Service]\nNice=5\n")
    system.write("/etc/systemd/system/saned.service.d/old.conf", b"[Service]\nNice=6\n")
    drop_ins = {"ours": "[Service]\nNice=7\n"}
    return {"name": "saned.service", "enabled": True, "drop_ins": drop_ins, "without_drop_ins": ["old"]}


def enabled_unit_disabled_and_masked(system: System, _: Workshop) -> dict[str, Any]:
    _vendor(system)
    make(system, "systemd-unit", name="saned.service", enabled=True)
    return {"name": "saned.service", "enabled": False, "masked": True, "running": False}


def masked_unit_enabled(system: System, _: Workshop) -> dict[str, Any]:
    _vendor(system)
    make(system, "systemd-unit", name="saned.service", masked=True)
    return {"name": "saned.service", "enabled": True, "masked": False}


def masked_unit_whose_links_are_left(system: System, _: Workshop) -> dict[str, Any]:
    _vendor(system)
    make(system, "systemd-unit", name="saned.service", enabled=True)
    make(system, "systemd-unit", name="saned.service", masked=True)
    return {"name": "saned.service", "enabled": False, "masked": False}


def absent_unit_masked(_: System, __: Workshop) -> dict[str, Any]:
    return {"name": "telemetry.service", "masked": True}


def unwanted_unit(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "systemd-unit", name="classroom.service", content=CLASSROOM, enabled=True)
    return {"name": "classroom.service", "ensure": "absent"}


def enabled_unit_that_another_target_is_to_start(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "systemd-unit", name="classroom.service", content=CLASSROOM, enabled=True)
    return {"name": "classroom.service", "content": CLASSROOM.replace("multi-user", "graphical")}


def vendors_unit_replaced(system: System, _: Workshop) -> dict[str, Any]:
    _vendor(system)
    make(system, "systemd-unit", name="saned.service", enabled=True)
    return {"name": "saned.service", "content": CLASSROOM, "enabled": False}


def preset_instance(system: System, _: Workshop) -> dict[str, Any]:
    system.write(f"{VENDOR}/kiosk@.service", CLASSROOM.encode())
    system.write("/usr/lib/systemd/system-preset/80-kiosk.preset", b"enable kiosk@.service hall\ndisable *\n")
    return {"name": "kiosk@hall.service", "preset": True}


SPECIMENS = (
    new_unit,
    vendors_unit_enabled_with_a_drop_in,
    enabled_unit_disabled_and_masked,
    masked_unit_enabled,
    masked_unit_whose_links_are_left,
    absent_unit_masked,
    unwanted_unit,
    enabled_unit_that_another_target_is_to_start,
    vendors_unit_replaced,
    preset_instance,
)
