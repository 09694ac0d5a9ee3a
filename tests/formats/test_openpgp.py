import base64
import hashlib
from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.formats.openpgp import certificates, fingerprint, fingerprints
from converge.system import System
from converge.system.keyrings import keep, ring_of

# The sample v6 certificate of RFC 9580, appendix A.3.
V6_FINGERPRINT = "CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9"
V6 = b"""-----BEGIN PGP PUBLIC KEY BLOCK-----

xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laPCsQYf
GwoAAABCBYJjh3/jAwsJBwUVCg4IDAIWAAKbAwIeCSIhBssYE8GCaaX5NUt+mxyK
wwfHifBilZwj2Ul7Ce62azJnBScJAgcCAAAAAK0oIBA+LX0ifsDm185Ecds2v8lw
gyU2kCcUmKfvBXbAf6rhRYWzuQOwEn7E/aLwIwRaLsdry0+VcallHhSu4RN6HWaE
QsiPlR4zxP/TP7mhfVEe7XWPxtnMUMtf15OyA51YBM4qBmOHf+MZAAAAIIaTJINn
+eUBXbki+PSAld2nhJh/LVmFsS+60WyvXkQ1wpsGGBsKAAAALAWCY4d/4wKbDCIh
BssYE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce62azJnAAAAAAQBIKbpGG2dWTX8
j+VjFM21J0hqWlEg+bdiojWnKfA5AQpWUWtnNwDEM0g12vYxoWM8Y81W+bHBw805
I8kWVkXU6vFOi+HWvv/ira7ofJu16NnoUkhclkUrk0mXubZvyl4GBg==
-----END PGP PUBLIC KEY BLOCK-----
"""

USER = b"\xcd\x03bob"
TRUST = b"\xb0\x02\x00\x00"


def body(character: bytes, size: int = 60) -> bytes:
    """The body of a v4 public key packet, as far as fingerprints look at it."""
    return b"\x04" + character * size


def packet(content: bytes) -> bytes:
    """A public key packet in the old format, as gpg writes it."""
    return b"\x99" + len(content).to_bytes(2, "big") + content


A, B = packet(body(b"a")) + USER, packet(body(b"b")) + USER


def armor(data: bytes, headers: str = "Comment: x\n") -> bytes:
    text = base64.encodebytes(data).decode()
    return (
        f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n{headers}\n{text}=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"
    ).encode()


def test_a_v4_fingerprint_is_a_sha1_over_the_packet() -> None:
    assert fingerprint(body(b"a")) == hashlib.sha1(packet(body(b"a"))).hexdigest().upper()


def test_a_v6_certificate() -> None:
    assert fingerprints(V6) == (V6_FINGERPRINT,)


@pytest.mark.parametrize(
    "same",
    [
        B + A,
        A + B + A,
        packet(body(b"a")) + TRUST + USER + TRUST + B,
        armor(A + B),
        armor(A) + armor(B),
        armor(A + B, headers=""),
        armor(A + B).replace(b"\n", b"\r\n"),
        b"words above\n" + armor(A + B),
    ],
)
def test_rings_with_the_same_keys_are_alike(same: bytes) -> None:
    assert fingerprints(same) == fingerprints(A + B)


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (b"\x98\x3d", 60),
        (b"\x9a\x00\x00\x00\x3d", 60),
        (b"\x9b", 60),
        (b"\xc6\x3d", 60),
        (b"\xc6\xc1\x6d", 556),
        (b"\xc6\xff\x00\x00\x00\x3d", 60),
    ],
)
def test_every_way_to_write_a_length(header: bytes, size: int) -> None:
    content = body(b"a", size)
    (found,) = certificates(header + content)
    assert (found.fingerprint, found.data) == (fingerprint(content), header + content)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no key"),
        (b"some text", "no key"),
        (USER + A, "not an OpenPGP key"),
        (A[:-1], "cut off"),
        (b"\x99\x00", "cut off"),
        (b"\x95" + A[1:], "secret key"),
        (packet(b"\x03" + b"a" * 9), "version 3"),
        (b"\xc6\xe1" + b"\x04\x04", "partial length"),
        (armor(A).replace(b"WFh", b"W*h", 1), "damaged"),
    ],
)
def test_data_that_is_not_a_public_key_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        certificates(data)


def test_ring_is_built_from_present_and_kept_certificates(tmp_path: Path) -> None:
    system = System(str(tmp_path))
    keep(system, A)
    assert ring_of(system, fingerprints(A + B), None, B) == b"".join(c.data for c in certificates(A + B))
    with pytest.raises(ProviderError, match="is missing"):
        ring_of(system, fingerprints(B))
