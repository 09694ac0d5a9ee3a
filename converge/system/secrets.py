"""Secrets as they may be remembered: digests under a key that never leaves the machine (RFC 2104, with SHA-256).

The key is made when the first secret is compared and reaches the disk before anything is remembered that was made with
it. What a run knows of secrets is also what it leaves out of everything that programs say.
"""

import hashlib
import hmac
import os
import re

from attrs import define, field

from converge.model import Secret
from converge.system.base import Root

KEY = "/var/lib/converge/secret.key"
KEY_SIZE = 32  # bytes
LEFT_OUT = "(secret)"
_SHORTEST_LINE = 8
"""Characters; a line of a longer secret that is shorter than this, such as a bracket, is no secret by itself."""

_DIGEST = re.compile(r"secret:[0-9a-f]{64}")


@define
class Secrets:
    """The key of one root, and the secrets that this run has met there. One is shared by all systems of a run."""

    root: Root
    _key: bytes = b""
    _is_new: bool = False
    _met: set[str] = field(factory=set)

    def digest(self, secret: Secret) -> str:
        """`secret:` and 64 hexadecimal digits: the same for the same secret on this machine, and nowhere else."""
        self.meet(secret)
        return f"secret:{hmac.new(self._load(), secret.reveal().encode(), hashlib.sha256).hexdigest()}"

    def meet(self, secret: Secret) -> None:
        text = secret.reveal()
        self._met |= {part for part in (text, *text.splitlines()) if part == text or len(part) >= _SHORTEST_LINE}

    def left_out(self, text: str) -> str:
        """The text without any secret that this run has met."""
        for secret in sorted(filter(None, self._met), key=len, reverse=True):
            text = text.replace(secret, LEFT_OUT)
        return text

    def unsaved_key(self) -> bytes | None:
        """The key, if it is in use and not on the disk yet; asked once."""
        key, self._is_new = (self._key if self._is_new else None), False
        return key

    def _load(self) -> bytes:
        if not self._key:
            self._key = self.root.read(KEY) or b""
            self._is_new = not self._key
            self._key = self._key or os.urandom(KEY_SIZE)
        return self._key


def is_digest(value: object) -> bool:
    """Whether a value stands for a secret."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
