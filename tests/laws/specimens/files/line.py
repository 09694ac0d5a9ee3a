from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop

HOSTS = b"127.0.0.1\tlocalhost\n# mine\n127.0.1.1\told\n::1 localhost\n127.0.1.1\tolder\n"
ODD = b"\xff\xfe\r\nkey=1\r\n" + b"long=" + b"x" * 3000


def new_line(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/hosts", HOSTS.removesuffix(b"\n"))
    return {"path": "/etc/hosts", "line": "10.0.0.1 printer", "after": "localhost"}


def replaced_line(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/hosts", HOSTS, mode=0o600, uid=1000)
    return {"path": "/etc/hosts", "line": "127.0.1.1\tnew", "pattern": r"^127\.0\.1\.1\s"}


def replaced_odd_line(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/var/odd", ODD)
    return {"path": "/var/odd", "line": "long=" + "y" * 3000, "pattern": "^long="}


def line_in_a_new_file(_: System, __: Workshop) -> dict[str, Any]:
    return {"path": "/etc/new/modules", "line": "zram", "create": True}


def unwanted_lines(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/hosts", HOSTS.removesuffix(b"\n"))
    return {"path": "/etc/hosts", "pattern": r"^127\.0\.1\.1\s", "line": "# mine", "ensure": "absent"}


def unwanted_line_of_missing_file(_: System, __: Workshop) -> dict[str, Any]:
    return {"path": "/etc/hosts", "line": "127.0.1.1", "ensure": "absent"}


SPECIMENS = (
    new_line,
    replaced_line,
    replaced_odd_line,
    line_in_a_new_file,
    unwanted_lines,
    unwanted_line_of_missing_file,
)
