"""Pass a new locale to the running systemd: it read the files only when it started."""

from collections.abc import Mapping

from converge.model import Effect, EffectKind
from converge.system import ReadOnlySystem, System

CONSOLE_SETUP = "systemd-vconsole-setup.service"
SYSTEMD_RUNS = "/run/systemd/system"
"""sd_booted(3)."""


def set_environment(system: System, variables: Mapping[str, str | None]) -> None:
    """Set these variables for programs that the service manager starts from now on; None sets an empty one.

    systemd cannot forget a variable that it read when it started, and an empty one counts as unset (locale(7)).
    """
    if _runs_systemd(system):
        assigned = [f"{name}={value or ''}" for name, value in variables.items()]
        system.run(["systemctl", "set-environment", *assigned], timeout=30).require()


def console_effects(system: ReadOnlySystem) -> tuple[Effect, ...]:
    """The restart that gives the console its keymap; Debian does not have this service."""
    has_service = _runs_systemd(system) and system.stat(f"/usr/lib/systemd/system/{CONSOLE_SETUP}")
    return (Effect(EffectKind.RESTART, CONSOLE_SETUP),) if has_service else ()


def _runs_systemd(system: ReadOnlySystem) -> bool:
    return system.live and system.stat(SYSTEMD_RUNS) is not None
