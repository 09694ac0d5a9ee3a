"""A program that runs on the machine if its guards require it.

Owns nothing that can be inspected: `unless` and `creates` decide whether it is done, and a command that follows other
resources runs each time one of them has changed. A command cannot be undone. One that was killed is run again from its
beginning, so it must tolerate that.
"""

import shlex
from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from converge.errors import Later, ProviderError
from converge.model import Change, Depends, Domain, Effect, Phase, Secret, Thing
from converge.providers.paths import checked_path
from converge.providers.protocol import NO_PARAMETER, Declared, Desired, Params, Traits, field_names, values
from converge.system import CommandResult, ReadOnlySystem, System

traits = Traits(groups=(("done", "ran"),), unprotected=("done", "ran"), opaque=True)

TEMPORARY_FAILURE = 75
"""EX_TEMPFAIL of sysexits.h: the program requests another run later."""
QUERY_LIMIT = 60
"""Seconds that `unless` may take."""
OUTPUT_LIMIT = 400
"""Characters of a program's last line in a message."""
NAME_LIMIT = 60
"""Characters of a command line in the name of its thing."""


@frozen
class Spec:
    argv: tuple[str, ...] = field(converter=tuple)
    domain: str
    unless: tuple[str, ...] = field(default=(), converter=tuple)
    creates: str | None = None
    after_change: tuple[str, ...] = field(default=(), converter=tuple)
    timeout: int = 600
    environment: Mapping[str, str] = field(factory=dict)
    secrets: Mapping[str, Secret] = field(factory=dict)
    stdin: str | Secret = ""
    cwd: str = field(default="/", converter=checked_path)
    network: bool = False
    sensitive: bool = False
    changed: tuple[str, ...] = field(default=(), metadata=NO_PARAMETER)
    """Those of the resources it follows that have changed."""

    @property
    def surroundings(self) -> dict[str, Any]:
        """The options that `unless` and the command share."""
        return {"view": "inside", "environment": {**self.environment, **self.secrets}, "cwd": self.cwd}


@frozen
class State:
    done: bool | None = None
    """None without `unless` and `creates`."""
    ran: str | None = None
    """The changed resources after which it ran; `inspect` cannot find this."""


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if not (spec.unless or spec.creates or spec.after_change):
        raise ProviderError(
            "`unless`, `creates` and `after_change` are missing", hint="give at least one: it decides when to run"
        )
    twice = sorted({*spec.environment} & {*spec.secrets})
    if twice:
        raise ProviderError(f"{twice[0]} is in both `environment` and `secrets`", hint="remove one of them")
    if any("\0" in word for word in (*spec.argv, *spec.unless, *spec.environment.values())):
        raise ProviderError("an argument or variable contains a NUL character", hint="pass it through `stdin`")
    return evolve(spec, creates=checked_path(spec.creates)) if spec.creates else spec


def notified(spec: Spec, ids: tuple[str, ...]) -> Spec:
    return evolve(spec, changed=ids)


def idle(spec: Spec, state: State) -> str:
    return "no followed resource has changed" if spec.after_change and not state.done else ""


def phase(spec: Spec, changes: tuple[Change, ...]) -> Phase:  # noqa: ARG001  (the protocol)
    return Phase.ONLINE if spec.network else Phase.BOOT


def thing(spec: Spec) -> Thing:
    """Only the id of its resource identifies a command: it stays the same if its arguments change."""
    line = " ".join(shlex.join(spec.argv).split())
    name = line if len(line) <= NAME_LIMIT else f"{line[: NAME_LIMIT - 1]}…"
    return Thing("command", name, "command", spec.domain)


def declared(spec: Spec) -> Declared:  # noqa: ARG001  (the protocol)
    return {"done": Depends.ON_MACHINE}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return dict.fromkeys(field_names(State), Domain(spec.domain))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    return State(_is_done(system, spec))


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:  # noqa: ARG001  (the protocol)
    """`done` if there is a guard, and `ran` if a resource that it follows has changed."""
    if state.done or (spec.after_change and not spec.changed):
        return {}
    done = {} if state.done is None else {"done": True}
    return {**done, "ran": f"after {', '.join(spec.changed)}"} if spec.changed else done


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if after.get("done") is False:
        raise ProviderError("a command cannot be undone", hint="declare another command that reverts it")
    if after and not _is_done(system, spec):
        _run(system, spec)
    return ()


def _is_done(system: ReadOnlySystem, spec: Spec) -> bool | None:
    """Whether one of the guards is met; None without guards."""
    if not spec.unless and not spec.creates:
        return None
    if spec.creates and system.stat(spec.creates):
        return True
    if not spec.unless:
        return False
    return system.query(spec.unless, timeout=min(spec.timeout, QUERY_LIMIT), **spec.surroundings).ok


def _run(system: System, spec: Spec) -> None:
    stdin = spec.stdin.encode() if isinstance(spec.stdin, str) else spec.stdin
    on_output = _discard if spec.sensitive else None
    done = system.run(spec.argv, timeout=spec.timeout, stdin=stdin, on_output=on_output, **spec.surroundings)
    if done.returncode == TEMPORARY_FAILURE:
        raise Later(
            f"'{spec.argv[0]}' requests another run later (exit code {TEMPORARY_FAILURE})",
            "network" if spec.network else "idle",
        )
    if not done.ok:
        raise ProviderError(f"'{spec.argv[0]}' failed with code {done.returncode}{_last_line(spec, done)}")
    if _is_done(system, spec) is False:
        guard = "`unless` still fails" if spec.unless else f"{spec.creates} is still missing"
        hint = f"correct `argv` or `{'unless' if spec.unless else 'creates'}`: they do not match"
        raise ProviderError(f"'{spec.argv[0]}' succeeded, but {guard}", hint=hint)


def _discard(line: str) -> None:
    """Show nothing of the output."""


def _last_line(spec: Spec, done: CommandResult) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return f": {lines[-1][:OUTPUT_LIMIT]}" if lines and not spec.sensitive else ""
