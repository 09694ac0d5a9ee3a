"""The registry: every built-in module is a provider, and third parties are looked up only where one is lacking."""

from importlib import import_module
from types import ModuleType

import attrs
import pytest

from converge.errors import ConvergeError
from converge.providers import registry as providers
from converge.providers.accounts import group, user
from converge.providers.boot import bootloader_setting, kernel_args
from converge.providers.files import directory, file, keyfile, line, move, permissions, symlink
from converge.providers.flatpak import app as flatpak_app
from converge.providers.flatpak import remote as flatpak_remote
from converge.providers.identity import hostname, locale, sysctl, timezone
from converge.providers.network import connection as network_connection
from converge.providers.ostree import collection_id
from converge.providers.ostree import remote as ostree_remote
from converge.providers.protocol import AnyProvider, Provider, field_names
from converge.providers.run import ansible, command
from converge.providers.services import systemd_unit
from converge.providers.swap import partition as swap_partition
from converge.providers.swap import swap, zram

# mypy holds each module against the protocol here; an import by name, as the registry does it, tells it nothing.
TYPED: tuple[AnyProvider, ...] = (
    ansible,
    bootloader_setting,
    collection_id,
    command,
    directory,
    file,
    flatpak_app,
    flatpak_remote,
    group,
    hostname,
    kernel_args,
    keyfile,
    line,
    locale,
    move,
    network_connection,
    ostree_remote,
    permissions,
    swap,
    swap_partition,
    symlink,
    sysctl,
    systemd_unit,
    timezone,
    user,
    zram,
)
MODULES: dict[str, ModuleType] = {name: import_module(path) for name, path in providers.BUILTIN.items()}
REQUIRED = [name for name in vars(Provider) if not name.startswith("_")]


def test_each_built_in_type_is_held_against_the_protocol() -> None:
    assert sorted(provider.TYPE for provider in TYPED) == sorted(providers.BUILTIN)


@pytest.mark.parametrize("type_", MODULES)
def test_a_module_has_the_name_of_its_type(type_: str) -> None:
    assert type_ == MODULES[type_].TYPE


@pytest.mark.parametrize("type_", MODULES)
def test_a_module_says_what_it_owns(type_: str) -> None:
    assert MODULES[type_].__doc__


@pytest.mark.parametrize("type_", MODULES)
@pytest.mark.parametrize("name", REQUIRED)
def test_a_module_defines_what_the_protocol_asks(type_: str, name: str) -> None:
    assert callable(getattr(MODULES[type_], name))


@pytest.mark.parametrize("type_", MODULES)
@pytest.mark.parametrize("name", ["Spec", "State"])
def test_specs_and_states_are_frozen(type_: str, name: str) -> None:
    class_ = getattr(MODULES[type_], name)
    assert attrs.has(class_)
    assert class_.__setattr__ is not object.__setattr__


@pytest.mark.parametrize("type_", MODULES)
def test_groups_and_ours_name_fields_of_the_state(type_: str) -> None:
    module = MODULES[type_]
    named = {field for group in getattr(module, "GROUPS", ()) for field in group}
    named |= {*getattr(module, "OURS", ()), *getattr(module, "MADE_ANEW", ())}
    assert named <= set(field_names(module.State))


def test_an_unknown_type_is_told_with_the_nearest_known_one() -> None:
    with pytest.raises(ConvergeError) as caught:
        providers.load("flatpak-remot")
    assert caught.value.hint == "did you mean 'flatpak-remote'?"
