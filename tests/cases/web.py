"""The flatpak repositories of a case, and a machine that used them before converge came."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attrs import define, field

from converge.system import System, flatpak
from tests.real import flatpakrepo
from tests.real.flatpakrepo import ARCH, Key

Repositories = Mapping[str, Mapping[str, Any]]


@define
class Shelf:
    """Repositories built once for all machines of a case."""

    folder: Path
    key: Key
    built: dict[str, Path] = field(factory=dict)

    def get(self, repositories: Repositories) -> Path:
        """A folder with these repositories; each has `apps`, `branch` and `collection_id`."""
        wanted = json.dumps(repositories, sort_keys=True)
        if wanted not in self.built:
            self.built[wanted] = folder = self.folder / str(len(self.built))
            for name, what in repositories.items():
                flatpakrepo.build(folder / name, **what, **flatpakrepo.sign_with(self.key))
        return self.built[wanted]


@define
class Web:
    """A folder of repositories by http on loopback, which can go and come back as a network does."""

    folder: Path
    port: int = 0
    stack: ExitStack = field(factory=ExitStack)

    def on(self) -> None:
        server = self.stack.enter_context(flatpakrepo.serve(self.folder, self.port))
        self.port = int(server.url.rsplit(":", 1)[1].strip("/"))

    def off(self) -> None:
        self.stack.close()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}/"


def configure(system: System, web: Web, key: Key, remotes: Mapping[str, str]) -> None:
    """Add remotes with flatpak itself; each is the name of a repository."""
    system.write("/var/tmp/key.gpg", key.public)
    for name, repository in remotes.items():
        words = ["remote-add", "--system", "--gpg-import=/var/tmp/key.gpg", name, web.url(repository)]
        system.run(["flatpak", *words]).require()
    system.remove("/var/tmp/key.gpg")


def installed_apps(system: System) -> dict[str, str]:
    """What apps are there, as `id//branch`, and where they came from."""
    apps = [ref for ref in flatpak.installed(system) if ref.kind == "app"]
    assert all(ref.arch == ARCH for ref in apps)
    return {f"{ref.id}//{ref.branch}": ref.origin for ref in apps}


def keys_of_remotes(system: System) -> dict[str, dict[str, str]]:
    """Per remote the lines of its group, as they are written down."""
    config = flatpak.config(system)
    return {
        name: dict(_assignments(config.dump().decode(), flatpak.group_of(name))) for name in flatpak.remotes(system)
    }


def _assignments(text: str, group: str) -> list[tuple[str, str]]:
    body = text.partition(f"[{group}]\n")[2].partition("\n[")[0]
    pairs = [line.partition("=") for line in body.splitlines() if line]
    return [(name, value) for name, _, value in pairs]
