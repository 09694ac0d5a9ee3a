"""Which locales and keymaps a root has, as far as its files tell. Where they do not, every one is taken for there."""

import re
import struct
from collections.abc import Iterator

from converge.diagnostics import did_you_mean
from converge.errors import ProviderError
from converge.system import ReadOnlySystem

LOCALES = "/usr/lib/locale"
BUILT_IN = ("C", "POSIX", "C.UTF-8")
"""Those of glibc itself, since 2.35."""
KEYMAPS = ("/usr/share/keymaps", "/usr/share/kbd/keymaps", "/usr/lib/kbd/keymaps")
"""Where systemd looks for them (localectl(1), list-keymaps)."""

_ARCHIVE = f"{LOCALES}/locale-archive"
_ARCHIVE_START = 4 * 1024 * 1024
"""Bytes; the names stand before the locales themselves, which can be hundreds of megabytes."""
_HEADER = struct.Struct("=8I")  # struct locarhead of glibc's locale/locarchive.h
_MAGIC = 0xDE020109
_KEYMAP = re.compile(r"(?:.*/)?([^/]+)\.k?map(?:\.[a-z0-9]+)?")


def require_locale(system: ReadOnlySystem, name: str) -> None:
    """ProviderError where programs would fall back to the C locale, since the root lacks this one."""
    known = _locales(system)
    if known is not None and _normal(name) not in {_normal(each) for each in known}:
        hint = (
            did_you_mean(name, known) or "have the package that brings it installed first, or make it: man 1 localedef"
        )
        raise ProviderError(f"there is no locale '{name}' in {LOCALES}", hint=hint)


def require_keymap(system: ReadOnlySystem, name: str) -> None:
    known = _keymaps(system)
    if known and name not in known and not name.startswith("@"):
        hint = did_you_mean(name, known) or f"look for the right one in {KEYMAPS[0]}"
        raise ProviderError(f"there is no keymap '{name}'", hint=hint)


def _locales(system: ReadOnlySystem) -> list[str] | None:
    """The names of the locales, None where that cannot be told."""
    if system.stat(LOCALES) is None:
        return None
    archived = _archived(system.read_start(_ARCHIVE, _ARCHIVE_START) or b"")
    return None if archived is None else [*BUILT_IN, *archived, *system.list_folder(LOCALES)]


def _archived(start: bytes) -> list[str] | None:
    """The names in a locale archive, None where it is no such one as we know."""
    if not start:
        return []
    magic, _, _, _, _, names, used, _ = _HEADER.unpack(start[: _HEADER.size].ljust(_HEADER.size))
    if magic != _MAGIC or names + used > len(start):
        return None
    return [name.decode("utf-8", "replace") for name in start[names : names + used].split(b"\0") if name]


def _normal(name: str) -> str:
    """A locale's name with its codeset as glibc compares it: letters and digits alone, small."""
    rest, at, modifier = name.partition("@")
    language, _, codeset = rest.partition(".")
    return f"{language}.{''.join(filter(str.isalnum, codeset.lower()))}{at}{modifier}"


def _keymaps(system: ReadOnlySystem) -> list[str]:
    return sorted({found[1] for path in _files(system) if (found := _KEYMAP.fullmatch(path))})


def _files(system: ReadOnlySystem) -> Iterator[str]:
    for folder in KEYMAPS:
        if system.stat(folder) is not None:
            yield from (found.path for found in system.walk(folder))
