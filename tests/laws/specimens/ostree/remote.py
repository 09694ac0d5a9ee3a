from typing import Any

from converge.system import System
from tests.laws.workshop import Workshop, make

CORE = b"[core]\nrepo_version=1\nmode=bare\n"
OS = b'[remote "os"]\nurl=http://127.0.0.1:9/\n'


def new_remote(system: System, workshop: Workshop) -> dict[str, Any]:
    system.write("/ostree/repo/config", CORE)
    key = workshop.asset("key.gpg", workshop.key().public)
    return {
        "name": "os",
        "url": "http://127.0.0.1:9/",
        "gpg_key": key,
        "collection_id": "com.example.Os",
        "branches": ["os/example"],
        "proxy": "http://127.0.0.1:10/",
    }


def new_remote_of_the_deployment(system: System, workshop: Workshop) -> dict[str, Any]:
    return {**new_remote(system, workshop), "stored_in": "remotes.d"}


def changed_remote(system: System, workshop: Workshop) -> dict[str, Any]:
    make(system, "ostree-remote", **new_remote(system, workshop))
    return {
        "name": "os",
        "url": "mirrorlist=http://127.0.0.1:11/",
        "collection_id": "com.example.Other",
        "gpg_verify_summary": True,
        "branches": [],
        "content_url": "http://127.0.0.1:12/",
    }


def changed_remote_of_the_deployment(system: System, workshop: Workshop) -> dict[str, Any]:
    system.write("/ostree/repo/config", CORE)
    system.write("/etc/ostree/remotes.d/50-all.conf", b'[remote "more"]\nurl=http://127.0.0.1:9/\n' + OS)
    key = workshop.asset("key.gpg", workshop.key().public)
    client = {"tls_client_cert_path": "/etc/c.pem", "tls_client_key_path": "/etc/c.key"}
    return {"name": "os", "gpg_key": key, "url": "http://127.0.0.1:13/", "proxy": "http://127.0.0.1:10/", **client}


def unwanted_remote(system: System, workshop: Workshop) -> dict[str, Any]:
    make(system, "ostree-remote", **new_remote(system, workshop))
    return {"name": "os", "ensure": "absent"}


def unwanted_remote_of_the_deployment(system: System, workshop: Workshop) -> dict[str, Any]:
    make(system, "ostree-remote", **new_remote_of_the_deployment(system, workshop))
    return {"name": "os", "ensure": "absent"}


def other_host(system: System, _: Workshop) -> dict[str, Any]:
    addresses = b"url=https://old.example.org/os\ncontenturl=mirrorlist=https://old.example.org:8443/list\n"
    system.write("/ostree/repo/config", CORE + b'\n[remote "os"]\n' + addresses)
    return {"name": "os", "host": "old.example.org", "with_host": "new.example.org"}


def remotes_in_both_places(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/ostree/repo/config", CORE + b'\n[remote "own"]\nurl=http://127.0.0.1:9/\n\n' + OS)
    system.write("/etc/ostree/remotes.d/os.conf", OS.replace(b":9", b":10") + b"gpg-verify=false\n")
    system.write("/etc/ostree/remotes.d/two.conf", OS + b'# More.\n[remote "more"]\nurl=http://127.0.0.1:11/')
    return {"gather": True}


def remotes_in_remotes_d(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/ostree/repo/config", CORE + b"add-remotes-config-dir=true\n")
    system.write("/etc/ostree/remotes.d/os.conf", OS)
    return {"gather": True}


def remotes_in_the_repository(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/ostree/repo/config", CORE + OS)
    return {"gather": True}


SPECIMENS = (
    new_remote,
    new_remote_of_the_deployment,
    changed_remote,
    changed_remote_of_the_deployment,
    unwanted_remote,
    unwanted_remote_of_the_deployment,
    other_host,
    remotes_in_both_places,
    remotes_in_remotes_d,
    remotes_in_the_repository,
)
