"""A setting of the boot loader: ostree's own in the configuration of its repository, or how long the menu is shown.

Owns one setting, in the file that rules here: `sysroot.bootloader` and `sysroot.bootprefix` in /ostree/repo/config
(ostree.repo-config(5)), `timeout` in systemd-boot's loader.conf (loader.conf(5)) or as GRUB_TIMEOUT in
/etc/default/grub. grub.cfg is made anew after a change.
"""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from attrs import field, frozen
from attrs.converters import optional

from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.base import ABSENT, PRESENT, Params, compare, domain_of_path, every_field, values
from converge.system import ReadOnlySystem, System, grub, ostree
from converge.system.text import Lines
from converge.system.text.envfile import Envfile

TYPE = "bootloader-setting"

GROUPS = (("ensure", "value"),)

TIMEOUT = "timeout"
BOOTLOADERS = ("none", "auto", "grub2", "syslinux", "uboot", "zipl", "aboot")
"""What ostree.repo-config(5) knows."""
PARTITIONS = ("/efi", "/boot/efi", "/boot")
"""Where the EFI system partition may be, on which systemd-boot and its loader.conf are (bootctl(1))."""
SYSTEMD_BOOT = "EFI/systemd"


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@frozen
class Spec:
    setting: str
    value: str | None = field(default=None, converter=optional(_text))
    ensure: str = PRESENT
    only_if_unset: bool = False


@frozen
class State:
    ensure: str
    value: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if (spec.value is None) != (spec.ensure == ABSENT):
        raise ProviderError(f"`{spec.setting}` is set to a value, or removed", hint="say `value`, or `ensure: absent`")
    if spec.setting == TIMEOUT and spec.value is not None and not re.fullmatch("[0-9]+", spec.value):
        raise ProviderError(f"'{spec.value}' is no number of seconds", hint="write a whole number, such as 3")
    if spec.setting == "sysroot.bootloader" and spec.value is not None and spec.value not in BOOTLOADERS:
        raise ProviderError(f"ostree knows no boot loader '{spec.value}'", hint=f"there are {', '.join(BOOTLOADERS)}")
    if spec.setting == "sysroot.bootprefix" and spec.value not in (None, "true", "false"):
        # ostree could not open the repository any more.
        raise ProviderError(f"'{spec.value}' is neither true nor false", hint="write `value: true` or `value: false`")
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    return tuple(Claim("bootloader-setting", spec.setting, name, value) for name, value in _wanted(spec).items())


def _wanted(spec: Spec) -> dict[str, Value]:
    return {"ensure": spec.ensure} if spec.ensure == ABSENT else {"ensure": PRESENT, "value": spec.value}


def implied_only_if(spec: Spec) -> Mapping[str, Value]:
    return {"ensure": ABSENT} if spec.only_if_unset else {}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return every_field(State, domain_of_path(system, _place(system, spec).path(system)))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    value = _place(system, spec).read(system, spec.setting)
    return State(ABSENT) if value is None else State(PRESENT, value)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    return compare(_wanted(spec), state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: dict[str, Any] = values(changes)
    if after.get("ensure") == ABSENT or "value" in after:
        _place(system, spec).write(system, spec.setting, after.get("value"))
    return ()


class _Place(Protocol):
    """A file with settings."""

    def path(self, system: ReadOnlySystem) -> str: ...

    def read(self, system: ReadOnlySystem, setting: str) -> str | None: ...

    def write(self, system: System, setting: str, value: str | None) -> None: ...


class _Ostree:
    def path(self, system: ReadOnlySystem) -> str:
        ostree.require_repository(system)
        return ostree.CONFIG

    def read(self, system: ReadOnlySystem, setting: str) -> str | None:
        group, _, key = setting.partition(".")
        return ostree.load(system, self.path(system)).get(group, key)

    def write(self, system: System, setting: str, value: str | None) -> None:
        group, _, key = setting.partition(".")
        config = ostree.load(system, self.path(system))
        if value is None:
            config.unset(group, key)
        else:
            config.set(group, key, value)
        system.write(ostree.CONFIG, config.dump())


@frozen
class _SystemdBoot:
    file: str

    def path(self, system: ReadOnlySystem) -> str:  # noqa: ARG002  (the protocol's)
        return self.file

    def read(self, system: ReadOnlySystem, setting: str) -> str | None:
        lines = Lines.parse(system.read(self.file) or b"")
        found = _set_in(lines, setting)
        return lines.texts[found[-1]].split(None, 1)[1].strip() if found else None

    def write(self, system: System, setting: str, value: str | None) -> None:
        lines = Lines.parse(system.read(self.file) or b"")
        found = _set_in(lines, setting)
        if value is None:
            lines.remove(found)
        elif found:
            lines.replace(found[-1], f"{setting} {value}")
        else:
            lines.insert(len(lines.texts), f"{setting} {value}")
        system.write(self.file, lines.dump())


def _set_in(lines: Lines, setting: str) -> list[int]:
    """The lines that set it; of several the last one counts."""
    words = [text.split(None, 1) for text in lines.texts]
    return [number for number, word in enumerate(words) if len(word) > 1 and word[0] == setting]


class _Grub:
    variable = "GRUB_TIMEOUT"

    def path(self, system: ReadOnlySystem) -> str:
        """The file that sets it last, or the one for what is set nowhere."""
        files = [path for path in system.glob(grub.LATER) if self._value(system, path) is not None]
        return files[-1] if files else grub.PATH

    def read(self, system: ReadOnlySystem, setting: str) -> str | None:  # noqa: ARG002  (the protocol's)
        return self._value(system, self.path(system))

    def _value(self, system: ReadOnlySystem, path: str) -> str | None:
        return Envfile.parse(system.read(path) or b"").get(self.variable)

    def write(self, system: System, setting: str, value: str | None) -> None:  # noqa: ARG002  (the protocol's)
        grub.require_makeable(system)
        path = self.path(system)
        before = system.read(path) or b""
        file = Envfile.parse(before)
        if value is None:
            file.unset(self.variable)
        else:
            file.set(self.variable, value)
        system.write(path, file.dump())
        try:
            grub.make(system)
        except ProviderError:
            system.write(path, before)  # so that the next run finds it undone
            raise


def _place(system: ReadOnlySystem, spec: Spec) -> _Place:
    """Where the setting is; ProviderError where no boot loader is found that has it."""
    if spec.setting != TIMEOUT:
        return _Ostree()
    for folder in PARTITIONS:
        # ostree has a link there, which leads elsewhere after each deploy: what is in it would be lost.
        if system.stat(f"{folder}/{SYSTEMD_BOOT}") and system.read_link(f"{folder}/loader") is None:
            return _SystemdBoot(f"{folder}/loader/loader.conf")
    if grub.is_there(system):
        return _Grub()
    hint = "leave the setting out for this kind of machine, by `when`"
    looked = f"no systemd-boot in {', '.join(PARTITIONS)}, and no {grub.PATH}"
    raise ProviderError(f"no boot loader whose menu has a timeout is here: {looked}", hint=hint)
