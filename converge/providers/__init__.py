"""The registry: each resource type and the module that provides it, imported on use."""

from functools import cache
from importlib import import_module

from converge.diagnostics import did_you_mean
from converge.errors import ConvergeError
from converge.providers.base import AnyProvider, as_module

BUILTIN = {
    "collection-id": "converge.providers.collection_id",
    "file": "converge.providers.file",
    "flatpak-app": "converge.providers.flatpak_app",
    "flatpak-remote": "converge.providers.flatpak_remote",
    "permissions": "converge.providers.permissions",
}
ENTRY_POINTS = "converge.providers"


@cache
def load(type_: str) -> AnyProvider:
    """The provider of a resource type.

    Third parties add one through the entry-point group `converge.providers`, which is only looked up for a type that
    the registry lacks: scanning entry points costs as much as ten interpreter starts.
    """
    if type_ in BUILTIN:
        return as_module(import_module(BUILTIN[type_]))
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINTS, name=type_):
        return as_module(point.load())
    raise ConvergeError(f"there is no resource type '{type_}'", hint=did_you_mean(type_, list(BUILTIN)))
