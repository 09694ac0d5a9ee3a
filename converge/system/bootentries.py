"""Boot loader entries (UAPI.1), of which ostree keeps one per deployment."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

FOLDER = "/boot/loader/entries"

Entry: TypeAlias = Mapping[str, Sequence[str]]
"""The values by their keys; some may be there several times."""

_OF_OSTREE = re.compile(r"ostree-.*\.conf")
_BOOTS = re.compile(r"(?<!\S)ostree=(/\S+)")


def is_of_ostree(name: str) -> bool:
    """Whether a file is an entry that ostree keeps."""
    return _OF_OSTREE.fullmatch(name) is not None


def parsed(data: bytes) -> Entry:
    found: dict[str, list[str]] = {}
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        key, value, *_ = (*line.split(maxsplit=1), "", "")
        found.setdefault(key, []).append(value.strip())
    return found


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """In the order of booting: that of their versions, the highest first."""
    return sorted(entries, key=_version, reverse=True)


def _version(entry: Entry) -> int:
    text = "".join(entry.get("version", ()))
    return int(text) if text.isdecimal() else 0


def options(entry: Entry) -> str:
    """The arguments of the kernel."""
    return " ".join(entry.get("options", ()))


def deployed_at(entry: Entry) -> str | None:
    """The path that leads to the deployment which an entry boots; None if the entry does not name one."""
    found = _BOOTS.search(options(entry))
    return found[1] if found else None
