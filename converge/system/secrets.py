"""Secrets as they may be remembered: digests under a key that never leaves the machine (RFC 2104, with SHA-256).

The key is made when the first secret is compared, and reaches the disk before anything that was made with it is
remembered. Secrets that a run knows are left out of the output of programs.
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
from converge.system.access import Looking
from converge.system.files import Writing

KEY = "/var/lib/converge/secret.key"
KEY_SIZE = 32  # bytes
LEFT_OUT = "(secret)"
_LONG = 8
"""Characters; a shorter line of a secret, such as a bracket, is not a secret by itself, and is not encoded alone."""

_DIGEST = re.compile(r"secret:[0-9a-f]{64}")


@define
class Secrets:
    """The key of one root, and the secrets that this run has met there. All systems of a run share one."""

    key: bytes = b""
    is_new: bool = False
    """The key is in use and not on the disk yet."""
    met: set[str] = field(factory=set)


class Secrecy(Looking):
    """Comparing secrets, and leaving them out of texts."""

    _secrets: Secrets

    def secret_digest(self, secret: Secret) -> str:
        """`secret:` and 64 hexadecimal digits: the same for the same secret on this machine, and nowhere else.

        Only this may be remembered of a secret.
        """
        self.meet(secret)
        known = self._secrets
        if not known.key:
            known.key = self.read(KEY) or b""
            known.is_new = not known.key
            known.key = known.key or os.urandom(KEY_SIZE)
        data = secret.reveal().encode("utf-8", "surrogateescape")
        return f"secret:{hmac.new(known.key, data, hashlib.sha256).hexdigest()}"

    def meet(self, secret: Secret) -> None:
        """Leave a secret out of the output of all programs in this run."""
        text = secret.reveal()
        if text and text not in self._secrets.met:
            parts = {part for part in text.splitlines() if len(part) >= _LONG}
            self._secrets.met |= {form for part in (text, *parts) for form in _forms(part)}

    def _left_out(self, text: str) -> str:
        """The text without any secret that this run has met, as it is or in one of the forms that programs give it."""
        pieces: list[str] = []
        end = 0
        for start, stop in sorted(place for secret in self._secrets.met for place in _places(secret, text)):
            if not pieces or start > end:
                pieces += (text[end:start], LEFT_OUT)
            end = max(end, stop)
        return "".join((*pieces, text[end:]))


class KeepingKey(Secrecy, Writing):
    def keep_secret_key(self) -> None:
        """Write the key to the disk under which secrets were compared: before their digests are remembered."""
        if self._secrets.is_new:
            self._secrets.is_new = False
            self.write(KEY, self._secrets.key, mode=0o600, keep=False)


def _forms(text: str) -> set[str]:
    """A secret as programs write it: as it is, in JSON, and a longer one in hexadecimal digits and in base64."""
    in_json = {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    data = text.encode("utf-8", "surrogateescape") if len(text) >= _LONG else b""
    encoded = {data.hex(), data.hex().upper(), b64encode(data).decode().rstrip("=")}
    return {text, *in_json, *filter(None, encoded)}


def _places(secret: str, text: str) -> Iterator[tuple[int, int]]:
    """The start and end of a secret in a text; if it overlaps or follows itself, of the whole stretch."""
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
    """Whether a value is the digest of a secret."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
