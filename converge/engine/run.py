"""Carry out a plan: the only place that changes both the system and the ledgers."""

from typing import Protocol

from converge.engine import effects, loops
from converge.engine.execution import Execution
from converge.engine.ledger import Ledgers
from converge.engine.occasion import Occasion
from converge.engine.plan import Plan, Planner
from converge.engine.result import Run, StepResult
from converge.engine.step import Step
from converge.errors import ConvergeError
from converge.model import EffectKind, Event
from converge.system import System, deployments


class Observer(Protocol):
    """Follows a run, to show progress."""

    def started(self, step: Step) -> None: ...

    def finished(self, result: StepResult) -> None: ...


def carry_out(plan: Plan, planner: Planner, system: System, observer: Observer | None = None) -> Run:
    """Apply a plan. The caller made it under the lock and still holds the lock."""
    ledgers, occasion = planner.ledgers, planner.occasion
    for ledger in ledgers:
        ledger.recover(system)
        ledger.stamp(occasion.events[ledger.domain], occasion.deployment.version, plan.product.name)
    _open(ledgers, occasion, plan, system)
    problems = _settle_staged(system)
    execution = Execution(planner, system, _followers(plan))
    execution.note_ahead(plan.steps)
    for step in plan.steps:
        if observer:
            observer.started(step)
        result = execution.carry_out(step)
        if observer:
            observer.finished(result)
    results = tuple(execution.results.values())
    _drop_stale_notices(results, ledgers, system)
    loops.settle(plan.product, results, planner)
    done, errors = effects.run(ledgers, system)
    _close(ledgers, occasion, plan, system)
    return Run(plan, results, done, (*problems, *errors))


def _settle_staged(system: System) -> tuple[str, ...]:
    """Finish the work that an earlier run left for the reboot; returns errors."""
    try:
        deployments.settle(system)
    except ConvergeError as error:
        return (f"unpinning older deployments: {error.message}",)
    return ()


def _followers(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Per id, the steps that react to its change."""
    found: dict[str, tuple[str, ...]] = {}
    for step in plan.steps:
        for id_ in step.follows:
            found[id_] = (*found.get(id_, ()), step.id)
    return found


def _drop_stale_notices(results: tuple[StepResult, ...], ledgers: Ledgers, system: System) -> None:
    """Drop notices for resources that are no longer declared."""
    steps = [result.step for result in results]
    for ledger in ledgers:
        wanted = {notice for each in steps for notice in ledger.memory.notices(each.resource, each.id)}
        for effect in ledger.memory.effects:
            if effect.kind is EffectKind.NOTICE and effect not in wanted:
                ledger.effect_done(system, effect)


def _open(ledgers: Ledgers, occasion: Occasion, plan: Plan, system: System) -> None:
    for ledger in ledgers:
        event = occasion.events[ledger.domain]
        if not ledger.refused and (event in (Event.INSTALL, Event.UPGRADE) or occasion.adopting):
            ledger.open(system, occasion.opened(ledger.domain), occasion.began, plan.product.name, plan.source)


def _close(ledgers: Ledgers, occasion: Occasion, plan: Plan, system: System) -> None:
    system.keep_secret_key()
    for ledger in ledgers:
        if ledger.refused:
            continue
        ledger.end_run(occasion.deployment.version)
        if not occasion.stays_open:
            ledger.close(occasion.deployment, plan.product.name, plan.source)
        ledger.fold(system)
