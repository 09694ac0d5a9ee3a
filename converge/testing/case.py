"""Specimens, and machines on which they are tried."""

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from attrs import frozen

from converge.model import Change, Value
from converge.providers.protocol import Provider, fields_of
from converge.providers.registry import load
from converge.system import System
from converge.system.secrets import KEY

PASSWD = b"root:x:0:0::/root:/bin/sh\nsaned:x:117:117::/var/lib/saned:\n"
GROUP = b"root:x:0:\nsaned:x:117:\n"
SECRET_KEY = bytes(range(32))
"""The same on all machines, so that the changes of one can be applied to another."""


@frozen
class Specimen:
    """`prepare` puts a root into the state before and returns the parameters of the resource."""

    type: str
    prepare: Callable[[System], dict[str, Any]]
    one_way: bool = False
    """The change has no way back: a partition that has grown does not shrink."""

    def __str__(self) -> str:
        return f"{self.type}:{getattr(self.prepare, '__name__', self.prepare)}"


@frozen
class Case:
    """A specimen on a machine of its own."""

    provider: Provider
    system: System
    spec: Any
    has_way_back: bool

    @property
    def root(self) -> str:
        return self.system.root

    def state(self) -> dict[str, Value]:
        return fields_of(self.provider.inspect(self.system.read_only(), self.spec))

    def changes(self) -> tuple[Change, ...]:
        system = self.system.read_only()
        return self.provider.changes(system, self.spec, self.provider.inspect(system, self.spec))

    def apply(self, changes: tuple[Change, ...], system: System | None = None) -> None:
        self.provider.apply(system or self.system, self.spec, changes)


Machines = Callable[[], Case]
"""Prepares a specimen on a new machine each time."""


def machines(specimen: Specimen, folder: Path) -> Machines:
    """Machines for a specimen, each a new root below `folder`."""
    numbers = count()

    def prepare() -> Case:
        root = folder / f"root-{next(numbers)}"
        root.mkdir()
        return case(specimen, root)

    return prepare


def case(specimen: Specimen, root: Path) -> Case:
    """The specimen prepared in a folder that may contain a system already."""
    for name in ("etc", "var", "run"):
        os.makedirs(root / name)
    system = System(str(root))
    system.write("/etc/passwd", PASSWD)
    system.write("/etc/group", GROUP)
    system.write(KEY, SECRET_KEY, mode=0o600)
    provider = load(specimen.type)
    spec = provider.parse(specimen.prepare(system))
    return Case(provider, system, spec, not provider.traits.opaque and not specimen.one_way)
