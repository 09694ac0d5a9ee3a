"""A setting of the boot loader: ostree's own in the configuration of its repository, or how long the menu is shown.

Owns one setting, in the file that rules here: `sysroot.bootloader` and `sysroot.bootprefix` in /ostree/repo/config
(ostree.repo-config(5)), `timeout` in systemd-boot's loader.conf (loader.conf(5)) or as GRUB_TIMEOUT in
/etc/default/grub. grub.cfg is made anew after a change.
"""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen
from attrs.converters import optional

from converge.errors import ConvergeError, Later, ProviderError
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.boot import grub
from converge.providers.boot.bootloader_setting import grubdefaults, ostreeconfig, systemdboot
from converge.providers.boot.bootloader_setting.base import TIMEOUT, Place
from converge.providers.protocol import ABSENT, DERIVED, PRESENT, Params, compare, domain_of_path, every_field, values
from converge.system import ReadOnlySystem, System

__all__ = [
    "GROUPS",
    "TYPE",
    "Spec",
    "State",
    "apply",
    "claims",
    "diff",
    "domains",
    "implied_only_if",
    "inspect",
    "parse",
]

TYPE = "bootloader-setting"
GROUPS = (("ensure", "value"),)


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
    hindrance: ConvergeError | None = field(default=None, eq=False, metadata=DERIVED)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if (spec.value is None) != (spec.ensure == ABSENT):
        raise ProviderError(f"`{spec.setting}` is set to a value, or removed", hint="say `value`, or `ensure: absent`")
    if spec.value is not None:
        _require_known(spec.setting, spec.value)
    return spec


def _require_known(setting: str, value: str) -> None:
    """ProviderError for a value with which the boot loader, or ostree, could do nothing."""
    words = {"sysroot.bootloader": ostreeconfig.BOOTLOADERS, "sysroot.bootprefix": ("true", "false")}.get(setting)
    if words and value not in words:
        raise ProviderError(f"'{value}' is no value of {setting}", hint=f"there are {', '.join(words)}")
    if setting == TIMEOUT and not (value.isascii() and value.isdecimal()):
        raise ProviderError(f"'{value}' is no number of seconds", hint="write a whole number, such as 3")


def claims(spec: Spec) -> tuple[Claim, ...]:
    return tuple(Claim("bootloader-setting", spec.setting, name, value) for name, value in _wanted(spec).items())


def _wanted(spec: Spec) -> dict[str, Value]:
    return {"ensure": spec.ensure} if spec.ensure == ABSENT else {"ensure": PRESENT, "value": spec.value}


def implied_only_if(spec: Spec) -> Mapping[str, Value]:
    return {"ensure": ABSENT} if spec.only_if_unset else {}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return every_field(State, domain_of_path(system, _place(system, spec).path(system)))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    place = _place(system, spec)
    value, hindrance = place.read(system, spec.setting), _hindrance(system, place)
    return State(ABSENT if value is None else PRESENT, value, hindrance)


def _hindrance(system: ReadOnlySystem, place: Place) -> ConvergeError | None:
    try:
        place.require_changeable(system)
    except (ProviderError, Later) as error:
        return error
    return None


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    changes = compare(_wanted(spec), state)
    is_guarded = spec.only_if_unset and state.ensure == PRESENT
    if changes and state.hindrance and not is_guarded:
        raise state.hindrance
    return changes


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: dict[str, Any] = values(changes)
    if after.get("ensure") == ABSENT or "value" in after:
        _place(system, spec).write(system, spec.setting, after.get("value"))
    return ()


def _place(system: ReadOnlySystem, spec: Spec) -> Place:
    """Where the setting is; ProviderError where no boot loader is found that has it, or two are."""
    if spec.setting != TIMEOUT:
        return ostreeconfig
    if systemdboot.is_there(system):
        if configuration := grub.configuration(system):
            hint = "take away what is left of the one that the machine does not start with"
            raise ProviderError(f"there are systemd-boot and {configuration}: which one rules?", hint=hint)
        return systemdboot
    if grub.is_there(system):
        return grubdefaults
    hint = "leave the setting out for this kind of machine, by `when`"
    looked = f"no systemd-boot in {', '.join(systemdboot.PARTITIONS)}, and no {grub.PATH}"
    raise ProviderError(f"no boot loader whose menu has a timeout is here: {looked}", hint=hint)
