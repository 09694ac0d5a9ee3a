"""`converge apply`: bring the machine to the state that its product declares."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from shutil import get_terminal_size
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from converge.cli import base
from converge.errors import ExitCode, UsageError
from converge.render.base import safe, shorten

if TYPE_CHECKING:
    from converge.engine.request import Request
    from converge.engine.result import Run, StepResult
    from converge.engine.saved import SavedPlan
    from converge.engine.step import Step
    from converge.system import System

SLOW = 1.0
REPEAT = 10.0

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="PRODUCT|PLAN",
        help="A product's name, the path of its manifest, or a plan saved with `plan --out`.",
        show_default=False,
    ),
]


def apply(
    product: Target = None,
    products: base.ProductsOption = None,
    settings: base.SetOption = None,
    root: base.RootOption = "/",
    event: base.EventOption = base.EventChoice.AUTO,
    phase: base.PhaseOption = base.PhaseChoice.ONLINE,
    facts: base.FactsOption = None,
    this_hardware: base.HardwareOption = False,
    format_: base.FormatOption = base.Format.TEXT,
    json_into: base.JsonIntoOption = None,
    color: base.ColorOption = base.ColorChoice.AUTO,
    verbose: base.VerboseOption = False,
) -> ExitCode:
    """Bring the machine to the state that the product declares, and record the changes.

    Exits with 4 if a resource failed, with 75 if one waits for the network.
    """
    output = base.Output(color, format_, json_into)
    with output.result():
        from converge.engine import saved
        from converge.render import json
        from converge.render import plan as text

        given = base.request(product, root, products, event, phase, settings, facts, this_hardware=this_hardware)
        plan = saved.load(product) if product else None
        run = _run(_same_request(given, plan) if plan else given, plan)
        output.write(lambda: json.run(run), lambda: text.run(run, columns=output.columns, verbose=verbose))
    return run.exit_code


def _same_request(given: "Request", plan: "SavedPlan") -> "Request":
    """The request of a saved plan. UsageError if the command line gives other options."""
    from attrs import evolve

    from converge.engine.request import Request

    rest = evolve(given, product=None).absolute()
    if rest not in (Request(), Request(root=plan.request.root)):
        raise UsageError(
            f"{plan.path} is a saved plan, which contains its options",
            hint="leave out the other options, or apply the product: converge apply PRODUCT",
        )
    return plan.request


def _run(request: "Request", plan: "SavedPlan | None") -> "Run":
    from converge.engine import saved
    from converge.engine.request import prepare
    from converge.engine.run import carry_out
    from converge.render import json
    from converge.system import lock
    from converge.system.sysroot import composed

    progress = _Progress()
    with composed(request.root) as root, lock(system := _watched_system(root, request, progress.printed)):
        made, planner = prepare(request, system.read_only())
        if plan:
            saved.require_fit(plan, json.plan(made))
        progress.expect(made.steps)
        try:
            return carry_out(made, planner, system, progress)
        finally:
            progress.clear()


def _watched_system(root: str, request: "Request", printed: Callable[[str], None]) -> "System":
    """A system that calls `printed` with each line that its commands print."""
    from converge.system import CommandResult, System

    class WatchedSystem(System):
        def run(
            self,
            argv: Sequence[str],
            *,
            on_output: Callable[[str], None] | None = None,
            **options: Any,  # noqa: ANN401  (those of the method itself)
        ) -> CommandResult:
            return super().run(argv, on_output=on_output or printed, **options)

    return WatchedSystem(root, this_hardware=request.this_hardware)


class _Progress:
    """Progress on stderr: one changing line on a terminal; otherwise one line per changed, failed or owed resource."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.count = self.total = 0
        self.name = ""
        self.shown = self.since = monotonic()

    def expect(self, steps: "Sequence[Step]") -> None:
        self.total = sum(_acts(step) for step in steps)

    def started(self, step: "Step") -> None:
        if not _acts(step):
            return
        self.count += 1
        self.name, self.shown, self.since = step.id, monotonic(), monotonic()
        if self.terminal:
            self._show("")

    def printed(self, line: str) -> None:
        """Show a line that a command printed; without a terminal at most one every REPEAT seconds."""
        now = monotonic()
        if self.terminal:
            self._show(line.strip())
        elif now - self.shown >= (SLOW if self.shown == self.since else REPEAT):
            self.shown = now
            self._write(f"{self._place()}: {safe(line.strip())}\n")

    def finished(self, result: "StepResult") -> None:
        if not self.terminal and result.outcome != "unchanged":
            from converge.render.plan import sentence

            reason = "" if result.outcome == "changed" else f" ({safe(result.step.reason)})"
            seconds = f" in {result.seconds:.1f} s" if result.seconds >= SLOW else ""
            self._write(f"{safe(result.step.id)}: {sentence(result.step, done=True)}{reason}{seconds}\n")

    def clear(self) -> None:
        if self.terminal and self.total:
            self._write("\r\x1b[K")

    def _place(self) -> str:
        return f"[{self.count}/{self.total}] {safe(self.name)}"

    def _show(self, line: str) -> None:
        cells = get_terminal_size().columns - 1
        text = f"{self._place()}: {safe(line)}" if line else self._place()
        self._write(f"\r\x1b[K{shorten(text, cells)}")

    def _write(self, text: str) -> None:
        with suppress(OSError):  # a closed stderr must not end a run
            sys.stderr.write(text)
            sys.stderr.flush()


def _acts(step: "Step") -> bool:
    return step.decision == "apply"
