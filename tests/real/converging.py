"""One provider at work on one machine, as in the engine, but without policy and ledgers."""

from types import ModuleType
from typing import Any

from converge.model import Change
from converge.providers.guard import provider_from
from converge.providers.protocol import Provider, fields_of
from converge.system import System


def acting(provider: ModuleType) -> Provider:
    """The provider in a module."""
    return provider_from(provider.__name__, provider)


def changes_of(provider: ModuleType, system: System, **params: Any) -> tuple[Change, ...]:
    """The changes that the provider would make."""
    made = acting(provider)
    spec = made.parse(params)
    return made.changes(system.read_only(), spec, made.inspect(system.read_only(), spec))


def converge(provider: ModuleType, system: System, **params: Any) -> tuple[Change, ...]:
    """Apply the changes, and check that nothing is left to do."""
    made = acting(provider)
    spec = made.parse(params)
    changes = made.changes(system.read_only(), spec, made.inspect(system.read_only(), spec))
    made.apply(system, spec, changes)
    assert changes_of(provider, system, **params) == ()
    return changes


def take_back(provider: ModuleType, system: System, before: dict[str, Any], /, **params: Any) -> None:
    """Apply the changes from the present state back to the one before."""
    made = acting(provider)
    spec = made.parse(params)
    live = fields_of(made.inspect(system.read_only(), spec))
    changes = tuple(Change(name, live[name], before[name]) for name in live if live[name] != before[name])
    made.apply(system, spec, changes)
    assert state_of(provider, system, **params) == before


def state_of(provider: ModuleType, system: System, **params: Any) -> dict[str, Any]:
    made = acting(provider)
    return fields_of(made.inspect(system.read_only(), made.parse(params)))
