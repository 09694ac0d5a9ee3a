from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop

CONFIG = b"; of the site\ntop = 1\n\n[main]\n\tplugins = keyfile\n# mine\nplugins=ifupdown\n[empty]\n[last]\nkey=value"


def new_key(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/app.conf", CONFIG)
    return {"path": "/etc/app.conf", "group": "last", "key": "other", "value": "1"}


def changed_key(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/app.conf", CONFIG, mode=0o600, uid=1000)
    return {"path": "/etc/app.conf", "group": "main", "key": "plugins", "value": "keyfile,ifupdown"}


def long_value_before_any_group(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/var/app.conf", b"key = " + b"\xff" * 3000 + b"\n")
    return {"path": "/var/app.conf", "key": "key", "value": "y" * 3000}


def key_in_a_new_group(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/app.conf", CONFIG)
    return {"path": "/etc/app.conf", "group": "new", "key": "key", "value": ""}


def key_in_a_new_file(_: System, __: Workshop) -> dict[str, Any]:
    return {"path": "/etc/app.conf.d/ours.conf", "group": "main", "key": "key", "value": "v", "create": True}


def unwanted_key(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/app.conf", CONFIG)
    return {"path": "/etc/app.conf", "group": "main", "key": "plugins", "ensure": "absent"}


def unwanted_key_of_missing_group(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/app.conf", CONFIG)
    return {"path": "/etc/app.conf", "group": "none", "key": "plugins", "ensure": "absent"}


SPECIMENS = (
    new_key,
    changed_key,
    long_value_before_any_group,
    key_in_a_new_group,
    key_in_a_new_file,
    unwanted_key,
    unwanted_key_of_missing_group,
)
