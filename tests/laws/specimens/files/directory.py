from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop


def new_folder(_: System, __: Workshop) -> dict[str, Any]:
    return {"path": "/var/log/journal", "mode": "2755", "group": "saned"}


def changed_folder(system: System, _: Workshop) -> dict[str, Any]:
    system.make_folder("/var/spool", mode=0o777, uid=1000, gid=1000)
    system.write("/var/spool/letter", b"")
    return {"path": "/var/spool", "mode": "u=rwx,g=rxs,o=", "owner": "saned", "group": "saned"}


def folder_behind_a_link(system: System, _: Workshop) -> dict[str, Any]:
    system.make_folder("/var/home", mode=0o777)
    system.make_link("/home", "var/home")
    return {"path": "/home", "mode": "0755"}


def full_cache(system: System, _: Workshop) -> dict[str, Any]:
    """Filled again with the same names after it was emptied."""
    for name, data in (("job", b"second"), ("deep/inside", b"second")):
        system.write(f"/var/cache/cups/{name}", data, uid=1000)
    system.make_link("/var/cache/cups/link", "/etc/passwd")
    return {"path": "/var/cache/cups", "empty": True, "mode": "0770", "group": "saned"}


def full_folder_of_a_deployment(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/leftover.d/one\n", b"1")
    system.write("/etc/leftover.d/two", b"2")
    return {"path": "/etc/leftover.d", "empty": True}


def unwanted_folder(system: System, _: Workshop) -> dict[str, Any]:
    system.make_folder("/var/lib/leftover", mode=0o2770, uid=1000, gid=117)
    system.write("/var/lib/leftover/deep/inside", b"x")
    return {"path": "/var/lib/leftover", "ensure": "absent", "recursive": True}


def unwanted_empty_folder(system: System, _: Workshop) -> dict[str, Any]:
    system.make_folder("/etc/leftover", mode=0o750, uid=1000, gid=117)
    return {"path": "/etc/leftover", "ensure": "absent", "backup": False}


SPECIMENS = (
    new_folder,
    changed_folder,
    folder_behind_a_link,
    full_cache,
    full_folder_of_a_deployment,
    unwanted_folder,
    unwanted_empty_folder,
)
