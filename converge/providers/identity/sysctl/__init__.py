"""A kernel parameter. Owns its line in a file below /etc/sysctl.d, and on the live root sets it in /proc/sys at once.

The file is the state: where only the running value differs, nothing is done. What a removed line had set stays as it is
until the machine boots again.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.identity.sysctl.precedence import refuse_later
from converge.providers.identity.sysctl.sysctlfile import Sysctlfile, dotted, parameter_of, plain
from converge.providers.protocol import (
    ABSENT,
    PRESENT,
    Params,
    compare,
    domain_of_path,
    every_field,
    keep_told,
    meant,
    told,
    values,
)
from converge.system import ReadOnlySystem, System

__all__ = ["GROUPS", "TYPE", "Spec", "State", "apply", "claims", "diff", "domains", "inspect", "parse"]

TYPE = "sysctl"
GROUPS = (("ensure", "value"),)

FOLDER = "/etc/sysctl.d"
PARAMETERS = "/proc/sys"

_PARAMETER = re.compile(r"[A-Za-z0-9_.:@-]+(/[A-Za-z0-9_.:@-]+)+")
_FILE = re.compile(rf"{re.escape(FOLDER)}/[^/\s]+\.conf")


def _text(value: Any) -> str | None:  # noqa: ANN401  (what an expression gives)
    return value if value is None else plain(str(int(value) if isinstance(value, bool) else value))


@frozen
class Spec:
    key: str
    value: str | None = field(default=None, converter=_text)
    ensure: Literal["present", "absent"] = "present"
    file: str | None = None

    @property
    def parameter(self) -> str:
        """Its path below /proc/sys."""
        return parameter_of(self.key)

    @property
    def may_fail(self) -> bool:
        """Whether it is no error that the running kernel refuses it, which a `-` before the key says."""
        return self.key.startswith("-")

    @property
    def path(self) -> str:
        return self.file or f"{FOLDER}/60-converge-{dotted(self.parameter).replace('/', '-')}.conf"


@frozen
class State:
    ensure: str
    value: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.value is None and spec.ensure == PRESENT:
        raise ProviderError(f"there is no value for {spec.key}", hint="write the `value`, or `ensure: absent`")
    if not _PARAMETER.fullmatch(spec.parameter) or {".", ".."} & set(spec.parameter.split("/")):
        raise ProviderError(f"'{spec.key}' is no kernel parameter", hint="write it as net.ipv4.ip_forward")
    if not _FILE.fullmatch(spec.path):
        raise ProviderError(f"'{spec.file}' is not read at boot", hint=f"name a file {FOLDER}/….conf")
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    value: dict[str, Value] = {"value": told(spec.value or "")} if spec.ensure == PRESENT else {}
    wanted: dict[str, Value] = {"ensure": spec.ensure, **value}
    return tuple(Claim("sysctl", spec.parameter, name, value) for name, value in wanted.items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return every_field(State, domain_of_path(system, spec.path))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    found = _load(system, spec).find(spec.parameter)
    state = State(ABSENT) if found is None else State(PRESENT, told(found.value))
    if spec.ensure == PRESENT and spec.value is not None:
        refuse_later(system, spec.path, spec.parameter, spec.value)
        if diff(spec, state):
            _require_parameter(system, spec)
    return state


def _load(system: ReadOnlySystem, spec: Spec) -> Sysctlfile:
    return Sysctlfile.parse(system.read(spec.path) or b"")


def _require_parameter(system: ReadOnlySystem, spec: Spec) -> None:
    """ProviderError where the running kernel does not have it; of the kernel of another root nothing can be said."""
    if system.live and not spec.may_fail and system.stat(f"{PARAMETERS}/{spec.parameter}") is None:
        hint = "load the module that has it first, or write a `-` before the key if it may be missing"
        raise ProviderError(f"this kernel has no parameter {spec.key}", hint=hint)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    return compare({"ensure": spec.ensure, "value": told(spec.value or "")}, state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    """The running value comes first: where the kernel refuses it, the file does not say that all is done."""
    after: Mapping[str, Any] = values(changes)
    if not after:
        return ()
    file = _load(system, spec)
    if found := file.find(spec.parameter):
        keep_told(system, found.value)
    if after.get("ensure") == ABSENT:
        file.unset(spec.parameter)
    elif "value" in after:
        value = meant(system, after["value"], spec.value)
        _set_running(system, spec, value)
        file.set(spec.parameter, spec.key, value)
    if file.dump():
        system.write(spec.path, file.dump())
    else:
        system.remove(system.resolve(spec.path))
    return ()


def _set_running(system: System, spec: Spec, value: str) -> None:
    try:
        if system.live:
            system.set_kernel_parameter(spec.parameter, value)
    except ProviderError:
        if not spec.may_fail:
            raise
