"""A setting of the boot loader: ostree's own in the configuration of its repository, or how long the menu is shown.

Owns one setting, in the file that counts on this machine: `sysroot.bootloader` and `sysroot.bootprefix` in
/ostree/repo/config (ostree.repo-config(5)), `timeout` in systemd-boot's loader.conf (loader.conf(5)) or as GRUB_TIMEOUT
in /etc/default/grub. grub.cfg is generated again after a change.
"""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from attrs import field, frozen
from attrs.converters import optional

from converge.errors import ConvergeError, Later, ProviderError
from converge.model import Change, Domain, Effect, Thing, Value
from converge.providers.boot import grub
from converge.providers.boot.bootloader_setting import grubdefaults, ostreeconfig, systemdboot
from converge.providers.protocol import (
    ABSENT,
    NO_PARAMETER,
    PRESENT,
    Declared,
    Params,
    Traits,
    domain_of_path,
    field_names,
    values,
)
from converge.system import ReadOnlySystem, System

traits = Traits(groups=(("ensure", "value"),), added="set", removed="unset")

TIMEOUT = "timeout"


class Place(Protocol):
    """A file with settings, and the configuration generated from it."""

    def path(self, system: ReadOnlySystem) -> str:
        """The file to change."""

    def read(self, system: ReadOnlySystem, setting: str) -> str | None:
        """The effective value; None if it is not set."""

    def require_changeable(self, system: ReadOnlySystem) -> None:
        """ProviderError if a change would have no effect, Later if it cannot be made yet."""

    def write(self, system: System, setting: str, value: str | None) -> None:
        """Set the value; None unsets it."""


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@frozen
class Spec:
    setting: str
    value: str | None = field(default=None, converter=optional(_text))
    ensure: Literal["present", "absent"] = "present"
    only_if_unset: bool = False


@frozen
class State:
    """`hindrance` is why it cannot be changed, or not yet."""

    ensure: str
    value: str | None = None
    hindrance: ConvergeError | None = field(default=None, eq=False, metadata=NO_PARAMETER)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if (spec.value is None) != (spec.ensure == ABSENT):
        message = f"`{spec.setting}` requires either `value` or `ensure: absent`"
        raise ProviderError(message, hint="set `value`, or set `ensure: absent` and remove `value`")
    if spec.value is not None:
        _require_known(spec.setting, spec.value)
    return spec


def _require_known(setting: str, value: str) -> None:
    """ProviderError for a value that the boot loader or ostree does not know."""
    words = {"sysroot.bootloader": ostreeconfig.BOOTLOADERS, "sysroot.bootprefix": ("true", "false")}.get(setting)
    if words and value not in words:
        raise ProviderError(f"'{value}' is not a value of {setting}", hint=f"use one of {', '.join(words)}")
    if setting == TIMEOUT and not (value.isascii() and value.isdecimal()):
        raise ProviderError(f"'{value}' is not a number of seconds", hint="write a whole number, such as 3")


def thing(spec: Spec) -> Thing:
    return Thing("boot loader setting", spec.setting, "bootloader-setting", spec.setting)


def declared(spec: Spec) -> Declared:
    return {"ensure": ABSENT} if spec.ensure == ABSENT else {"ensure": PRESENT, "value": spec.value}


def implied_only_if(spec: Spec) -> Mapping[str, Value]:
    return {"ensure": ABSENT} if spec.only_if_unset else {}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return dict.fromkeys(field_names(State), domain_of_path(system, _place(system, spec).path(system)))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    place = _place(system, spec)
    value, hindrance = place.read(system, spec.setting), None
    try:
        place.require_changeable(system)
    except (ProviderError, Later) as error:
        hindrance = error
    return State(ABSENT if value is None else PRESENT, value, hindrance)


def check(spec: Spec, state: State, changes: tuple[Change, ...]) -> None:
    is_guarded = spec.only_if_unset and state.ensure == PRESENT
    if changes and state.hindrance and not is_guarded:
        raise state.hindrance


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: dict[str, Any] = values(changes)
    if after.get("ensure") == ABSENT or "value" in after:
        _place(system, spec).write(system, spec.setting, after.get("value"))
    return ()


def _place(system: ReadOnlySystem, spec: Spec) -> Place:
    """The place of the setting; ProviderError if no boot loader with it is found, or if two are."""
    if spec.setting != TIMEOUT:
        return ostreeconfig
    if systemdboot.is_there(system):
        if configuration := grub.configuration(system):
            hint = "remove the files of the boot loader that the machine does not use"
            raise ProviderError(f"found two boot loaders: systemd-boot and {configuration}", hint=hint)
        return systemdboot
    if grub.is_there(system):
        return grubdefaults
    missing = f"systemd-boot is not in {', '.join(systemdboot.PARTITIONS)}, and {grub.PATH} is missing"
    message = f"cannot find a boot loader with a menu timeout: {missing}"
    raise ProviderError(message, hint="exclude this kind of machine with `when`")
