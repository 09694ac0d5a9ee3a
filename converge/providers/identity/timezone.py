"""The time zone. Owns the link /etc/localtime, and the name in /etc/timezone where the root has that file.

The link is relative, as timedatectl(1) makes it; one that leads to the zone otherwise is left as it is.
"""

from collections.abc import Mapping

from attrs import frozen

from converge.diagnostics import did_you_mean
from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.protocol import (
    Params,
    compare,
    content,
    domain_of_path,
    every_field,
    keep_told,
    meant,
    told,
    values,
)
from converge.system import ReadOnlySystem, System
from converge.system.store import address_of, path_of

TYPE = "timezone"
GROUPS = (("zone", "name"),)

LOCALTIME, NAME_FILE = "/etc/localtime", "/etc/timezone"
ZONES = "/usr/share/zoneinfo"
NO_ZONES = ("posix", "right")
"""Folders that have every zone once more, with another account of leap seconds."""
MAGIC = b"TZif"
"""How every zone begins (tzfile(5))."""


@frozen
class Spec:
    zone: str


@frozen
class State:
    zone: str | None = None
    name: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if not all(spec.zone.split("/")) or ".." in spec.zone or path_of(spec.zone):
        raise ProviderError(f"'{spec.zone}' is no time zone", hint="write it as Europe/Vienna")
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    return tuple(Claim("timezone", "system", name, spec.zone) for name in ("zone", "name"))


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol's)
    return every_field(State, domain_of_path(system, "/etc"))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    name = system.read(NAME_FILE)
    state = State(_zone(system), None if name is None else told(name.decode("utf-8", "surrogateescape").strip()))
    if spec.zone != state.zone:
        _require_zone(system, spec.zone)
    return state


def _zone(system: ReadOnlySystem) -> str | None:
    """The zone that the link leads to; what it says where that is elsewhere; the address of a file in its place."""
    link = system.read_link(LOCALTIME)
    if link is not None:
        _, found, zone = link.partition("/zoneinfo/")
        return zone if found else link
    data = system.read(LOCALTIME)
    return None if data is None else address_of(data)


def _require_zone(system: ReadOnlySystem, zone: str) -> None:
    path = f"{ZONES}/{zone}"
    found = system.stat(path)
    if found is not None and found.kind == "file" and system.read_start(path, len(MAGIC)) == MAGIC:
        return
    if system.stat(ZONES) is None:
        raise ProviderError(f"there is no {ZONES}", hint="the time zones are in the package tzdata")
    known = [each.path for each in system.walk(ZONES, excludes=NO_ZONES) if each.kind == "file"]
    hint = did_you_mean(zone, known) or f"look for the right one in {ZONES}"
    raise ProviderError(f"there is no time zone '{zone}'", hint=hint)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    name: dict[str, Value] = {} if state.name is None else {"name": spec.zone}
    return compare({"zone": spec.zone, **name}, state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:  # noqa: ARG001  (the protocol's)
    after = values(changes)
    if "name" in after:
        keep_told(system, (system.read(NAME_FILE) or b"").decode("utf-8", "surrogateescape").strip())
        system.write(NAME_FILE, f"{meant(system, str(after['name']))}\n".encode("utf-8", "surrogateescape"))
    if "zone" in after:
        _lead_to(system, after["zone"])
    return ()


def _lead_to(system: System, zone: Value) -> None:
    """Make the link, or for undo what was there instead of it."""
    link = system.read_link(LOCALTIME)
    if not isinstance(zone, str) or path_of(zone) or link is None:
        system.remove(LOCALTIME)
    if isinstance(zone, str) and path_of(zone):
        system.write(LOCALTIME, content(system, None, zone))
    elif isinstance(zone, str) and _zone(system) != zone:
        system.make_link(LOCALTIME, zone if zone.startswith((".", "/")) else f"..{ZONES}/{zone}")
