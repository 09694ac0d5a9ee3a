"""The time zone. Owns the link /etc/localtime, and the name in /etc/timezone if the root has that file.

The link is relative, as timedatectl(1) makes it. Any other link to the declared zone is left as it is.
"""

from attrs import frozen

from converge.diagnostics import did_you_mean
from converge.errors import ProviderError
from converge.model import Change, Effect, Thing, Value
from converge.providers.protocol import Declared, Desired, Params, Traits, values
from converge.system import ReadOnlySystem, System
from converge.system.contents import as_value, content_of, keep_text, text_of
from converge.system.store import address_of, path_of

traits = Traits(groups=(("zone", "name"),))

LOCALTIME, NAME_FILE = "/etc/localtime", "/etc/timezone"
ZONES = "/usr/share/zoneinfo"
NO_ZONES = ("posix", "right")
"""Folders with a second copy of every zone, which counts leap seconds differently."""
MAGIC = b"TZif"
"""The first bytes of every zone file (tzfile(5))."""


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
        raise ProviderError(f"'{spec.zone}' is not a time zone", hint="write a name such as Europe/Vienna")
    return spec


def thing(spec: Spec) -> Thing:
    return Thing("time zone", spec.zone, "timezone", "system", stored_in="/etc")


def declared(spec: Spec) -> Declared:
    return {"zone": spec.zone, "name": spec.zone}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    name = system.read(NAME_FILE)
    state = State(_zone(system), None if name is None else as_value(name.decode("utf-8", "surrogateescape").strip()))
    if spec.zone != state.zone:
        _require_zone(system, spec.zone)
    return state


def _zone(system: ReadOnlySystem) -> str | None:
    """The zone of the link; its target if that is not a zone; the address of a file in its place."""
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
        raise ProviderError(f"{ZONES} does not exist", hint="install the package tzdata, which contains the time zones")
    known = [each.path for each in system.walk(ZONES, excludes=NO_ZONES) if each.kind == "file"]
    hint = did_you_mean(zone, known) or f"choose a name from {ZONES}, such as Europe/Vienna"
    raise ProviderError(f"time zone '{zone}' is missing in {ZONES}", hint=hint)


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:  # noqa: ARG001  (the protocol)
    """Leave out the name if the root has no /etc/timezone."""
    return {"zone": spec.zone} if state.name is None else {"zone": spec.zone, "name": spec.zone}


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:  # noqa: ARG001  (the protocol)
    after = values(changes)
    if "name" in after:
        keep_text(system, (system.read(NAME_FILE) or b"").decode("utf-8", "surrogateescape").strip())
        system.write(NAME_FILE, f"{text_of(system, str(after['name']))}\n".encode("utf-8", "surrogateescape"))
    if "zone" in after:
        _set_zone(system, after["zone"])
    return ()


def _set_zone(system: System, zone: Value) -> None:
    """Make the link, or for undo the file or other link that was in its place."""
    link = system.read_link(LOCALTIME)
    if not isinstance(zone, str) or path_of(zone) or link is None:
        system.remove(LOCALTIME)
    if isinstance(zone, str) and path_of(zone):
        system.write(LOCALTIME, content_of(system, None, zone))
    elif isinstance(zone, str) and _zone(system) != zone:
        system.make_link(LOCALTIME, zone if zone.startswith((".", "/")) else f"..{ZONES}/{zone}")
