"""For every resource type, machines to converge: each specimen puts a root into a state and says what is wanted there.

A type joins the laws by specimens of its own, added to SPECIMENS; `test_laws.py` refuses a type without.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen

from converge.model import Asset
from converge.providers import load
from converge.providers.base import fields_of
from converge.system import System
from tests.real.flatpakrepo import COLLECTION, Key

HELLO, OTHER = "org.example.Hello", "org.example.Other"
LINES = b"one\ntwo\nthree\nfour\nfive\n"


@frozen
class Workshop:
    """What a specimen may be made with. `url` serves a repository with the apps HELLO and OTHER, signed with `key`."""

    folder: Path
    key: Callable[[], Key]
    url: Callable[[], str]

    def asset(self, name: str, data: bytes) -> Asset:
        path = self.folder / name
        path.write_bytes(data)
        return Asset(str(path))


Prepare = Callable[[System, Workshop], dict[str, Any]]


@frozen
class Specimen:
    """`prepare` puts a root into the state before and returns the parameters of the resource."""

    type: str
    prepare: Prepare

    def __str__(self) -> str:
        return f"{self.type}:{self.prepare.__name__}"


def make(system: System, type_: str, **params: Any) -> None:
    """Have the provider itself bring something about that a specimen starts from."""
    provider = load(type_)
    spec = provider.parse(params)
    provider.apply(system, spec, provider.diff(spec, provider.inspect(system, spec)))
    left = provider.diff(spec, provider.inspect(system, spec))
    assert not left, (left, fields_of(provider.inspect(system, spec)))


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


def collection_of_a_flatpak_remote(system: System, workshop: Workshop) -> dict[str, Any]:
    key = workshop.asset("key.gpg", workshop.key().public)
    make(system, "flatpak-remote", name="apps", url="http://127.0.0.1:9/", gpg_key=key)
    return {"flatpak": "apps", "collection_id": COLLECTION}


def collection_of_the_os(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/ostree/repo/config", b'[core]\nrepo_version=1\n\n[remote "os"]\nurl=http://127.0.0.1:9/\n')
    return {"ostree": "os", "collection_id": "com.example.Os"}


def _with_apps(system: System, workshop: Workshop) -> None:
    key = workshop.asset("key.gpg", workshop.key().public)
    make(system, "flatpak-remote", name="apps", url=workshop.url(), gpg_key=key)


def new_app(system: System, workshop: Workshop) -> dict[str, Any]:
    _with_apps(system, workshop)
    return {"app": HELLO, "remote": "apps", "metered": "use"}


def unwanted_app(system: System, workshop: Workshop) -> dict[str, Any]:
    make(system, "flatpak-app", **new_app(system, workshop))
    return {"app": HELLO, "ensure": "absent"}


def app_instead_of_another(system: System, workshop: Workshop) -> dict[str, Any]:
    make(system, "flatpak-app", **new_app(system, workshop))
    replaced = {"app": HELLO, "branch": "stable", "remote": "apps"}
    return {"app": OTHER, "remote": "apps", "replaces": replaced, "metered": "use"}


BY_TYPE: dict[str, tuple[Prepare, ...]] = {
    "collection-id": (collection_of_a_flatpak_remote, collection_of_the_os),
    "file": (new_file, changed_file, file_from_the_machine, unwanted_file, merged_file),
    "flatpak-app": (new_app, unwanted_app, app_instead_of_another),
    "flatpak-remote": (new_remote, changed_remote, unwanted_remote),
    "permissions": (single_path, whole_tree, matched_tree, missing_tree),
}
SPECIMENS = tuple(Specimen(type_, prepare) for type_, prepares in BY_TYPE.items() for prepare in prepares)
