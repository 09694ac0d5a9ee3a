"""`converge apply`: make the machine what its product declares."""

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
TELL_AGAIN = 10.0

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="PRODUCT|PLAN",
        help="A product's name, the path of its manifest, or a plan that `plan --out` saved.",
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
    """Make the machine what the product declares, and remember what was done."""
    output = base.Output(color, format_, json_into)
    with output.result():
        from converge.engine import saved
        from converge.render import json, text

        asked = base.request(product, root, products, event, phase, settings, facts, this_hardware=this_hardware)
        plan = saved.load(product) if product else None
        run = _run(_same_request(asked, plan) if plan else asked, plan)
        output.write(lambda: json.run(run), lambda: text.run(run, columns=output.columns, verbose=verbose))
    return run.exit_code


def _same_request(asked: "Request", plan: "SavedPlan") -> "Request":
    """The request of a saved plan; a command line that asks for anything else contradicts it."""
    from attrs import evolve

    from converge.engine.request import Request

    rest = evolve(asked, product=None).absolute()
    if rest not in (Request(), Request(root=plan.request.root)):
        raise UsageError(
            f"{plan.path} is a saved plan, which has its options in it",
            hint="leave the other options out, or apply the product itself",
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
    with composed(request.root) as root, lock(system := _watched_system(root, request, progress.heard)):
        made, planner = prepare(request, system.read_only())
        if plan:
            saved.require_fit(plan, json.plan(made))
        progress.expect(made.steps)
        try:
            return carry_out(made, planner, system, progress)
        finally:
            progress.clear()


def _watched_system(root: str, request: "Request", heard: Callable[[str], None]) -> "System":
    """A system that tells `heard` what the commands say that it runs."""
    from converge.system import CommandResult, System

    class WatchedSystem(System):
        def run(
            self,
            argv: Sequence[str],
            *,
            on_output: Callable[[str], None] | None = None,
            **options: Any,  # noqa: ANN401  (those of the method itself)
        ) -> CommandResult:
            return super().run(argv, on_output=on_output or heard, **options)

    return WatchedSystem(root, this_hardware=request.this_hardware)


class _Progress:
    """What is going on, on stderr: one line that changes on a terminal; elsewhere a line for what takes long."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.count = self.total = 0
        self.name = ""
        self.said = self.since = monotonic()

    def expect(self, steps: "Sequence[Step]") -> None:
        self.total = sum(_acts(step) for step in steps)

    def started(self, step: "Step") -> None:
        if not _acts(step):
            return
        self.count += 1
        self.name, self.said, self.since = step.id, monotonic(), monotonic()
        if self.terminal:
            self._show("")

    def heard(self, line: str) -> None:
        """A command said something; off a terminal that is told at most every TELL_AGAIN seconds."""
        now = monotonic()
        if self.terminal:
            self._show(line.strip())
        elif now - self.said >= (SLOW if self.said == self.since else TELL_AGAIN):
            self.said = now
            self._write(f"{self._place()}: {safe(line.strip())}\n")

    def finished(self, result: "StepResult") -> None:
        if not self.terminal and _acts(result.step) and result.seconds >= SLOW:
            self._write(f"{self._place()}: {result.outcome} after {result.seconds:.1f} s\n")

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
        with suppress(OSError):  # progress that nobody can see must not end a run
            sys.stderr.write(text)
            sys.stderr.flush()


def _acts(step: "Step") -> bool:
    return step.decision == "apply"
