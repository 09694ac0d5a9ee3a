from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop, make
from tests.real.flatpakrepo import COLLECTION


def new_remote(_: System, workshop: Workshop) -> dict[str, Any]:
    key = workshop.asset("key.gpg", workshop.key().public)
    return {"name": "apps", "url": "http://127.0.0.1:9/", "gpg_key": key, "collection_id": COLLECTION, "title": "Apps"}


def changed_remote(system: System, workshop: Workshop) -> dict[str, Any]:
    make(system, "flatpak-remote", **new_remote(system, workshop))
    return {
        "name": "apps",
        "url": "http://127.0.0.1:10/",
        "title": "Other apps",
        "collection_id": "org.example.Others",
        "priority": 3,
        "enumerate": False,
    }


def unwanted_remote(system: System, workshop: Workshop) -> dict[str, Any]:
    make(system, "flatpak-remote", **new_remote(system, workshop))
    return {"name": "apps", "ensure": "absent"}


SPECIMENS = (new_remote, changed_remote, unwanted_remote)
