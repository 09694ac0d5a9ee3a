from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop, make

LINES = b"one\ntwo\nthree\nfour\nfive\n"


def new_file(_: System, workshop: Workshop) -> dict[str, Any]:
    template = workshop.asset("issue.j2", b"Welcome to {{ school }}.\n")
    return {
        "path": "/etc/new/issue",
        "template": template,
        "variables": {"school": "Meadow"},
        "mode": "0640",
        "owner": "saned",
    }


def changed_file(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/issue", b"Mine.\n", mode=0o4711, uid=1000, gid=1000)
    return {"path": "/etc/issue", "content": "Ours.\n", "mode": "u=rw,g=r,o=", "owner": "root", "group": "saned"}


def file_from_the_machine(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/usr/share/issue", b"Default.\n")
    system.write("/var/lib/issue", b"Mine.\n")
    return {"path": "/var/lib/issue", "source": "/usr/share/issue"}


def unwanted_file(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/issue", b"Mine.\n", mode=0o600, uid=1000, gid=117)
    return {"path": "/etc/issue", "ensure": "absent"}


def merged_file(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "file", path="/etc/app.conf", content=LINES.decode(), merge="three-way")
    system.write("/etc/app.conf", LINES.replace(b"one", b"ONE"))
    ours = LINES.replace(b"five", b"FIVE").decode()
    return {"path": "/etc/app.conf", "content": ours, "merge": "three-way", "mode": "0600"}


SPECIMENS = (new_file, changed_file, file_from_the_machine, unwanted_file, merged_file)
