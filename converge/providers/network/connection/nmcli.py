"""NetworkManager's own word on a profile, where it is installed; and telling it that a profile is another now.

A system under a root of its own is asked with the nmcli that it will run with, if it has one.
"""

from converge.errors import ProviderError
from converge.system import CommandMissing, CommandResult, ReadOnlySystem, System

PROGRAM = "/usr/bin/nmcli"
NOT_RUNNING = 8
"""nmcli(1)."""
NO_BUS = "Could not create NMClient object"
"""What nmcli says early in the boot."""
LIMIT = 30
"""Seconds."""

_OPENING = ("Error: Error writing connection: ", "Error: ")


def check(system: ReadOnlySystem, profile: bytes, name: str) -> None:
    """ProviderError where NetworkManager would refuse the profile."""
    inside = not system.live and system.stat(PROGRAM) is not None
    argv = ["nmcli", "--offline", "connection", "modify", "connection.id", name]
    try:
        done = system.query(argv, stdin=profile, timeout=LIMIT, view="inside" if inside else "data")
    except CommandMissing:
        return
    if not done.ok and _has_looked(done):
        raise ProviderError(f"NetworkManager refuses the profile: {_said(done)}")


def _has_looked(done: CommandResult) -> bool:
    """Not one older than 1.40, which does not know --offline, nor one of a machine of another kind."""
    return "--offline" not in done.stderr and not done.stderr.startswith("bwrap:")


def _said(done: CommandResult) -> str:
    said = (done.stderr.strip() or f"it ends with code {done.returncode}").splitlines()[0]
    return next((said.removeprefix(each) for each in _OPENING if said.startswith(each)), said)


def load(system: System, path: str) -> None:
    """Have a NetworkManager that runs read the profile anew, or forget it where it is gone; nothing is activated."""
    if not system.live:
        return
    try:
        done = system.run(["nmcli", "connection", "load", path], timeout=LIMIT)
    except CommandMissing:
        return
    if done.returncode != NOT_RUNNING and NO_BUS not in done.stderr:
        done.require()
