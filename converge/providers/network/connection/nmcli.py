"""Have NetworkManager check a profile, if it is installed, and load a profile that has changed.

For a system under a root of its own, that root's nmcli makes the check, if there is one.
"""

from converge.errors import ProviderError
from converge.system import CommandMissing, CommandResult, ReadOnlySystem, System

PROGRAM = "/usr/bin/nmcli"
NOT_RUNNING = 8
"""nmcli(1)."""
NO_BUS = "Could not create NMClient object"
"""An error that nmcli prints early in the boot."""
LIMIT = 30
"""Seconds."""

_OPENING = ("Error: Error writing connection: ", "Error: ")


def check(system: ReadOnlySystem, profile: bytes, name: str) -> None:
    """ProviderError if NetworkManager would refuse the profile."""
    inside = not system.live and system.stat(PROGRAM) is not None
    argv = ["nmcli", "--offline", "connection", "modify", "connection.id", name]
    try:
        done = system.query(argv, stdin=profile, timeout=LIMIT, view="inside" if inside else "data")
    except CommandMissing:
        return
    if not done.ok and _was_checked(done):
        raise ProviderError(f"NetworkManager refuses the profile: {_complaint(done)}")


def _was_checked(done: CommandResult) -> bool:
    """False for an nmcli older than 1.40, which does not know --offline, and for one of another architecture."""
    return "--offline" not in done.stderr and not done.stderr.startswith("bwrap:")


def _complaint(done: CommandResult) -> str:
    printed = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[0]
    return next((printed.removeprefix(each) for each in _OPENING if printed.startswith(each)), printed)


def load(system: System, path: str) -> None:
    """Have a running NetworkManager load the profile again, or forget a removed one; nothing is activated."""
    if not system.live:
        return
    try:
        done = system.run(["nmcli", "connection", "load", path], timeout=LIMIT)
    except CommandMissing:
        return
    if done.returncode != NOT_RUNNING and NO_BUS not in done.stderr:
        done.require()
