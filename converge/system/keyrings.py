"""The keyrings of remotes: written, and the certificates that they lose kept for undo."""

from collections.abc import Iterable

from converge.errors import ProviderError
from converge.formats.openpgp import certificates
from converge.system import ReadOnlySystem, System

KEPT = "/var/lib/converge/store/openpgp"
"""Certificates that were dropped, for undo: the states that a ledger remembers name them by fingerprint."""


def keep(system: System, ring: bytes | None, *, but: bytes = b"") -> None:
    """Remember the certificates of a ring that is about to go, each under its fingerprint, but for those that stay."""
    stay = certificates(but) if but else ()
    for certificate in certificates(ring) if ring else ():
        if certificate not in stay:
            system.write(f"{KEPT}/{certificate.fingerprint}", certificate.data, mode=0o600, keep=False)


def ring_of(system: ReadOnlySystem, wanted: Iterable[str], *rings: bytes | None) -> bytes:
    """A ring with the certificates of these fingerprints, out of the first ring that has them, or those once kept."""
    known: dict[str, bytes] = {}
    for ring in reversed(rings):
        known |= {certificate.fingerprint: certificate.data for certificate in certificates(ring)} if ring else {}
    found = {name: known.get(name) or system.read(f"{KEPT}/{name}") for name in wanted}
    if missing := [name for name, data in found.items() if not data]:
        raise ProviderError(f"the key {missing[0]} is missing")
    return b"".join(data for data in found.values() if data)


def write_ring(system: System, path: str, wanted: Iterable[str], given: bytes | None) -> None:
    """Have a ring at `path` with the keys of these fingerprints, `given` ones or known ones; the others are kept."""
    live = system.read(path)
    ring = ring_of(system, wanted, given, live)
    keep(system, live, but=ring)
    system.write(path, ring, keep=False)


def remove_ring(system: System, path: str) -> None:
    keep(system, system.read(path))
    system.remove(path, keep=False)
