from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop

GROUP = b"root:x:0:\nsaned:x:117:\nscanner:x:120:saned,lp\n# made by hand\nann:x:1000:\n+nis\n"
GSHADOW = b"root:*::\nscanner:!*:saned:saned,lp\nann:!::\n"


def new_group(_: System, __: Workshop) -> dict[str, Any]:
    return {"name": "scanner"}


def new_group_with_a_number(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/gshadow", b"root:*::\nscanner:left over:saned:\n", mode=0o640, gid=117)
    return {"name": "scanner", "gid": 120}


def existing_group(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/group", GROUP)
    return {"name": "scanner", "gid": 120}


def unwanted_group(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/group", GROUP)
    system.write("/etc/gshadow", GSHADOW, mode=0o640, gid=117)
    return {"name": "scanner", "ensure": "absent"}


def no_group(_: System, __: Workshop) -> dict[str, Any]:
    return {"name": "scanner", "ensure": "absent"}


SPECIMENS = (new_group, new_group_with_a_number, existing_group, unwanted_group, no_group)
