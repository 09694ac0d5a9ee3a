from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop

OLD, NEW = "/var/old/defaults", "/var/lib/new/defaults"


def moved_folder(system: System, _: Workshop) -> dict[str, Any]:
    system.make_folder(OLD, mode=0o2750, uid=1000)
    system.write(f"{OLD}/deep/inside", b"x")
    return {"from": OLD, "to": NEW}


def folder_moved_with_a_link(system: System, _: Workshop) -> dict[str, Any]:
    system.write(f"{OLD}/deep/inside", b"x")
    return {"from": OLD, "to": NEW, "leave_link": True}


def file_moved_from_one_domain_to_the_other(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/defaults", b"x", mode=0o640, gid=117)
    return {"from": "/etc/defaults", "to": "/var/lib/defaults", "leave_link": True}


def only_the_link_is_missing(system: System, _: Workshop) -> dict[str, Any]:
    system.write(f"{NEW}/inside", b"x")
    return {"from": OLD, "to": NEW, "leave_link": True}


def link_no_longer_wanted(system: System, _: Workshop) -> dict[str, Any]:
    system.write(f"{NEW}/inside", b"x")
    system.make_link(OLD, "../lib/new/defaults")
    return {"from": OLD, "to": NEW}


def nothing_to_move(_: System, __: Workshop) -> dict[str, Any]:
    return {"from": OLD, "to": NEW, "leave_link": True}


SPECIMENS = (
    moved_folder,
    folder_moved_with_a_link,
    file_moved_from_one_domain_to_the_other,
    only_the_link_is_missing,
    link_no_longer_wanted,
    nothing_to_move,
)
