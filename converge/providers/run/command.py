"""A program that is run in the machine when a guard says that there is something to do.

Owns nothing that can be looked at: whether it is done is what `unless` and `creates` say, and what follows the changes
of others is done each time one of these has changed. What a command did has no way back, and one that was killed in the
middle is run again from its beginning, so it has to bear that.
"""

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from converge.errors import Later, ProviderError
from converge.model import Change, Claim, Domain, Effect, Phase, Secret
from converge.providers.protocol import DERIVED, Params, checked_path, every_field, values
from converge.system import CommandResult, ReadOnlySystem, System

TYPE = "command"
GROUPS = (("done", "ran"),)
OURS = ("done", "ran")
OPAQUE = True

TEMPORARY_FAILURE = 75
"""EX_TEMPFAIL of sysexits.h: the program asks to be run again later."""
QUERY_LIMIT = 60
"""Seconds that `unless` may take at most."""
SAID_LIMIT = 400
"""Characters of a program's last line in a message."""


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
    changed: tuple[str, ...] = field(default=(), metadata=DERIVED)
    """What has changed of what it follows."""

    @property
    def surroundings(self) -> dict[str, Any]:
        """Those that `unless` and the command itself have in common."""
        return {"view": "inside", "environment": {**self.environment, **self.secrets}, "cwd": self.cwd}


@frozen
class State:
    done: bool | None = None
    """None where nothing can tell."""
    ran: str | None = None
    """After whose changes it ran; what is past cannot be found."""


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if not (spec.unless or spec.creates or spec.after_change):
        raise ProviderError("nothing says when to run", hint="give it `unless`, `creates` or `after_change`")
    twice = sorted({*spec.environment} & {*spec.secrets})
    if twice:
        raise ProviderError(f"{twice[0]} is in environment and in secrets", hint="keep one of them")
    if any("\0" in word for word in (*spec.argv, *spec.unless, *spec.environment.values())):
        raise ProviderError("no argument of a program can hold a NUL character", hint="pass it through `stdin`")
    return evolve(spec, creates=checked_path(spec.creates)) if spec.creates else spec


def notified(spec: Spec, ids: tuple[str, ...]) -> Spec:
    return evolve(spec, changed=ids)


def idle(spec: Spec, state: State) -> str:
    return "nothing that it follows has changed" if spec.after_change and not state.done else ""


def phase(spec: Spec, changes: tuple[Change, ...]) -> Phase:  # noqa: ARG001  (the protocol)
    return Phase.ONLINE if spec.network else Phase.BOOT


def claims(spec: Spec) -> tuple[Claim, ...]:
    """Nothing identifies a command but the id of its resource: it stays the same one when its arguments change."""
    return (Claim(TYPE, spec.domain, "done"),)


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return every_field(State, Domain(spec.domain))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    return State(_is_done(system, spec))


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if state.done or (spec.after_change and not spec.changed):
        return ()
    done = () if state.done is None else (Change("done", state.done, True),)
    ran = (Change("ran", state.ran, f"after {', '.join(spec.changed)}"),) if spec.changed else ()
    return (*done, *ran)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if after.get("done") is False:
        raise ProviderError("what a command did has no way back", hint="declare a command that undoes it")
    if after and not _is_done(system, spec):
        _run(system, spec)
    return ()


def _is_done(system: ReadOnlySystem, spec: Spec) -> bool | None:
    """Either guard can say so; None without any."""
    if not spec.unless and not spec.creates:
        return None
    if spec.creates and system.stat(spec.creates):
        return True
    if not spec.unless:
        return False
    return system.query(spec.unless, timeout=min(spec.timeout, QUERY_LIMIT), **spec.surroundings).ok


def _run(system: System, spec: Spec) -> None:
    stdin = spec.stdin.encode() if isinstance(spec.stdin, str) else spec.stdin
    heard = _nobody if spec.sensitive else None
    done = system.run(spec.argv, timeout=spec.timeout, stdin=stdin, on_output=heard, **spec.surroundings)
    if done.returncode == TEMPORARY_FAILURE:
        raise Later(f"'{spec.argv[0]}' asks to be run again later", "network" if spec.network else "idle")
    if not done.ok:
        raise ProviderError(f"'{spec.argv[0]}' failed with code {done.returncode}{_last_words(spec, done)}")
    if _is_done(system, spec) is False:
        guard = "`unless` still fails" if spec.unless else f"there is still no {spec.creates}"
        raise ProviderError(f"'{spec.argv[0]}' succeeded, but {guard}", hint="one of the two does not fit the other")


def _nobody(line: str) -> None:
    """Is told what a command says while it runs."""


def _last_words(spec: Spec, done: CommandResult) -> str:
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return f": {said[-1][:SAID_LIMIT]}" if said and not spec.sensitive else ""
