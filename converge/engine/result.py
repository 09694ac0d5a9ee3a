"""The results of a run, as values."""

from collections.abc import Mapping

from attrs import frozen

from converge.engine.plan import Plan
from converge.engine.step import Step
from converge.errors import ExitCode
from converge.model import Decision, Effect, Outcome, Value


@frozen
class StepResult:
    """The result of a step. `seconds` is wall time; the states are those that the provider found before and after."""

    step: Step
    outcome: Outcome
    before_state: Mapping[str, Value] | None = None
    after_state: Mapping[str, Value] | None = None
    error: str | None = None
    seconds: float = 0.0


@frozen
class Run:
    """The results of a plan."""

    plan: Plan
    results: tuple[StepResult, ...]
    effects: tuple[Effect, ...] = ()
    effect_errors: tuple[str, ...] = ()

    @property
    def had_errors(self) -> bool:
        """A blocked step is not counted: it is blocked by a failure, or by owed work, which is not an error."""
        return bool(self.effect_errors) or any(result.outcome is Outcome.FAILED for result in self.results)

    @property
    def exit_code(self) -> ExitCode:
        if self.had_errors:
            return ExitCode.FAILED
        return ExitCode.TRY_LATER if any(map(self._lacked_network, self.results)) else ExitCode.OK

    def _lacked_network(self, result: StepResult) -> bool:
        """Whether to try this run again; not if the step waits for a later phase than this run's."""
        step = result.step
        return step.decision is Decision.OWED and step.until == "network" and step.phase.rank <= self.plan.phase.rank
