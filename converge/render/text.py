"""Text for people: findings in the style of a compiler, plans and runs in the style of OpenTofu."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from converge.diagnostics import Diagnostic, InvalidManifest, Mark, Report, Severity
from converge.engine.step import Plan, Step, summary
from converge.errors import ConvergeError
from converge.language.schema import rows
from converge.model import Action, Change, Decision, Domain, Effect, EffectKind
from converge.render.base import (
    VALUE_WIDTH,
    Line,
    Sources,
    Span,
    before_and_after,
    pad,
    part_by_part,
    plain,
    plural,
    safe,
    shorten,
    width,
    wrapped,
)

if TYPE_CHECKING:  # the engine is heavy, and errors are told by verbs without it
    from converge.engine.result import Run, StepResult

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow"}
GUTTER = "blue"
LINE_WIDTH = 100
GUTTER_WIDTH = 8
BEFORE_STRETCH = 40

SYMBOLS = {
    Action.ADD: ("+", "bold green"),
    Action.CHANGE: ("~", "bold yellow"),
    Action.REMOVE: ("-", "bold red"),
    Action.NONE: ("=", "dim"),
}
TROUBLE = ("!", "bold red")
TROUBLED = (Decision.FAILED, Decision.BLOCKED)
FOLDED = (Decision.IN_PLACE, Decision.SETTLED)
WORDS = {
    Decision.BASELINE: "baselined",
    Decision.IN_PLACE: "in place",
    Decision.KEEP: "kept",
    Decision.NOT_APPLICABLE: "not applicable",
}
ID_WIDTH = 40
INDENT = " " * 6
SLOW_SECONDS = 1.0


def diagnostics(found: Iterable[Diagnostic], sources: Sources, *, columns: int | None = None) -> Iterator[Line]:
    """Each diagnostic, with an empty line after it, for a terminal of so many columns (None: for a file or pipe)."""
    room = LINE_WIDTH if columns is None else min(LINE_WIDTH, columns - GUTTER_WIDTH)
    for diagnostic in found:
        yield from _diagnostic(diagnostic, sources, room)
        yield ()


def verdict(report: Report, manifests: int) -> Line:
    """The last line of `validate`."""
    if not report.diagnostics:
        return ((f"{plural(manifests, 'manifest')} valid", "bold green"),)
    errors, warnings = plural(len(report.errors), "error"), plural(len(report.warnings), "warning")
    return (
        (f"{errors}, {warnings} in {plural(manifests, 'manifest')}", "bold red" if report.errors else "bold yellow"),
    )


def _diagnostic(diagnostic: Diagnostic, sources: Sources, room: int) -> Iterator[Line]:
    style = STYLES[diagnostic.severity]
    yield (f"{diagnostic.severity}[{diagnostic.code}]", style), (f": {safe(diagnostic.message)}", "bold")
    beside, below = _place_of_hint(diagnostic, sources, room)
    excerpts = _Excerpts(sources, room)
    if diagnostic.mark:
        yield from excerpts.of(diagnostic.mark, arrow="-->", pointer="^", style=style, label=beside)
    for related in diagnostic.related:
        yield from excerpts.of(related.mark, arrow=":::", pointer="-", style=GUTTER, label=related.message)
    if below:
        yield ("      = ", GUTTER), ("help", "bold"), (f": {safe(below)}", "")


def failure(error: ConvergeError, *, columns: int | None = None) -> Iterator[Line]:
    """An error that ended a verb, after the findings that it carries."""
    if isinstance(error, InvalidManifest):
        yield from diagnostics(error.report, Sources(error.report.hidden), columns=columns)
    yield ("error", "bold red"), (f": {safe(error.message)}", "bold")
    if error.hint:
        yield ("hint", "bold cyan"), (f": {safe(error.hint)}", "")


def _place_of_hint(diagnostic: Diagnostic, sources: Sources, room: int) -> tuple[str, str]:
    """The hint as (label beside the underline, line of its own below): a label has to fit, and needs an underline."""
    hint, mark = diagnostic.hint or "", diagnostic.mark
    line = sources.line(mark.filename, mark.line) if mark else None
    if mark is None or line is None:
        return "", hint
    _, (indent, length) = _window(line, mark, room)
    return (hint, "") if indent + length + width(hint) < room else ("", hint)


@frozen
class _Excerpts:
    """Lines of the sources with a stretch underlined, in so much room."""

    sources: Sources
    room: int

    def of(self, mark: Mark, *, arrow: str, pointer: str, style: str, label: str) -> Iterator[Line]:
        yield (f"  {arrow} ", GUTTER), (safe(str(mark)), "")
        line = self.sources.line(mark.filename, mark.line)
        if line is None:
            if label:
                yield ("      = ", GUTTER), (safe(label), style)
            return
        shown, (indent, length) = _window(line, mark, self.room)
        told = f" {safe(label)}" if label else ""
        yield (f"{mark.line:>5} | ", GUTTER), (shown, "")
        yield ("      | ", GUTTER), (" " * indent + pointer * length, style), (told, style)


def _window(line: str, mark: Mark, room: int) -> tuple[str, tuple[int, int]]:
    """The line as shown and the stretch in it; of a line that is longer than `room` only what is around the stretch."""
    indent, length = _stretch(line, mark)
    shown = _shown(line)
    if width(shown) <= room:
        return shown, (indent, length)
    start = max(0, min(mark.column - 1, len(line)) - min(BEFORE_STRETCH, room // 2))
    end = start + room - 2  # there is an ellipsis on either side
    lead = "…" if start else ""
    part = _shown(line[start:end])
    indent = indent - width(_shown(line[:start])) + len(lead)
    tail = "…" if end < len(line) else ""
    return lead + part + tail, (indent, min(length, max(1, width(lead + part) - indent)))


def _stretch(line: str, mark: Mark) -> tuple[int, int]:
    """Where on the terminal the stretch begins and how many cells it takes; only its first line counts."""
    start = mark.column - 1
    end = mark.end_column - 1 if mark.end_line == mark.line else len(line.rstrip())
    return width(_shown(line[:start])), max(1, width(_shown(line[start:end])))


def _shown(line: str) -> str:
    return safe(line.replace("\t", "    ").rstrip("\r"))


def plan(plan: Plan, *, columns: int | None, verbose: bool = False) -> Iterator[Line]:
    """A plan for a terminal of so many columns (None: for a file or pipe); the last line counts."""
    yield from _head(plan)
    yield from _steps([(step, ()) for step in plan.steps], columns, verbose=verbose)
    yield from diagnostics(plan.diagnostics, Sources(), columns=columns)
    counts = summary(plan.steps)
    doing = f"{counts['add']} to add, {counts['change']} to change, {counts['remove']} to remove"
    trouble = "".join(f", {counts[name]} {name}" for name in ("blocked", "failed") if counts[name])
    yield ("Plan: ", "bold"), (f"{doing}; {_resting(counts)}{trouble}.", "")


def run(run: "Run", *, columns: int | None, verbose: bool = False) -> Iterator[Line]:
    """What came of a plan, for a terminal of so many columns (None: for a file or pipe); the last line counts."""
    yield from _head(run.plan)
    yield from _steps([(result.step, _aftermath(result)) for result in run.results], columns, verbose=verbose)
    yield from _effects(run)
    yield from diagnostics(run.plan.diagnostics, Sources(), columns=columns)
    counts = summary(result.step for result in run.results)
    done = f"{counts['add']} added, {counts['change']} changed, {counts['remove']} removed"
    blocked = f", {counts['blocked']} blocked" if counts["blocked"] else ""
    yield ("Applied: ", "bold"), (f"{done}; {_resting(counts)}, {counts['failed']} failed{blocked}.", "")


def _resting(counts: Mapping[str, int]) -> str:
    return f"{counts['kept']} kept, {counts['owed']} owed, {counts['in_place']} in place"


def _head(plan: Plan) -> Iterator[Line]:
    other = plan.events[Domain.DEPLOYMENT]
    words = [str(plan.event)]
    if other is not plan.event:
        words.append(f"{other} for this deployment")
    if plan.adopting:
        words.append("adopting this machine")
    yield (safe(plan.product.title), "bold"), (f" ({safe(plan.product.name)}): {', '.join(words)}", "")
    for change in plan.product.from_site:
        yield ((f"  from the site: {safe(change)}", "dim"),)
    yield ()


def _steps(told: list[tuple[Step, Line]], columns: int | None, *, verbose: bool) -> Iterator[Line]:
    """The steps, each with what came of it; those where nothing was to be done are only counted."""
    shown = [pair for pair in told if verbose or pair[0].decision not in FOLDED]
    cells = min(ID_WIDTH, max((width(safe(step.id)) for step, _ in shown), default=0))
    kinds = max((len(_kind(step)) for step, _ in shown), default=0)
    for step, aftermath in shown:
        yield from _fitted(_title(step, cells, kinds), (_reason_span(step), *aftermath), columns)
        yield from _details(step, columns, verbose=verbose)
    folded = len(told) - len(shown)
    if folded:
        yield ((f"  = {folded} in place or settled", "dim"),)
    if told:
        yield ()


def _title(step: Step, cells: int, kinds: int) -> Line:
    quiet = step.decision in (Decision.APPLY, *TROUBLED)
    return (
        ("  ", ""),
        TROUBLE if step.decision in TROUBLED else SYMBOLS[step.action],
        (f" {pad(shorten(safe(step.id), cells), cells)}", "bold" if quiet else ""),
        (f"  {_kind(step):<{kinds}}", "dim"),
    )


def _fitted(title: Line, rest: Line, columns: int | None) -> Iterator[Line]:
    """The rest beside the title, or below it where the terminal is too narrow for both."""
    if columns is None or width(plain((*title, *rest))) <= columns:
        yield (*title, *rest)
        return
    yield title
    for text, style in rest:
        yield from _below(text, style, columns)


def _below(text: str, style: str, columns: int | None) -> Iterator[Line]:
    for line in [safe(text)] if columns is None else wrapped(text, columns - len(INDENT)):
        yield ((INDENT + line, style),)


def _reason_span(step: Step) -> Span:
    return f"  {safe(_reason(step))}", "red" if step.decision in TROUBLED else ""


def _kind(step: Step) -> str:
    return f"{step.type}, {step.policy}"


def _reason(step: Step) -> str:
    """The decision in a word, unless it is to apply, and its reason; a reason that says the word itself says enough."""
    if step.decision is Decision.APPLY:
        return step.reason.removeprefix(step.policy).lstrip(",; ")  # the policy stands beside the type already
    word = WORDS.get(step.decision, str(step.decision))
    if not step.reason or step.reason == word:
        return word
    return f"{word}: {step.reason}"


def _details(step: Step, columns: int | None, *, verbose: bool) -> Iterator[Line]:
    changes = [change for change in step.changes if change.field != "ensure" or step.action is Action.CHANGE]
    lists = [change for change in changes if change.field in rows(step.type)]
    changes = list(part_by_part(change for change in changes if change not in lists))
    kept = list(part_by_part(step.kept))
    names = max((width(safe(change.field)) for change in (*changes, *kept)), default=0) + 1
    room = VALUE_WIDTH if columns is None else max(16, (columns - names - 12) // 2)
    values = {change.field: before_and_after(step.type, change, room) for change in (*changes, *kept)}
    before = max((width(values[change.field][0]) for change in changes), default=0)
    for change in changes:
        yield _change(change, names, pad(values[change.field][0], before), values[change.field][1])
    for change in lists:
        yield from _rows(change)
    for change in kept:
        yield (f"      {pad(safe(change.field) + ':', names)} ", "dim"), *_kept(*values[change.field])
    if step.why and (changes or lists or step.decision in TROUBLED):
        yield from _below(f"why: {step.why}", "dim italic", columns)
    if verbose:
        yield ((f"      {safe(step.source.filename)}:{step.source.line}", "dim"),)


def _change(change: Change, names: int, before: str, after: str) -> Line:
    field = f"      {pad(safe(change.field) + ':', names)} "
    return (field, ""), (before, "red"), (" -> ", "dim"), (after, "green")


def _rows(change: Change) -> Iterator[Line]:
    """A list of lines before and after as one: those that go and come are marked, and each is at its place."""
    from difflib import ndiff  # slow to import, and hardly ever of use

    yield ((f"      {safe(change.field)}:", ""),)
    before, after = (
        [str(line) for line in lines] if isinstance(lines, list | tuple) else []
        for lines in (change.before, change.after)
    )
    for line in ndiff(before, after, linejunk=None, charjunk=None):
        if not line.startswith("?"):
            yield ((f"        {safe(line)}".rstrip(), {"-": "red", "+": "green"}.get(line[0], "dim")),)


def _kept(before: str, after: str) -> Line:
    return (before, "cyan"), (" kept, not ", "dim"), (after, "dim")


def _aftermath(result: "StepResult") -> Line:
    slow = ((f" ({result.seconds:.1f} s)", "dim"),) if result.seconds >= SLOW_SECONDS else ()
    untold = result.error is not None and result.error not in result.step.reason
    return (*slow, (f" {safe(result.error)}", "red")) if untold and result.error else slow


def _effects(run: "Run") -> Iterator[Line]:
    for effect in run.effects:
        yield ("  then: ", "dim"), (_effect(effect), "")
    for error in run.effect_errors:
        yield ("  ! ", "bold red"), (safe(error), "red")
    if run.effects or run.effect_errors:
        yield ()


def _effect(effect: Effect) -> str:
    if effect.kind is EffectKind.REBOOT:
        return "asked for a reboot"
    return safe(f"{effect.kind} {effect.unit}".rstrip())
