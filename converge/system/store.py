"""The content-addressed store: what converge replaced, for undo, under the digest of its bytes."""

import hashlib
import re

FOLDER = "/var/lib/converge/store"
_ADDRESS = re.compile(r"sha256:([0-9a-f]{64})")


def address_of(data: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def path_of(address: str) -> str | None:
    """Where the store keeps what has this address; None for a text that is no address."""
    matched = _ADDRESS.fullmatch(address)
    return f"{FOLDER}/{matched[1][:2]}/{matched[1]}" if matched else None
