from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop


def new_link(_: System, __: Workshop) -> dict[str, Any]:
    return {"path": "/etc/new/localtime", "target": "../../usr/share/zoneinfo/Europe/Lisbon"}


def changed_link(system: System, _: Workshop) -> dict[str, Any]:
    system.make_link("/etc/localtime", "/nowhere")
    return {"path": "/etc/localtime", "target": "/nowhere else"}


def dangling_link_gets_existing_target(system: System, _: Workshop) -> dict[str, Any]:
    system.make_link("/var/current", "old")
    system.write("/var/new", b"")
    return {"path": "/var/current", "target": "new"}


def unwanted_link(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/var/lib/kept", b"")
    system.make_link("/var/link", "lib/kept")
    return {"path": "/var/link", "ensure": "absent"}


SPECIMENS = (new_link, changed_link, dangling_link_gets_existing_target, unwanted_link)
