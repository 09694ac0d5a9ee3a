from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop


def single_path(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/srv/tool", b"", mode=0o4755, uid=1000)
    return {"path": "/srv/tool", "owner": "saned", "group": "saned", "mode": "u=rwxs,g=rx,o="}


def _tree(system: System) -> None:
    system.make_folder("/var/lib/saned", mode=0o777, uid=113, gid=113)
    system.make_folder("/var/lib/saned/folder", mode=0o700, uid=113, gid=1000)
    system.write("/var/lib/saned/a", b"", mode=0o755, uid=113, gid=113)
    system.write("/var/lib/saned/folder/b\n", b"", mode=0o2644, uid=113, gid=113)
    system.write("/var/lib/saned/right", b"", mode=0o640, uid=117, gid=117)


def whole_tree(system: System, _: Workshop) -> dict[str, Any]:
    _tree(system)
    return {"path": "/var/lib/saned", "recursive": True, "owner": "saned", "group": "saned", "mode": "u=rwX,g=rX,o="}


def matched_tree(system: System, _: Workshop) -> dict[str, Any]:
    _tree(system)
    match = {"owner": "113", "group": "113"}
    return {"path": "/var/lib/saned", "recursive": True, "match": match, "owner": "saned", "file_mode": "0600"}


def missing_tree(_: System, __: Workshop) -> dict[str, Any]:
    return {"path": "/var/lib/nothing", "recursive": True, "mode": "0700"}


SPECIMENS = (single_path, whole_tree, matched_tree, missing_tree)
