"""OpenPGP certificates as files hold them: armor, packets and fingerprints. Nothing is verified here.

Two rings are equal if they contain the same certificates: gpg rewrites rings (trust packets, order), so their bytes
differ. The formats are those of RFC 9580; the sections named are its.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from attrs import frozen

from converge.errors import ProviderError

_PUBLIC_KEY, _SECRET_KEY, _TRUST, _MARKER = 6, 5, 12, 10
_BLOCK = re.compile(rb"-----BEGIN PGP [A-Z ]+-----(.*?)-----END PGP [A-Z ]+-----", re.DOTALL)
_KNOWN_VERSIONS = (4, 6)


@frozen
class Certificate:
    """One primary key and everything that belongs to it; `fingerprint` in upper-case hexadecimal digits."""

    fingerprint: str
    data: bytes


@frozen
class _Packet:
    tag: int
    body: bytes
    data: bytes
    """Header and body."""


def certificates(data: bytes) -> tuple[Certificate, ...]:
    """The certificates of a ring, ASCII or binary, by fingerprint and each once.

    ProviderError if the data are not public keys, or contain a secret one.
    """
    found: dict[str, bytes] = {}
    current = ""
    for packet in _packets(dearmor(data)):
        if packet.tag == _SECRET_KEY:
            raise ProviderError("the key file holds a secret key", hint="export the public one: gpg --export KEY")
        if packet.tag in (_TRUST, _MARKER):
            continue
        if packet.tag == _PUBLIC_KEY:
            current = fingerprint(packet.body)
            found[current] = b""
        elif not current:
            raise ProviderError("this is not an OpenPGP key", hint="export it with gpg --export KEY")
        found[current] += packet.data
    if not found:
        raise ProviderError("the key file holds no key", hint="export one with gpg --export KEY")
    return tuple(Certificate(name, found[name]) for name in sorted(found))


def fingerprints(data: bytes) -> tuple[str, ...]:
    return tuple(certificate.fingerprint for certificate in certificates(data))


def fingerprint(body: bytes) -> str:
    """The fingerprint of a public key packet's body (section 5.5.4)."""
    version = body[0] if body else 0
    if version not in _KNOWN_VERSIONS:
        raise ProviderError(f"OpenPGP keys of version {version} are not supported", hint="use one of version 4 or 6")
    if version == 4:
        hashed = b"\x99" + len(body).to_bytes(2, "big") + body
        return hashlib.sha1(hashed, usedforsecurity=False).hexdigest().upper()
    return hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()


def dearmor(data: bytes) -> bytes:
    """Binary packets of ASCII armor (section 6.2), all blocks joined; what is binary already stays as it is."""
    if data[:1] and data[0] & 0x80:
        return data
    return b"".join(_decoded(block) for block in _BLOCK.findall(data))


def _decoded(block: bytes) -> bytes:
    """A block's bytes. Headers end at the first blank line; the checksum line is optional, and not looked at."""
    lines = [line.strip() for line in block.split(b"\n")]
    start = lines.index(b"", 1) if b"" in lines[1:] else 0
    text = b"".join(line for line in lines[start:] if not line.startswith(b"="))
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ProviderError(f"the armor of the key is damaged: {error}") from error


def _packets(data: bytes) -> Iterator[_Packet]:
    at = 0
    while at < len(data):
        try:
            tag, start, length = _header(data, at)
        except IndexError:
            start, length, tag = len(data), 1, 0
        end = start + length
        if end > len(data):
            raise ProviderError("the key file is cut off in the middle of a packet")
        yield _Packet(tag, data[start:end], data[at:end])
        at = end


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """The packet's tag, the start of its body and its length (section 4.2)."""
    first = data[at]
    if not first & 0x80:
        raise ProviderError("this is not an OpenPGP key", hint="export it with gpg --export KEY")
    if first & 0x40:
        return first & 0x3F, *_new_length(data, at + 1)
    size = (1, 2, 4, 0)[first & 0x03]
    if not size:
        return (first >> 2) & 0x0F, at + 1, len(data) - at - 1
    return (first >> 2) & 0x0F, at + 1 + size, _number(data, at + 1, size)


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    """The start of the body and its length; keys have no partial lengths (section 4.2.1.4)."""
    first = data[at]
    if first < 192:
        return at + 1, first
    if first < 224:
        return at + 2, ((first - 192) << 8) + data[at + 1] + 192
    if first == 255:
        return at + 5, _number(data, at + 1, 4)
    raise ProviderError("a key with a packet of partial length is not valid")


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + size], "big")
