"""The locales and keymaps that a root has. If its files do not show them, every name is accepted."""

import re
import struct
from collections.abc import Iterator

from converge.diagnostics import did_you_mean
from converge.errors import ProviderError
from converge.system import ReadOnlySystem

LOCALES = "/usr/lib/locale"
BUILT_IN = ("C", "POSIX", "C.UTF-8")
"""Built into glibc since 2.35."""
KEYMAPS = ("/usr/share/keymaps", "/usr/share/kbd/keymaps", "/usr/lib/kbd/keymaps")
"""The folders that systemd searches (localectl(1), list-keymaps)."""

_ARCHIVE = f"{LOCALES}/locale-archive"
_ARCHIVE_START = 4 * 1024 * 1024
"""Bytes; the names come before the locales, which can be hundreds of megabytes."""
_HEADER = struct.Struct("=8I")  # struct locarhead of glibc's locale/locarchive.h
_MAGIC = 0xDE020109
_KEYMAP = re.compile(r"(?:.*/)?([^/]+)\.k?map(?:\.[a-z0-9]+)?")


def require_locale(system: ReadOnlySystem, name: str) -> None:
    """Raise ProviderError if the root lacks the locale: programs would fall back to the C locale."""
    known = _locales(system)
    if known is not None and _normal(name) not in {_normal(each) for each in known}:
        hint = (
            did_you_mean(name, known) or "install the package that contains it first, or generate it with localedef(1)"
        )
        raise ProviderError(f"locale '{name}' is missing in {LOCALES}", hint=hint)


def require_keymap(system: ReadOnlySystem, name: str) -> None:
    known = _keymaps(system)
    if known and name not in known and not name.startswith("@"):
        hint = did_you_mean(name, known) or f"choose a name from {KEYMAPS[0]}, such as de-latin1"
        raise ProviderError(f"keymap '{name}' is missing", hint=hint)


def _locales(system: ReadOnlySystem) -> list[str] | None:
    """The names of the locales; None if they cannot be read."""
    if system.stat(LOCALES) is None:
        return None
    archived = _archived(system.read_start(_ARCHIVE, _ARCHIVE_START) or b"")
    return None if archived is None else [*BUILT_IN, *archived, *system.list_folder(LOCALES)]


def _archived(start: bytes) -> list[str] | None:
    """The names in a locale archive; None if its format is unknown."""
    if not start:
        return []
    magic, _, _, _, _, names, used, _ = _HEADER.unpack(start[: _HEADER.size].ljust(_HEADER.size))
    if magic != _MAGIC or names + used > len(start):
        return None
    return [name.decode("utf-8", "replace") for name in start[names : names + used].split(b"\0") if name]


def _normal(name: str) -> str:
    """A locale's name as glibc compares it: in the codeset only letters and digits, in lower case."""
    rest, at, modifier = name.partition("@")
    language, _, codeset = rest.partition(".")
    return f"{language}.{''.join(filter(str.isalnum, codeset.lower()))}{at}{modifier}"


def _keymaps(system: ReadOnlySystem) -> list[str]:
    return sorted({found[1] for path in _files(system) if (found := _KEYMAP.fullmatch(path))})


def _files(system: ReadOnlySystem) -> Iterator[str]:
    for folder in KEYMAPS:
        if system.stat(folder) is not None:
            yield from (found.path for found in system.walk(folder))
