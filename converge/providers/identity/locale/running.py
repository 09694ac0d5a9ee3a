"""What a running systemd is told of a new locale: it read the files when it started."""

from collections.abc import Mapping

from converge.model import Effect, EffectKind
from converge.system import ReadOnlySystem, System

CONSOLE_SETUP = "systemd-vconsole-setup.service"
SYSTEMD_RUNS = "/run/systemd/system"
"""sd_booted(3)."""


def tell_manager(system: System, variables: Mapping[str, str | None]) -> None:
    """Have what the service manager starts from now on begin with these variables; None: with an empty one.

    It cannot be made to forget what it read when it started, and an empty one counts as unset (locale(7)).
    """
    if _runs_systemd(system):
        assigned = [f"{name}={value or ''}" for name, value in variables.items()]
        system.run(["systemctl", "set-environment", *assigned], timeout=30).require()


def console_effects(system: ReadOnlySystem) -> tuple[Effect, ...]:
    """What gives the console its keymap; Debian has no such service."""
    has_service = _runs_systemd(system) and system.stat(f"/usr/lib/systemd/system/{CONSOLE_SETUP}")
    return (Effect(EffectKind.RESTART, CONSOLE_SETUP),) if has_service else ()


def _runs_systemd(system: ReadOnlySystem) -> bool:
    return system.live and system.stat(SYSTEMD_RUNS) is not None
