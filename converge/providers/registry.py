"""The registry: each resource type and the module that provides it, imported on use."""

from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from inspect import isfunction
from types import ModuleType
from typing import ParamSpec, TypeVar

from converge.diagnostics import did_you_mean
from converge.errors import ConvergeError, ProviderError, bug
from converge.providers.protocol import AnyProvider, as_module

BUILTIN = {
    "ansible": "converge.providers.run.ansible",
    "bootloader-setting": "converge.providers.boot.bootloader_setting",
    "collection-id": "converge.providers.ostree.collection_id",
    "command": "converge.providers.run.command",
    "directory": "converge.providers.files.directory",
    "file": "converge.providers.files.file",
    "flatpak-app": "converge.providers.flatpak.app",
    "flatpak-remote": "converge.providers.flatpak.remote",
    "group": "converge.providers.accounts.group",
    "hostname": "converge.providers.identity.hostname",
    "kernel-args": "converge.providers.boot.kernel_args",
    "keyfile": "converge.providers.files.keyfile",
    "line": "converge.providers.files.line",
    "locale": "converge.providers.identity.locale",
    "move": "converge.providers.files.move",
    "network-connection": "converge.providers.network.connection",
    "ostree-remote": "converge.providers.ostree.remote",
    "permissions": "converge.providers.files.permissions",
    "swap": "converge.providers.swap.swap",
    "swap-partition": "converge.providers.swap.partition",
    "symlink": "converge.providers.files.symlink",
    "sysctl": "converge.providers.identity.sysctl",
    "systemd-unit": "converge.providers.services.systemd_unit",
    "timezone": "converge.providers.identity.timezone",
    "user": "converge.providers.accounts.user",
    "zram": "converge.providers.swap.zram",
}
ENTRY_POINTS = "converge.providers"

_P = ParamSpec("_P")
_T = TypeVar("_T")


@cache
def load(type_: str) -> AnyProvider:
    """The provider of a resource type.

    Third parties add one through the entry-point group `converge.providers`, which is only looked up for a type that
    the registry lacks: scanning entry points costs as much as ten interpreter starts.
    """
    if type_ in BUILTIN:
        return as_module(_guarded(import_module(BUILTIN[type_])))
    from importlib.metadata import entry_points

    points = entry_points(group=ENTRY_POINTS)
    for point in points.select(name=type_):
        return as_module(_guarded(_telling(point.load)()))
    hint = did_you_mean(type_, [*BUILTIN, *sorted(points.names)])
    raise ConvergeError(f"there is no resource type '{type_}'", hint=hint)


def _guarded(module: ModuleType) -> ModuleType:
    """The module, with functions that cannot end a run: a bug of a provider fails its resource."""
    guarded = ModuleType(module.__name__, module.__doc__)
    found = {name: _telling(value) if isfunction(value) else value for name, value in vars(module).items()}
    vars(guarded).update(found)
    return guarded


def _telling(function: Callable[_P, _T]) -> Callable[_P, _T]:
    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return function(*args, **kwargs)
        except ConvergeError:
            raise
        except Exception as error:
            raise ProviderError(bug(error), hint="this is a bug of the provider: report it") from error

    return call
