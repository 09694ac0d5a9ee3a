"""A kernel parameter. Owns its line in a file in /etc/sysctl.d, and on the live root sets it in /proc/sys at once.

The file is the state: if only the running value differs, nothing is done. If a line is removed, the running value stays
until the machine boots again.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from converge.errors import ProviderError
from converge.model import Change, Effect, Thing
from converge.providers.identity.sysctl.precedence import refuse_later
from converge.providers.identity.sysctl.sysctlfile import Sysctlfile, dotted, parameter_of, plain
from converge.providers.protocol import ABSENT, PRESENT, Declared, Params, Traits, values
from converge.system import ReadOnlySystem, System
from converge.system.contents import as_value, keep_text, text_of

traits = Traits(groups=(("ensure", "value"),), added="set")

FOLDER = "/etc/sysctl.d"
PARAMETERS = "/proc/sys"

_PARAMETER = re.compile(r"[A-Za-z0-9_.:@-]+(/[A-Za-z0-9_.:@-]+)+")
_FILE = re.compile(rf"{re.escape(FOLDER)}/[^/\s]+\.conf")


def _text(value: Any) -> str | None:  # noqa: ANN401  (the value of an expression)
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
        """Whether the running kernel may refuse it: the key begins with `-`."""
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
        raise ProviderError(f"`value` is missing for {spec.key}", hint="write `value`, or `ensure: absent`")
    if not _PARAMETER.fullmatch(spec.parameter) or {".", ".."} & set(spec.parameter.split("/")):
        raise ProviderError(f"'{spec.key}' is not a kernel parameter", hint="write a name such as net.ipv4.ip_forward")
    if not _FILE.fullmatch(spec.path):
        raise ProviderError(f"'{spec.file}' is not read at boot", hint=f"choose a file such as {FOLDER}/60-router.conf")
    return spec


def thing(spec: Spec) -> Thing:
    return Thing("kernel parameter", dotted(spec.parameter), "sysctl", spec.parameter, stored_in=spec.path)


def declared(spec: Spec) -> Declared:
    return {"ensure": ABSENT} if spec.ensure == ABSENT else {"ensure": PRESENT, "value": as_value(spec.value or "")}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    found = _load(system, spec).find(spec.parameter)
    state = State(ABSENT) if found is None else State(PRESENT, as_value(found.value))
    if spec.ensure == PRESENT and spec.value is not None:
        refuse_later(system, spec.path, spec.parameter, spec.value)
        if state.value != as_value(spec.value):
            _require_parameter(system, spec)
    return state


def _load(system: ReadOnlySystem, spec: Spec) -> Sysctlfile:
    return Sysctlfile.parse(system.read(spec.path) or b"")


def _require_parameter(system: ReadOnlySystem, spec: Spec) -> None:
    """Raise ProviderError if the running kernel lacks the parameter; the kernel of another root is unknown."""
    if system.live and not spec.may_fail and system.stat(f"{PARAMETERS}/{spec.parameter}") is None:
        hint = f"load the module that has it first; if it may be missing, write the key as -{spec.key}"
        raise ProviderError(f"kernel parameter {spec.key} is missing in the running kernel", hint=hint)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    """Set the running value first: if the kernel refuses it, the file must not look as if all were done."""
    after: Mapping[str, Any] = values(changes)
    if not after:
        return ()
    file = _load(system, spec)
    if found := file.find(spec.parameter):
        keep_text(system, found.value)
    if after.get("ensure") == ABSENT:
        file.unset(spec.parameter)
    elif "value" in after:
        value = text_of(system, after["value"], spec.value)
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
