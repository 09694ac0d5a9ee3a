from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop

PASSWD = (
    b"root:x:0:0::/root:/bin/sh\nscan:x:113:7:Scans:/var/lib/saned:/bin/sh\nann:x:1000:1000:Ann:/home/ann:/bin/sh\n"
)
GROUP = b"root:x:0:\nlp:x:7:scan\nsaned:x:121:\naudio:x:29:scan,ann\nann:x:1000:\n"
SHADOW = b"root:*:19000:0:99999:7:::\nscan:!*:19000::::::\nann:$y$hash:19000:0:99999:7:::\n"
GSHADOW = b"root:*::\nlp:*::scan\nsaned:!*::\naudio:*:scan:scan,ann\nann:!::\n"
NSSWITCH = b"passwd: files altfiles\ngroup: files altfiles\n"


def _with_accounts(system: System) -> None:
    for path, data in (("/etc/passwd", PASSWD), ("/etc/group", GROUP)):
        system.write(path, data)
    for path, data in (("/etc/shadow", SHADOW), ("/etc/gshadow", GSHADOW)):
        system.write(path, data, mode=0o640, gid=42)


def new_user(_: System, __: Workshop) -> dict[str, Any]:
    return {"name": "scan"}


def new_user_with_parameters(system: System, _: Workshop) -> dict[str, Any]:
    _with_accounts(system)
    params = {"name": "scanner", "uid": 500, "group": "lp", "groups": ["saned", "audio"]}
    return {**params, "description": "Scans", "home": "/var/lib/scan", "shell": "/bin/sh"}


def new_user_after_killed_run(system: System, _: Workshop) -> dict[str, Any]:
    _with_accounts(system)
    system.write("/etc/shadow", SHADOW + b"scanner:left over:::::::\n")
    system.write("/etc/group", GROUP + b"scanner:x:998:\n")
    return {"name": "scanner", "groups": ["audio"]}


def changed_user(system: System, _: Workshop) -> dict[str, Any]:
    _with_accounts(system)
    params = {"name": "scan", "uid": 113, "group": "121", "groups": ["audio", "saned"]}
    return {**params, "description": "", "home": "/", "shell": "/usr/sbin/nologin"}


def user_of_the_image(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/nsswitch.conf", NSSWITCH)
    system.write("/usr/lib/passwd", PASSWD)
    system.write("/usr/lib/group", GROUP)
    return {"name": "scan", "groups": ["saned", "audio"], "shell": "/usr/sbin/nologin"}


def unwanted_user(system: System, _: Workshop) -> dict[str, Any]:
    _with_accounts(system)
    return {"name": "scan", "ensure": "absent"}


SPECIMENS = (
    new_user,
    new_user_with_parameters,
    new_user_after_killed_run,
    changed_user,
    user_of_the_image,
    unwanted_user,
)
