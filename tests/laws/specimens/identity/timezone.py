from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop


def _with_zones(system: System) -> None:
    for zone in ("Etc/UTC", "Europe/Vienna"):
        system.write(f"/usr/share/zoneinfo/{zone}", b"TZif2")


def new_zone(system: System, _: Workshop) -> dict[str, Any]:
    _with_zones(system)
    return {"zone": "Europe/Vienna"}


def changed_zone_of_debian(system: System, _: Workshop) -> dict[str, Any]:
    _with_zones(system)
    system.write("/etc/timezone", b"Etc/UTC \xff" + b"x" * 5000 + b"\n")
    system.make_link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
    return {"zone": "Europe/Vienna"}


def zone_instead_of_a_file(system: System, _: Workshop) -> dict[str, Any]:
    _with_zones(system)
    system.write("/etc/localtime", b"TZif2 of somewhere")
    return {"zone": "Europe/Vienna"}


def zone_instead_of_another_link(system: System, _: Workshop) -> dict[str, Any]:
    _with_zones(system)
    system.make_link("/etc/localtime", "../run/localtime")
    return {"zone": "Europe/Vienna"}


SPECIMENS = (new_zone, changed_zone_of_debian, zone_instead_of_a_file, zone_instead_of_another_link)
