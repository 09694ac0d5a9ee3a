"""The host name. Owns the static name in /etc/hostname and PRETTY_HOSTNAME in /etc/machine-info.

On the live root, a new static name becomes the running name at once. If only the running name differs, such as a
transient name from DHCP, nothing is done.
"""

import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.lines import Lines
from converge.model import Change, Domain, Effect, Thing
from converge.providers.identity.variables import assign, assigned
from converge.providers.protocol import Declared, Params, Traits, domain_of_path, values
from converge.system import ReadOnlySystem, System
from converge.system.contents import as_value, keep_text, text_of

traits = Traits()

NAME_FILE = "/etc/hostname"
MACHINE_INFO = "/etc/machine-info"
PRETTY = "PRETTY_HOSTNAME"
LONGEST = 64
"""HOST_NAME_MAX of Linux (sethostname(2))."""

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@frozen
class Spec:
    name: str
    pretty: str | None = None


@frozen
class State:
    name: str | None = None
    pretty: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    _require_host_name(spec.name)
    if spec.pretty and ("\n" in spec.pretty or as_value(spec.pretty) != spec.pretty):
        raise ProviderError("`pretty` contains a line break or is too long", hint="write one short line")
    return spec


def _require_host_name(name: str) -> None:
    """Raise ProviderError unless hostname(7), which follows RFC 1123, allows the name."""
    if len(name) > LONGEST:
        raise ProviderError(f"the host name '{name}' has more than {LONGEST} characters", hint="choose a shorter one")
    for label in name.split("."):
        if not _LABEL.fullmatch(label):
            hint = (
                "use parts of 1 to 63 letters, digits and inner '-', such as reading-room; put other text in `pretty`"
            )
            raise ProviderError(f"'{name}' is not a host name", hint=hint)


def thing(spec: Spec) -> Thing:
    return Thing("host name", spec.name, "hostname", "static")


def declared(spec: Spec) -> Declared:
    return {"name": spec.name} if spec.pretty is None else {"name": spec.name, "pretty": spec.pretty or None}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return {"name": domain_of_path(system, NAME_FILE), "pretty": domain_of_path(system, MACHINE_INFO)}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:  # noqa: ARG001  (the protocol)
    lines = Lines.parse(system.read(NAME_FILE) or b"")
    named = _named(lines)
    name = as_value(lines.texts[named[0]].strip()) if named else None
    return State(name, assigned(system, MACHINE_INFO, PRETTY))


def _named(lines: Lines) -> list[int]:
    """The numbers of the lines with a name; the first one counts (hostname(5))."""
    texts = [text.strip() for text in lines.texts]
    return [number for number, text in enumerate(texts) if text and not text.startswith("#")]


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:  # noqa: ARG001  (the protocol)
    after: Mapping[str, Any] = values(changes)
    if "name" in after:
        _set_name(system, None if after["name"] is None else text_of(system, after["name"]))
    if "pretty" in after:
        assign(system, MACHINE_INFO, {PRETTY: after["pretty"]})
    return ()


def _set_name(system: System, name: str | None) -> None:
    """Set the running name first: if the kernel refuses it, the file must not look as if all were done."""
    if system.live and name is not None:
        system.set_host_name(name)
    lines = Lines.parse(system.read(NAME_FILE) or b"")
    named = _named(lines)
    if named:
        keep_text(system, lines.texts[named[0]].strip())
    if name is None:
        lines.remove(named)
    elif named:
        lines.replace(named[0], name)
    else:
        lines.insert(len(lines.texts), name)
    if lines.texts:
        system.write(NAME_FILE, lines.dump())
    else:
        system.remove(system.resolve(NAME_FILE))
