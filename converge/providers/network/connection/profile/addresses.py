"""Settings of addresses. Some are in numbered keys, whose parts older profiles separate by semicolons."""

import re
from collections.abc import Iterator, Sequence

from attrs import frozen

from converge.providers.network.connection.profile.kinds import Texts
from converge.providers.network.connection.profile.slot import Slot
from converge.providers.network.connection.spec import Form, Found, address, address_with_prefix, route


@frozen
class Servers(Texts):
    version: int

    def read(self, at: Slot) -> Found:
        texts = (text.strip() for text in (at.text() or "").split(";"))
        return tuple(_formed(text, address, self.version) for text in texts if text) or None


@frozen
class Addresses:
    """`ADDRESS/PREFIX[,GATEWAY]`."""

    version: int

    def read(self, at: Slot) -> Found:
        return tuple(_formed(own, address_with_prefix, self.version) for own, _ in _addresses(at)) or None

    def write(self, at: Slot, value: Sequence[str] | None) -> None:
        gateway = _gateway(at)
        _replace(at, "address", value or ())
        at.beside("gateway").put(gateway)


@frozen
class Gateway:
    """In a key of its own, or with an address."""

    version: int

    def read(self, at: Slot) -> Found:
        found = _gateway(at)
        return None if found is None else _formed(found, address, self.version)

    def write(self, at: Slot, value: str | None) -> None:
        _replace(at, "address", [own for own, _ in _addresses(at)])
        at.put(value)


@frozen
class Routes:
    """`NETWORK/PREFIX[,NEXT-HOP[,METRIC]]`; a route is removed with its options."""

    version: int

    def read(self, at: Slot) -> Found:
        return tuple(_formed(_route(value), route, self.version) for value in _numbered(at, "route")) or None

    def write(self, at: Slot, value: Sequence[str] | None) -> None:
        _replace(at, "route", [",".join(_route_parts(each)) for each in value or ()])


def _formed(text: str, form: Form, version: int) -> str:
    """The text in its normal form, or unchanged: a profile may contain anything."""
    try:
        return form(text, version)
    except ValueError:
        return text


def _numbered(at: Slot, name: str) -> Iterator[str]:
    """The values of the keys of a name, in the order of their numbers."""
    found = [(key, re.fullmatch(rf"{name}(?:e?s)?([0-9]*)", key)) for key in at.profile.keys(at.group)]
    for _, key in sorted((int(matched[1] or -1), key) for key, matched in found if matched):
        yield at.beside(key).text() or ""


def _replace(at: Slot, name: str, values: Sequence[str]) -> None:
    for key in at.profile.keys(at.group):
        if re.fullmatch(rf"{name}(?:e?s)?[0-9]*(_options)?", key):
            at.beside(key).put(None)
    for number, value in enumerate(values, 1):
        at.beside(f"{name}{number}").put(value)


def _gateway(at: Slot) -> str | None:
    found = [at.beside("gateway").text(), *(gateway for _, gateway in _addresses(at))]
    return next((each for each in found if each), None)


def _addresses(at: Slot) -> Iterator[tuple[str, str]]:
    """Each address with its prefix length, and its gateway or an empty text."""
    for value in _numbered(at, "address"):
        own, rest = _with_prefix(value)
        yield own, rest[0] if rest else ""


def _route(value: str) -> str:
    network, rest = _with_prefix(value)
    return " ".join((network, *(part for part in rest if part not in ("", "0.0.0.0", "::"))))  # noqa: S104  (no next hop)


def _with_prefix(value: str) -> tuple[str, list[str]]:
    own, *rest = (part.strip() for part in re.split("[,;/]", value.strip("; ")))
    return (f"{own}/{rest[0]}", rest[1:]) if rest and rest[0].isdecimal() else (own, rest)


def _route_parts(text: str) -> list[str]:
    """The parts of a route. Before a metric, an empty part means that there is no next hop."""
    network, *rest = text.split()
    return [network, "", *rest] if rest and rest[0].isdecimal() else [network, *rest]
