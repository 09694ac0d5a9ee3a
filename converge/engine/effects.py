"""Effects that must follow the changes of a run: once each, at its end, and remembered until they are done."""

from converge.engine.ledger import Ledgers
from converge.errors import ConvergeError
from converge.model import Effect, EffectKind
from converge.system import System, systemd

_VERBS = {
    EffectKind.RESTART: "try-restart",
    EffectKind.RELOAD: "try-reload-or-restart",
    EffectKind.START: "start",
    EffectKind.BOOT_START: "start",
    EffectKind.STOP: "stop",
}
"""The verbs of systemctl(1). A unit that is not running is not restarted."""


def run(ledgers: Ledgers, system: System) -> tuple[tuple[Effect, ...], tuple[str, ...]]:
    """Carry out the pending effects, also those of a killed run, in the order of their kinds; return these and errors.

    Under a foreign root nothing is carried out: that machine will start with the changes.
    """
    pending = _pending(ledgers)
    manager = systemd.state(system) if pending and systemd.manages(system) else None
    done, errors = [], []
    for effect in pending:
        try:
            if _carry_out(effect, system, manager):
                done.append(effect)
        except ConvergeError as error:
            errors.append(f"{effect.kind} {effect.unit}".strip() + f": {error.message}")
            continue
        _forget(ledgers, effect, system)
    return tuple(done), tuple(errors)


def _pending(ledgers: Ledgers) -> list[Effect]:
    found = {effect for ledger in ledgers for effect in ledger.memory.effects if effect.kind is not EffectKind.NOTICE}
    return sorted(found, key=lambda effect: (list(EffectKind).index(effect.kind), effect.unit))


def _carry_out(effect: Effect, system: System, manager: str | None) -> bool:
    """Whether there was anything to do. A reboot is only reported: others decide when it happens."""
    if effect.kind is EffectKind.REBOOT:
        return system.live
    if manager is None or (effect.kind is EffectKind.BOOT_START and not _missed_the_boot(effect, system, manager)):
        return False
    if effect.kind is EffectKind.DAEMON_RELOAD:
        systemd.reload(system)
    else:
        systemd.change(system, _VERBS[effect.kind], effect.unit, manager)
    return True


def _missed_the_boot(effect: Effect, system: System, manager: str) -> bool:
    """Whether systemd would start the unit in this boot, had it been enabled when the boot was planned."""
    return systemd.is_booting(manager) and systemd.is_wanted_now(system, effect.unit)


def _forget(ledgers: Ledgers, effect: Effect, system: System) -> None:
    for ledger in ledgers:
        if effect in ledger.memory.effects:
            ledger.effect_done(system, effect)
