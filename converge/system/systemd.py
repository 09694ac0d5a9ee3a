"""The service manager of the running machine: what it says of units, and what it is asked to do (systemctl(1)).

Jobs are queued: a run that is itself part of the boot would wait for itself. Once the machine is up they are waited
for, since only that tells whether they went well, but not for long: the run may be what they wait for.
"""

from converge.errors import ProviderError
from converge.system import CommandResult, CommandTimeout, ReadOnlySystem, System

BOOTED = "/run/systemd/system"
"""There while systemd is the service manager (sd_booted(3))."""
WAIT = 30.0
"""Seconds that a job is waited for. One that takes longer goes on by itself."""

_NOT_LOADED = 5
_PROPERTIES = "ActiveState,Job,Type,RemainAfterExit"
_RUNNING = ("active", "activating", "reloading")
_BOOTING = ("initializing", "starting")
_UP = ("running", "degraded")


def manages(system: ReadOnlySystem) -> bool:
    """Whether systemd runs this root's services; in a chroot, at least, it does not."""
    return system.live and system.stat(BOOTED) is not None


def is_running(system: ReadOnlySystem, unit: str) -> bool:
    """Whether a unit runs or, where a job for it is queued, will run after that."""
    found = _shown(system, _PROPERTIES, unit)
    if found.get("Job"):
        return _job_type(system, unit) != "stop"
    return found.get("ActiveState") in _RUNNING


def require_lasting(system: ReadOnlySystem, unit: str) -> None:
    """ProviderError for a unit that does its work and ends, which would never be found running."""
    found = _shown(system, _PROPERTIES, unit)
    if found.get("Type") == "oneshot" and found.get("RemainAfterExit") == "no":
        hint = "enable it instead, or give it RemainAfterExit=yes"
        raise ProviderError(f"{unit} does its work and ends, so it is never found running", hint=hint)


def state(system: ReadOnlySystem) -> str:
    """What the manager is at, such as `starting` or `running`."""
    return system.query(["systemctl", "is-system-running"]).stdout.strip()


def is_booting(manager: str) -> bool:
    return manager in _BOOTING


def reload(system: System) -> None:
    system.run(["systemctl", "daemon-reload"]).require()


def change(system: System, verb: str, unit: str, manager: str) -> None:
    """Have a unit started, stopped or restarted by a verb of systemctl; a unit that is not there is let be.

    ProviderError where the job fails while the machine is up (`manager`, as `state` tells).
    """
    if manager not in _UP:
        _require(system.run(["systemctl", "--no-block", verb, "--", unit]), verb)
        return
    try:
        _require(system.run(["systemctl", verb, "--", unit], timeout=WAIT), verb)
    except CommandTimeout:
        return  # it is queued and goes on


def _require(done: CommandResult, verb: str) -> None:
    if verb == "start" or done.returncode != _NOT_LOADED:
        done.require()


def is_wanted_now(system: ReadOnlySystem, unit: str) -> bool:
    """Whether something that is active, or is being started, wants the unit."""
    wanting = " ".join(_shown(system, "WantedBy,RequiredBy,UpheldBy", unit).values()).split()
    return any(is_running(system, each) for each in wanting)


def _shown(system: ReadOnlySystem, properties: str, unit: str) -> dict[str, str]:
    said = system.query(["systemctl", "show", f"--property={properties}", "--", unit]).require().stdout
    return {key: value for key, _, value in (line.partition("=") for line in said.splitlines())}


def _job_type(system: ReadOnlySystem, unit: str) -> str:
    said = system.query(["systemctl", "list-jobs", "--no-legend", "--plain"]).require().stdout
    jobs = [line.split() for line in said.splitlines()]
    return next((words[2] for words in jobs if len(words) > 2 and words[1] == unit), "")
