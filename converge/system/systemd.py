"""The service manager of the running machine: the state of units, and jobs for it (systemctl(1)).

Jobs are queued: a run that is itself part of the boot would wait for itself. Once the machine is up they are waited
for, since only that shows whether they went well, but not for long: they may be waiting for the run.
"""

from attrs import frozen

from converge.errors import ProviderError
from converge.system import CommandResult, CommandTimeout, ReadOnlySystem, System

BOOTED = "/run/systemd/system"
"""There while systemd is the service manager (sd_booted(3))."""
WAIT = 30.0
"""Seconds that a job is waited for. One that takes longer goes on by itself."""

_NOT_LOADED = 5
_RUNNING = ("active", "activating", "reloading")
_BOOTING = ("initializing", "starting")
_UP = ("running", "degraded")


def manages(system: ReadOnlySystem) -> bool:
    """Whether systemd runs this root's services; in a chroot, at least, it does not."""
    return system.live and system.stat(BOOTED) is not None


@frozen
class Unit:
    """A unit as the manager knows it."""

    runs: bool
    """It runs or, if a job for it is queued, will run after that."""
    ends: bool
    """It does its work and ends, so that it is never found running for long."""


def unit(system: ReadOnlySystem, name: str) -> Unit:
    found = _shown(system, "ActiveState,Job,Type,RemainAfterExit", name)
    runs = found.get("ActiveState") in _RUNNING
    if found.get("Job"):
        output = system.query(["systemctl", "list-jobs", "--no-legend", "--plain"]).require().stdout
        jobs = (line.split() for line in output.splitlines())
        runs = next((words[2] for words in jobs if len(words) > 2 and words[1] == name), "") != "stop"
    return Unit(runs, found.get("Type") == "oneshot" and found.get("RemainAfterExit") == "no")


def state(system: ReadOnlySystem) -> str:
    """The state of the manager, such as `starting` or `running`."""
    return system.query(["systemctl", "is-system-running"]).stdout.strip()


def is_booting(manager: str) -> bool:
    return manager in _BOOTING


def reload(system: System) -> None:
    system.run(["systemctl", "daemon-reload"]).require()


def is_active(system: ReadOnlySystem, name: str) -> bool:
    return system.query(["systemctl", "is-active", "--quiet", "--", name]).ok


def start_soon(system: System, name: str) -> None:
    """Have a unit started without waiting for it; ProviderError if it does not exist."""
    _require(system.run(["systemctl", "--no-block", "start", "--", name]), "start")


def change(system: System, verb: str, name: str, manager: str) -> None:
    """Have a unit started, stopped or restarted by a verb of systemctl; a missing unit is fine unless it is to start.

    ProviderError if the job fails while the machine is up (`manager`, the result of `state`).
    """
    if manager not in _UP:
        _require(system.run(["systemctl", "--no-block", verb, "--", name]), verb)
        return
    try:
        _require(system.run(["systemctl", verb, "--", name], timeout=WAIT), verb)
    except CommandTimeout:
        return  # it is queued and goes on


def _require(done: CommandResult, verb: str) -> None:
    if verb == "start" or done.returncode != _NOT_LOADED:
        require(done)


def require(done: CommandResult) -> None:
    """ProviderError with the reason that systemctl gives, which is not always its last line."""
    complaints = [line for line in done.stderr.splitlines() if line.startswith(("Failed to", "Job for"))]
    if not done.ok and complaints:
        raise ProviderError(complaints[0])
    done.require()


def is_wanted_now(system: ReadOnlySystem, name: str) -> bool:
    """Whether something that is active, or is being started, wants the unit."""
    wanting = " ".join(_shown(system, "WantedBy,RequiredBy,UpheldBy", name).values()).split()
    return any(unit(system, each).runs for each in wanting)


def _shown(system: ReadOnlySystem, properties: str, name: str) -> dict[str, str]:
    output = system.query(["systemctl", "show", f"--property={properties}", "--", name]).require().stdout
    return {key: value for key, _, value in (line.partition("=") for line in output.splitlines())}
