from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop, make
from tests.real.flatpakrepo import COLLECTION


def collection_of_a_flatpak_remote(system: System, workshop: Workshop) -> dict[str, Any]:
    key = workshop.asset("key.gpg", workshop.key().public)
    make(system, "flatpak-remote", name="apps", url="http://127.0.0.1:9/", gpg_key=key)
    return {"flatpak": "apps", "collection_id": COLLECTION}


def collection_of_the_os(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/ostree/repo/config", b'[core]\nrepo_version=1\n\n[remote "os"]\nurl=http://127.0.0.1:9/\n')
    return {"ostree": "os", "collection_id": "com.example.Os"}


SPECIMENS = (collection_of_a_flatpak_remote, collection_of_the_os)
