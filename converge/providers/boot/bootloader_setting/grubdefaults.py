"""How long GRUB shows its menu: GRUB_TIMEOUT in /etc/default/grub, or in a file that is read later and sets it again.

What counts at the next boot is what grub-mkconfig(8) has made of it. Where grub.cfg says otherwise, since somebody has
not made it anew or something else overrules the variable, that is the value.
"""

import re

from converge.errors import ProviderError
from converge.formats.envfile import Envfile
from converge.providers.boot import grub
from converge.system import ReadOnlySystem, System

VARIABLE = "GRUB_TIMEOUT"

_MADE = re.compile(rb"^\s*set timeout_style=.*\n\s*set timeout=(.*)$", re.MULTILINE)
"""What the script 00_header writes; there are other timeouts, for boots that come after a failed one."""
_OF_SHELLS = frozenset("$`\\")


def path(system: ReadOnlySystem) -> str:
    """The file that sets it last, or the one for what is set nowhere."""
    files = [path for path in system.glob(grub.LATER) if _assigned(system, path) is not None]
    return files[-1] if files else grub.PATH


def _assigned(system: ReadOnlySystem, path: str) -> str | None:
    value = Envfile.parse(system.read(path) or b"").get(VARIABLE)
    if _OF_SHELLS.intersection(value or ""):
        raise ProviderError(f"{path}: the value of {VARIABLE} is more than a text", hint="write the number there")
    return value


def read(system: ReadOnlySystem, setting: str) -> str | None:  # noqa: ARG001  (it has no other one)
    value, made = _assigned(system, path(system)), _made(system)
    return value if made in (None, value or "") else made


def _made(system: ReadOnlySystem) -> str | None:
    """What grub.cfg says; None where it says nothing."""
    configuration = grub.configuration(system)
    found = _MADE.search(system.read(configuration) or b"") if configuration else None
    return found[1].decode("ascii", "replace").strip() if found else None


def require_changeable(system: ReadOnlySystem) -> None:
    grub.require_makeable(system)


def write(system: System, setting: str, value: str | None) -> None:
    """Nothing is left half done: where grub.cfg cannot be made, or says otherwise then, the variable is as it was."""
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
        hint = f"look for what overrules {VARIABLE} in {grub.PATH} and /etc/grub.d, such as GRUB_HIDDEN_TIMEOUT"
        raise ProviderError(f"{grub.configuration(system)} was made with a timeout of '{found}'", hint=hint)
