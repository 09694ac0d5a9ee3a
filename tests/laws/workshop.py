"""The tools for specimens: for every resource type, machines to converge.

A specimen is a function that puts a root into a state and returns the parameters of the resource to apply there. A type
joins the laws with a module in `specimens/`, at the same path as its provider in `providers/`, which lists its
specimens in SPECIMENS; `test_laws.py` fails for a type without one. A specimen that needs more than a folder as its
root is a `Specimen` there.
"""

from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from attrs import frozen

from converge.language import schema
from converge.model import Asset
from converge.providers.protocol import fields_of
from converge.providers.registry import load, module_of
from converge.system import System
from tests.real.flatpakrepo import Key

ELSEWHERE = {"ansible": "each look at what it would change takes seconds: tests/real/test_ansible.py"}
"""The types whose laws are in tests of their own, and why."""

HELLO, OTHER = "org.example.Hello", "org.example.Other"


@frozen
class Workshop:
    """The tools of a specimen. `url` serves a repository with the apps HELLO and OTHER, signed with `key`."""

    folder: Path
    key: Callable[[], Key]
    url: Callable[[], str]

    def asset(self, name: str, data: bytes) -> Asset:
        path = self.folder / name
        path.write_bytes(data)
        return Asset(str(path))


Prepare = Callable[[System, Workshop], dict[str, Any]]


Stand = Callable[[Path, ExitStack], None]
"""Mount something at the path of a root, such as a disk, until the stack is closed."""


@frozen
class Specimen:
    """`prepare` puts a root into the state before the run and returns the parameters of the resource."""

    type: str
    prepare: Prepare
    stand: Stand | None = None
    one_way: bool = False
    """It cannot be undone: a partition that has grown does not shrink."""

    def __str__(self) -> str:
        return f"{self.type}:{self.prepare.__name__}"


def make(system: System, type_: str, **params: Any) -> None:
    """Let the provider itself create the state that a specimen starts from."""
    provider = load(type_)
    spec = provider.parse(params)
    provider.apply(system, spec, provider.changes(system, spec, provider.inspect(system, spec)))
    left = provider.changes(system, spec, provider.inspect(system, spec))
    assert not left, (left, fields_of(provider.inspect(system, spec)))


def specimens() -> tuple[Specimen, ...]:
    """The specimens of every module in `specimens/`."""
    modules = {
        type_: import_module(module_of(type_).replace("converge.providers", "tests.laws.specimens"))
        for type_ in schema.types()
        if type_ not in ELSEWHERE
    }
    return tuple(
        each if isinstance(each, Specimen) else Specimen(type_, each)
        for type_, module in modules.items()
        for each in module.SPECIMENS
    )
