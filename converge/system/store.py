"""The content-addressed store: contents that converge replaced, for undo, under the digests of their bytes."""

import hashlib
import re

from converge.system.access import Looking

FOLDER = "/var/lib/converge/store"
_ADDRESS = re.compile(r"sha256:([0-9a-f]{64})")


def address_of(data: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def path_of(address: str) -> str | None:
    """The path in the store of the content with this address; None for a text that is not an address."""
    matched = _ADDRESS.fullmatch(address)
    return f"{FOLDER}/{matched[1][:2]}/{matched[1]}" if matched else None


class Store(Looking):
    """The store, to read from; `Writing` fills it."""

    def kept(self, address: str) -> bytes | None:
        """The content in the store under an address; None if it is absent or damaged."""
        path = path_of(address)
        data = self.read(path) if path else None
        return data if data is not None and address_of(data) == address else None
