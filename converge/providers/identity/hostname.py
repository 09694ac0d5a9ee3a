"""The name of the machine. Owns the static host name in /etc/hostname and PRETTY_HOSTNAME in /etc/machine-info.

On the live root a new static name becomes that of the running system at once. Where only the running one differs, such
as a transient name from DHCP, nothing is done.
"""

import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.lines import Lines
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.protocol import (
    Params,
    assign,
    assigned,
    compare,
    domain_of_path,
    keep_told,
    meant,
    told,
    values,
)
from converge.system import ReadOnlySystem, System

TYPE = "hostname"

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
    if spec.pretty and ("\n" in spec.pretty or told(spec.pretty) != spec.pretty):
        raise ProviderError("`pretty` has a line break in it, or is too long", hint="write one short line")
    return spec


def _require_host_name(name: str) -> None:
    """ProviderError for what hostname(7), which follows RFC 1123, does not allow."""
    if len(name) > LONGEST:
        raise ProviderError(f"the host name '{name}' has more than {LONGEST} characters", hint="choose a shorter one")
    for label in name.split("."):
        if not _LABEL.fullmatch(label):
            hint = (
                "each part has 1 to 63 letters, digits and '-', none at its ends; other text can be the `pretty` name"
            )
            raise ProviderError(f"'{name}' is no host name", hint=hint)


def claims(spec: Spec) -> tuple[Claim, ...]:
    return tuple(Claim("hostname", "static", name, value) for name, value in _desired(spec).items())


def _desired(spec: Spec) -> dict[str, Value]:
    pretty: dict[str, Value] = {} if spec.pretty is None else {"pretty": spec.pretty or None}
    return {"name": spec.name, **pretty}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol's)
    return {"name": domain_of_path(system, NAME_FILE), "pretty": domain_of_path(system, MACHINE_INFO)}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:  # noqa: ARG001  (the protocol's)
    lines = Lines.parse(system.read(NAME_FILE) or b"")
    named = _named(lines)
    name = told(lines.texts[named[0]].strip()) if named else None
    return State(name, assigned(system, MACHINE_INFO, PRETTY))


def _named(lines: Lines) -> list[int]:
    """The numbers of the lines that are names: the first one counts; hostname(5)."""
    texts = [text.strip() for text in lines.texts]
    return [number for number, text in enumerate(texts) if text and not text.startswith("#")]


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    return compare(_desired(spec), state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:  # noqa: ARG001  (the protocol's)
    after: Mapping[str, Any] = values(changes)
    if "name" in after:
        _set_name(system, None if after["name"] is None else meant(system, after["name"]))
    if "pretty" in after:
        assign(system, MACHINE_INFO, {PRETTY: after["pretty"]})
    return ()


def _set_name(system: System, name: str | None) -> None:
    """The running name comes first: where the kernel refuses it, the file does not say that all is done."""
    if system.live and name is not None:
        system.set_host_name(name)
    lines = Lines.parse(system.read(NAME_FILE) or b"")
    named = _named(lines)
    if named:
        keep_told(system, lines.texts[named[0]].strip())
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
