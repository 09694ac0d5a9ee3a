"""A hunt for secrets: all that converge says and leaves behind, searched for them in the forms they could have."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field

ALLOWED = ("etc/converge/site.yaml", "etc/NetworkManager/system-connections/")
"""Where in a root a secret may stand: where its administrator has put it, and where it is needed."""


def forms(secret: str) -> set[bytes]:
    """The secret as it is, as JSON and Python write it, in hexadecimal digits, and in base64 wherever it begins."""
    data = secret.encode()
    quoted = {json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    codes = {data.hex(), data.hex().upper(), *(_inner_base64(data, offset) for offset in range(3))}
    return {data, *(each.encode() for each in (*quoted, *codes))}


def _inner_base64(data: bytes, offset: int) -> str:
    """What is in any base64 of a text that has the data after so many bytes (modulo 3)."""
    first, last = -(-offset * 8 // 6), (offset + len(data)) * 8 // 6
    return b64encode(bytes(offset) + data).decode()[first:last]


@define
class Hunt:
    """Of `secrets`, what was found, by where. `places` are folders and files that no secret may be in."""

    secrets: tuple[str, ...]
    places: list[Path]
    said: list[tuple[str, str]] = field(factory=list)
    """What was said, each with the name of who said it."""

    def heard(self, who: str, text: str) -> None:
        self.said.append((who, text))

    def found(self) -> list[str]:
        wanted = {form for secret in self.secrets for form in forms(secret)}
        texts = [*((who, text.encode("utf-8", "surrogateescape")) for who, text in self.said), *self._files()]
        return [who for who, text in texts if any(form in text for form in wanted)]

    def _files(self) -> Iterator[tuple[str, bytes]]:
        """Every file with its path, which could tell a secret as well."""
        for place in self.places:
            for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
                name = str(path.relative_to(place))
                if not name.startswith(ALLOWED):
                    yield str(path), name.encode() + b"\n" + (path.read_bytes() if path.is_file() else b"")
