from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop


def new_name(_: System, __: Workshop) -> dict[str, Any]:
    return {"name": "reading-room", "pretty": "Reading “room”, $5"}


def changed_name(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/hostname", b"# ours\n\n  debian \nignored")
    system.write("/etc/machine-info", b"CHASSIS=laptop\nPRETTY_HOSTNAME='Old'\nLOCATION=\n")
    return {"name": "a.example.org", "pretty": "New"}


def name_without_a_pretty_one(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/hostname", b"debian\n")
    system.write("/etc/machine-info", b"PRETTY_HOSTNAME=Old\n")
    return {"name": "reading-room", "pretty": ""}


def odd_names(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/hostname", b"x" * 5000)
    system.write("/etc/machine-info", b"PRETTY_HOSTNAME=caf\xe9\n")
    return {"name": "reading-room", "pretty": "Café"}


SPECIMENS = (odd_names, new_name, changed_name, name_without_a_pretty_one)
