"""The timeout of GRUB's menu: GRUB_TIMEOUT in /etc/default/grub, or in a file that is read later and sets it again.

The next boot uses the value in grub.cfg, which grub-mkconfig(8) generates. If it differs from the variable, because
grub.cfg is outdated or another setting overrides the variable, the value in grub.cfg counts.
"""

import re

from converge.errors import ProviderError
from converge.formats.envfile import Envfile
from converge.providers.boot import grub
from converge.system import ReadOnlySystem, System

VARIABLE = "GRUB_TIMEOUT"

_MADE = re.compile(rb"^\s*set timeout_style=.*\n\s*set timeout=(.*)$", re.MULTILINE)
"""The lines of the script 00_header; there are other timeouts, for the boot after a failed one."""
_OF_SHELLS = frozenset("$`\\")


def path(system: ReadOnlySystem) -> str:
    """The file that sets it last, or /etc/default/grub if no file sets it."""
    files = [path for path in system.glob(grub.LATER) if _assigned(system, path) is not None]
    return files[-1] if files else grub.PATH


def _assigned(system: ReadOnlySystem, path: str) -> str | None:
    value = Envfile.parse(system.read(path) or b"").get(VARIABLE)
    if _OF_SHELLS.intersection(value or ""):
        hint = f"write the number itself, such as {VARIABLE}=3"
        raise ProviderError(f"{path}: the value of {VARIABLE} is not plain text", hint=hint)
    return value


def read(system: ReadOnlySystem, setting: str) -> str | None:  # noqa: ARG001  (there is only one)
    value, made = _assigned(system, path(system)), _made(system)
    return value if made in (None, value or "") else made


def _made(system: ReadOnlySystem) -> str | None:
    """The value in grub.cfg; None if it is not set there."""
    configuration = grub.configuration(system)
    found = _MADE.search(system.read(configuration) or b"") if configuration else None
    return found[1].decode("ascii", "replace").strip() if found else None


def require_changeable(system: ReadOnlySystem) -> None:
    grub.require_makeable(system)


def write(system: System, setting: str, value: str | None) -> None:
    """Set the variable and generate grub.cfg; if that fails, or has another value, restore the variable."""
    grub.require_makeable(system)
    file = path(system)
    before = system.read(file) or b""
    settings = Envfile.parse(before)
    if value is None:
        settings.unset(VARIABLE)
    else:
        settings.set(VARIABLE, value)
    system.write(file, settings.dump())
    try:
        grub.make(system)
        _require_made(system, setting, value)
    except ProviderError:
        system.write(file, before)
        raise


def _require_made(system: ReadOnlySystem, setting: str, value: str | None) -> None:
    if (found := read(system, setting)) != value:
        hint = f"look in {grub.PATH} and /etc/grub.d for an override of {VARIABLE}, such as GRUB_HIDDEN_TIMEOUT"
        raise ProviderError(f"{grub.configuration(system)} was generated with a timeout of '{found}'", hint=hint)
