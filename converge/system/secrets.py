"""Secrets as they may be remembered: digests under a key that never leaves the machine (RFC 2104, with SHA-256).

The key is made when the first secret is compared and reaches the disk before anything is remembered that was made with
it. What a run knows of secrets is also what it leaves out of everything that programs say.
"""

import hashlib
import hmac
import json
import os
import re
from base64 import b64encode
from collections.abc import Iterator

from attrs import define, field

from converge.model import Secret
from converge.system.root import Root

KEY = "/var/lib/converge/secret.key"
KEY_SIZE = 32  # bytes
LEFT_OUT = "(secret)"
_LONG = 8
"""Characters; a line of a secret that is shorter, such as a bracket, is none by itself, and has no code of its own."""

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
        data = secret.reveal().encode("utf-8", "surrogateescape")
        return f"secret:{hmac.new(self._load(), data, hashlib.sha256).hexdigest()}"

    def meet(self, secret: Secret) -> None:
        """From now on, leave this one out of what programs say."""
        text = secret.reveal()
        if text and text not in self._met:
            parts = {part for part in text.splitlines() if len(part) >= _LONG}
            self._met |= {form for part in (text, *parts) for form in _forms(part)}

    def left_out(self, text: str) -> str:
        """The text without any secret that this run has met, as it is or in one of the forms that programs give it."""
        pieces: list[str] = []
        end = 0
        for start, stop in sorted(place for secret in self._met for place in _places(secret, text)):
            if not pieces or start > end:
                pieces += (text[end:start], LEFT_OUT)
            end = max(end, stop)
        return "".join((*pieces, text[end:]))

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


def _forms(text: str) -> set[str]:
    """A secret as programs write it: as it is, in JSON, and a longer one in hexadecimal digits and in base64."""
    in_json = {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    data = text.encode("utf-8", "surrogateescape") if len(text) >= _LONG else b""
    encoded = {data.hex(), data.hex().upper(), b64encode(data).decode().rstrip("=")}
    return {text, *in_json, *filter(None, encoded)}


def _places(secret: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a secret stands, its first and last; where it overlaps with itself or follows itself, as one stretch."""
    start = text.find(secret)
    while start >= 0:
        stop = start + len(secret)
        following = text.find(secret, start + 1)
        while 0 <= following <= stop:
            stop = following + len(secret)
            following = text.find(secret, following + 1)
        yield start, stop
        start = following


def is_digest(value: object) -> bool:
    """Whether a value stands for a secret."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
