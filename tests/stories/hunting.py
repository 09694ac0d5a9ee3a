"""A hunt for secrets: the output of converge and the files that it leaves, searched for them in all their forms."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field

ALLOWED = ("etc/converge/site.yaml", "etc/NetworkManager/system-connections/")
"""The files of a root that may contain a secret: the administrator's own, and those that need it."""


def forms(secret: str) -> set[bytes]:
    """The secret as it is, as JSON and Python write it, in hexadecimal digits, and in base64 wherever it begins."""
    data = secret.encode()
    quoted = {json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    codes = {data.hex(), data.hex().upper(), *(_inner_base64(data, offset) for offset in range(3))}
    return {data, *(each.encode() for each in (*quoted, *codes))}


def _inner_base64(data: bytes, offset: int) -> str:
    """The part that is the same in the base64 of every text with the data after `offset` bytes (modulo 3)."""
    first, last = -(-offset * 8 // 6), (offset + len(data)) * 8 // 6
    return b64encode(bytes(offset) + data).decode()[first:last]


@define
class Hunt:
    """Finds `secrets` and their places. `places` are folders and files that must not contain one."""

    secrets: tuple[str, ...]
    places: list[Path]
    outputs: list[tuple[str, str]] = field(factory=list)
    """The outputs, each with the name of its verb."""

    def record(self, who: str, text: str) -> None:
        self.outputs.append((who, text))

    def found(self) -> list[str]:
        wanted = {form for secret in self.secrets for form in forms(secret)}
        texts = [*((who, text.encode("utf-8", "surrogateescape")) for who, text in self.outputs), *self._files()]
        return [who for who, text in texts if any(form in text for form in wanted)]

    def _files(self) -> Iterator[tuple[str, bytes]]:
        """Every file with its path, which could also contain a secret."""
        for place in self.places:
            for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
                name = str(path.relative_to(place))
                if not name.startswith(ALLOWED):
                    yield str(path), name.encode() + b"\n" + (path.read_bytes() if path.is_file() else b"")
