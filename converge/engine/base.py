"""What comes of a run, as values."""

from collections.abc import Mapping

from attrs import frozen

from converge.errors import ExitCode
from converge.model import Decision, Effect, Outcome, Value
from converge.plan import Plan, Step


@frozen
class StepResult:
    """What came of a step. `seconds` is wall time; the states are those that the provider found before and after."""

    step: Step
    outcome: Outcome
    before_state: Mapping[str, Value] | None = None
    after_state: Mapping[str, Value] | None = None
    error: str | None = None
    seconds: float = 0.0


@frozen
class Run:
    """What came of a plan."""

    plan: Plan
    results: tuple[StepResult, ...]
    effects: tuple[Effect, ...] = ()
    effect_errors: tuple[str, ...] = ()

    @property
    def had_errors(self) -> bool:
        failed = (Outcome.FAILED, Outcome.BLOCKED)
        return bool(self.effect_errors) or any(result.outcome in failed for result in self.results)

    @property
    def exit_code(self) -> ExitCode:
        if self.had_errors:
            return ExitCode.FAILED
        steps = [result.step for result in self.results]
        waiting = any(step.decision is Decision.OWED and step.until == "network" for step in steps)
        return ExitCode.TRY_LATER if waiting else ExitCode.OK
