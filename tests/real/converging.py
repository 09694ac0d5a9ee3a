"""One provider at work on one machine, as the engine would have it, without policy and memory."""

from types import ModuleType
from typing import Any

from converge.model import Change
from converge.providers.protocol import as_module, fields_of
from converge.system import System


def changes_of(provider: ModuleType, system: System, **params: Any) -> tuple[Change, ...]:
    """What the provider would change."""
    acting = as_module(provider)
    spec = acting.parse(params)
    return acting.diff(spec, acting.inspect(system.read_only(), spec))


def converge(provider: ModuleType, system: System, **params: Any) -> tuple[Change, ...]:
    """Apply what is different, and see that nothing is left."""
    acting = as_module(provider)
    spec = acting.parse(params)
    changes = acting.diff(spec, acting.inspect(system.read_only(), spec))
    acting.apply(system, spec, changes)
    assert changes_of(provider, system, **params) == ()
    return changes


def take_back(provider: ModuleType, system: System, before: dict[str, Any], /, **params: Any) -> None:
    """Apply what leads from the present state to the one before."""
    acting = as_module(provider)
    spec = acting.parse(params)
    live = fields_of(acting.inspect(system.read_only(), spec))
    changes = tuple(Change(name, live[name], before[name]) for name in live if live[name] != before[name])
    acting.apply(system, spec, changes)
    assert state_of(provider, system, **params) == before


def state_of(provider: ModuleType, system: System, **params: Any) -> dict[str, Any]:
    acting = as_module(provider)
    return fields_of(acting.inspect(system.read_only(), acting.parse(params)))
