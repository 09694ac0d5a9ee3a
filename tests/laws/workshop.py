"""What specimens are made with: for every resource type, machines to converge.

A specimen is a function that puts a root into a state and returns the parameters of the resource that is wanted there.
A type joins the laws by a module of its own in `specimens/`, at the place that its provider has in `providers/`, which
names its specimens in SPECIMENS; `test_laws.py` refuses a type without. One that needs more than a folder for a root is
a whole `Specimen` there.
"""

from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from attrs import frozen

from converge.model import Asset
from converge.providers.protocol import fields_of
from converge.providers.registry import BUILTIN, load
from converge.system import System
from tests.real.flatpakrepo import Key

ELSEWHERE = {"ansible": "takes seconds for each time that it is asked what it would do: tests/real/test_ansible.py"}
"""The types that are held to the laws in tests of their own, and why."""

HELLO, OTHER = "org.example.Hello", "org.example.Other"


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


Stand = Callable[[Path, ExitStack], None]
"""Puts something else than a plain folder at the path of a root, such as a disk, until the stack is closed."""


@frozen
class Specimen:
    """`prepare` puts a root into the state before and returns the parameters of the resource."""

    type: str
    prepare: Prepare
    stand: Stand | None = None
    one_way: bool = False
    """There is no way back: a partition that has grown does not shrink."""

    def __str__(self) -> str:
        return f"{self.type}:{self.prepare.__name__}"


def make(system: System, type_: str, **params: Any) -> None:
    """Have the provider itself bring something about that a specimen starts from."""
    provider = load(type_)
    spec = provider.parse(params)
    provider.apply(system, spec, provider.diff(spec, provider.inspect(system, spec)))
    left = provider.diff(spec, provider.inspect(system, spec))
    assert not left, (left, fields_of(provider.inspect(system, spec)))


def specimens() -> tuple[Specimen, ...]:
    """Those of every module in `specimens/`."""
    modules = {
        type_: import_module(path.replace("converge.providers", "tests.laws.specimens"))
        for type_, path in BUILTIN.items()
        if type_ not in ELSEWHERE
    }
    return tuple(
        each if isinstance(each, Specimen) else Specimen(type_, each)
        for type_, module in modules.items()
        for each in module.SPECIMENS
    )
