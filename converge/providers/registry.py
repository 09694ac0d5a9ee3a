"""The registry: finds the provider of a resource type and loads it on use.

A built-in type needs no entry here. Its schema is `schemas/resources/TOPIC/TYPE.json`, and its provider is the module
`converge.providers.TOPIC.NAME`, with NAME the type in snake case without the topic in front: `flatpak/remote` for
`flatpak-remote`. A third party registers a module or an object in the entry-point group `converge.providers`.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module

from converge.diagnostics import did_you_mean
from converge.errors import ConvergeError, ProviderError
from converge.language import schema
from converge.providers.guard import provider_from
from converge.providers.protocol import Provider

ENTRY_POINTS = "converge.providers"


@cache
def load(type_: str) -> Provider:
    """The provider of a resource type. ConvergeError if there is none; ProviderError if it cannot be used.

    Entry points are only looked up for a type that is not built in: scanning them costs as much as ten interpreter
    starts.
    """
    if type_ in schema.files():
        return provider_from(type_, import_module(module_of(type_)))
    from importlib.metadata import entry_points

    points = entry_points(group=ENTRY_POINTS)
    for point in points.select(name=type_):
        return _loaded(type_, point.value, point.load)
    hint = did_you_mean(type_, [*schema.types(), *sorted(points.names)])
    raise ConvergeError(f"there is no resource type '{type_}'", hint=hint)


def module_of(type_: str) -> str:
    """The module of a built-in type."""
    topic = schema.topic(type_)
    name = type_.replace("-", "_").removeprefix(f"{topic}_")
    return f"converge.providers.{topic}.{name}"


def _loaded(type_: str, where: str, load_source: Callable[[], object]) -> Provider:
    """The provider of a third party. Whatever goes wrong in its package when it is loaded is a ProviderError."""
    try:
        return provider_from(type_, load_source())
    except ConvergeError:
        raise
    except (Exception, SystemExit) as error:
        message = f"cannot load the provider of '{type_}' from {where}: {type(error).__name__}: {error}"
        raise ProviderError(message, hint="report it to the package that brings this type") from error
