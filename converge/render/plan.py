"""Plans and runs as text: the thing, what happens to it, why now; then its fields. The last line counts."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from converge.engine.plan import Plan
from converge.engine.step import Step, summary
from converge.language.schema import rows
from converge.model import Action, Decision, Domain, Effect, EffectKind, Event
from converge.providers.protocol import ABSENT
from converge.render import diagnostics, differences
from converge.render.base import (
    VALUE_WIDTH,
    Line,
    Sources,
    before_and_after,
    pad,
    part_by_part,
    plural,
    safe,
    shorten,
    width,
    wrapped,
)

if TYPE_CHECKING:  # a plan is shown without what a run needs
    from converge.engine.result import Run, StepResult

SYMBOLS = {
    Action.ADD: ("+", "bold green"),
    Action.CHANGE: ("~", "bold yellow"),
    Action.REMOVE: ("-", "bold red"),
    Action.NONE: ("=", "dim"),
}
TROUBLE = ("!", "bold red")
TROUBLED = (Decision.FAILED, Decision.BLOCKED)
FOLDED = (Decision.IN_PLACE, Decision.SETTLED)
"""Decisions that are only counted, unless --verbose is given."""
WORDS = {
    Decision.SETTLED: "settled",
    Decision.BASELINE: "recorded as done",
    Decision.KEEP: "kept",
    Decision.IN_PLACE: "in place",
    Decision.OWED: "owed",
    Decision.NOT_APPLICABLE: "not applicable",
    Decision.BLOCKED: "blocked",
}
NAMING = ("path", "name", "app", "runtime", "key")
"""Parameters that name the thing."""
ID_WIDTH = 32
SENTENCE_WIDTH = 64
INDENT = " " * 8
SLOW_SECONDS = 1.0


def plan(plan: Plan, *, columns: int | None, verbose: bool = False) -> Iterator[Line]:
    """A plan for a terminal of that width (None: for a file or pipe)."""
    yield from _head(plan)
    yield from _table([_Row.of(step) for step in plan.steps], columns, verbose=verbose)
    yield from _orphans(plan)
    yield from diagnostics.diagnostics(plan.diagnostics, Sources(), columns=columns)
    counts = summary(plan.steps)
    doing = f"{counts['add']} to add, {counts['change']} to change, {counts['remove']} to remove"
    yield ("Plan: ", "bold"), (f"{doing}; {_rest(counts)}.", "")


def run(run: "Run", *, columns: int | None, verbose: bool = False) -> Iterator[Line]:
    """The results of a plan, for a terminal of that width (None: for a file or pipe)."""
    yield from _head(run.plan)
    yield from _table([_Row.of_result(result) for result in run.results], columns, verbose=verbose)
    yield from _effects(run)
    yield from _orphans(run.plan)
    yield from diagnostics.diagnostics(run.plan.diagnostics, Sources(), columns=columns)
    counts = summary(result.step for result in run.results)
    done = f"{counts['add']} added, {counts['change']} changed, {counts['remove']} removed"
    yield ("Applied: ", "bold"), (f"{done}; {_rest(counts)}.", "")


def sentence(step: Step, *, done: bool = False) -> str:
    """The thing and what happens to it; `done`: what happened to it."""
    what = thing(step)
    if step.decision is Decision.FAILED:
        return f"{what} cannot be {'removed' if _wants_absence(step) else 'applied'}"
    if step.decision is not Decision.APPLY:
        return f"{what}: {WORDS[step.decision]}"
    if not step.certain and not done:
        return f"{what} may change"
    if step.action in (Action.ADD, Action.REMOVE):
        traits = step.require_provider().traits
        participle = traits.added if step.action is Action.ADD else traits.removed
        return f"{what} {participle}" if done else f"{what} will be {participle}"
    return f"{what} {'changed' if done else 'will change'}"


def thing(step: Step) -> str:
    """The thing in words; if a parameter is unknown, the type with the name that was written."""
    if step.things:
        return safe(step.things[0].words)
    written = (step.resource.with_.get(name) for name in NAMING)
    name = next((text for text in written if isinstance(text, str) and "{{" not in text), "")
    return safe(f"{step.type} {name}".rstrip())


def _wants_absence(step: Step) -> bool:
    return any(claim.field == "ensure" and claim.value == ABSENT for claim in step.claims)


@frozen
class _Row:
    """One step as it is shown."""

    step: Step
    sentence: str
    reason: str

    @classmethod
    def of(cls, step: Step) -> "_Row":
        reason = step.reason.removeprefix(f"{WORDS[Decision.BASELINE]}: ")
        if step.decision is Decision.APPLY:
            reason = f"{step.policy}, {step.reason}"
        return cls(step, sentence(step), safe(reason))

    @classmethod
    def of_result(cls, result: "StepResult") -> "_Row":
        row = cls.of(result.step)
        seconds = f" ({result.seconds:.1f} s)" if result.seconds >= SLOW_SECONDS else ""
        error = f"; {safe(result.error)}" if result.error and result.error not in result.step.reason else ""
        return cls(result.step, sentence(result.step, done=True), row.reason + seconds + error)

    @property
    def is_quiet(self) -> bool:
        return self.step.decision not in (Decision.APPLY, *TROUBLED)

    @property
    def symbol(self) -> tuple[str, str]:
        return TROUBLE if self.step.decision in TROUBLED else SYMBOLS[self.step.action]


def _head(plan: Plan) -> Iterator[Line]:
    previous, version = plan.versions
    words = [str(plan.event)]
    if plan.event is Event.UPGRADE and previous and version and previous != version:
        words[0] += f" {previous} -> {version}"
    other = plan.events[Domain.DEPLOYMENT]
    if other is not plan.event:
        words.append(f"{other} for this deployment")
    if plan.adopting:
        words.append("adopting this machine")
    place = "" if plan.root == "/" else f" on {plan.root}"
    yield (
        (safe(plan.product.title), "bold"),
        (f" ({safe(plan.product.name)}){safe(place)}: {safe(', '.join(words))}", ""),
    )
    for change in plan.product.from_site:
        yield ((f"  from the site: {safe(change)}", "dim"),)
    yield ()


def _table(found: list[_Row], columns: int | None, *, verbose: bool) -> Iterator[Line]:
    """The rows; steps with nothing to do are only counted."""
    shown = [row for row in found if verbose or row.step.decision not in FOLDED or row.step.reason_code == "edited"]
    ids = min(ID_WIDTH, max((width(safe(row.step.id)) for row in shown), default=0))
    sentences = min(SENTENCE_WIDTH, max((width(row.sentence) for row in shown), default=0))
    for row in shown:
        yield from _row(row, ids, sentences, columns)
        yield from _details(row.step, columns, verbose=verbose)
    folded = len(found) - len(shown)
    if folded:
        yield ((f"  = {folded} in place or settled", "dim"),)
    if found:
        yield ()


def _row(row: _Row, ids: int, sentences: int, columns: int | None) -> Iterator[Line]:
    """A row on one line, or its sentence and its reason below each other if the terminal is too narrow."""
    style = "" if row.is_quiet else "bold"
    lead: Line = (("  ", ""), row.symbol, (f" {pad(shorten(safe(row.step.id), ids), ids)}  ", style))
    trouble = "red" if row.step.decision in TROUBLED else "dim"
    taken = 4 + ids + 2
    if columns is None or taken + max(sentences, width(row.sentence)) + 2 + width(row.reason) <= columns:
        gap = pad(row.sentence, max(sentences, width(row.sentence))) if row.reason else row.sentence
        yield (*lead, (gap, ""), *((("  " + row.reason, trouble),) if row.reason else ()))
        return
    first, *rest = wrapped(row.sentence, max(16, columns - taken)) or [""]
    yield (*lead, (first, ""))
    for line in rest:
        yield ((" " * taken + line, ""),)
    yield from _below(row.reason, trouble, columns)


def _below(text: str, style: str, columns: int | None) -> Iterator[Line]:
    for line in [safe(text)] if columns is None else wrapped(text, columns - len(INDENT)):
        yield ((INDENT + line, style),)


def _details(step: Step, columns: int | None, *, verbose: bool) -> Iterator[Line]:
    yield from fields(step, columns)
    if step.why and (step.changes or step.decision in TROUBLED):
        yield from _below(f"why: {step.why}", "dim italic", columns)
    if verbose:
        yield ((f"{INDENT}{safe(step.source.filename)}:{step.source.line}", "dim"),)


def fields(step: Step, columns: int | None) -> Iterator[Line]:
    """The fields before and after, one per line; a text or a list of lines as its difference."""
    gone = step.action is Action.REMOVE  # the other fields go with the thing
    changes = [change for change in step.changes if change.field != "ensure" and not (gone and change.after is None)]
    lists = [change for change in changes if change.field in rows(step.type)]
    single = list(part_by_part(change for change in changes if change not in lists))
    presence = any(change.field == "ensure" for change in step.kept)  # then the reason says it all
    kept = [] if presence else list(part_by_part(step.kept))
    texts = [change for change in (*single, *kept) if differences.is_text(change, step.contents)]
    values = [change for change in single if change not in texts]
    kept_values = [change for change in kept if change not in texts]
    names = max((width(safe(change.field)) for change in (*values, *kept_values)), default=0)
    room = VALUE_WIDTH if columns is None else max(16, (columns - names - len(INDENT) - 8) // 2)
    for change in values:
        before, after = before_and_after(step.type, change, room)
        name = f"{INDENT}{pad(safe(change.field), names)}  "
        if step.action is Action.ADD:
            yield (name, ""), (after, "green")
        else:
            yield (name, ""), (before, "red"), (" -> ", "dim"), (after, "green")
    for change in kept_values:
        before, after = before_and_after(step.type, change, room)
        yield (
            (f"{INDENT}{pad(safe(change.field), names)}  ", "dim"),
            (before, "cyan"),
            (f" stays (declared: {after})", "dim"),
        )
    for change in lists:
        yield from differences.rows(change, INDENT)
    for change in texts:
        if len(texts) > 1:
            yield ((f"{INDENT}{safe(change.field)}", ""),)
        yield from differences.text(change, step.contents, INDENT, columns, kept=change in kept)


def _rest(counts: Mapping[str, int]) -> str:
    blocked = f", {counts['blocked']} blocked" if counts["blocked"] else ""
    resting = f"{counts['kept']} kept, {counts['owed']} owed, {counts['in_place']} in place"
    return f"{resting}, {counts['failed']} failed{blocked}"


def _orphans(plan: Plan) -> Iterator[Line]:
    """The resources that left the product; nothing of them is undone."""
    if not plan.orphans:
        return
    names = ", ".join(safe(orphan.id) for orphan in plan.orphans)
    yield (
        ("  ? ", "yellow"),
        (f"{plural(len(plan.orphans), 'orphan')}, no longer declared: {names}", ""),
    )
    yield ()


def _effects(run: "Run") -> Iterator[Line]:
    for effect in run.effects:
        yield ("  then: ", "dim"), (_effect(effect), "")
    for error in run.effect_errors:
        yield ("  ! ", "bold red"), (safe(error), "red")
    if run.effects or run.effect_errors:
        yield ()


def _effect(effect: Effect) -> str:
    if effect.kind is EffectKind.REBOOT:
        return "requested a reboot"
    return safe(f"{effect.kind} {effect.unit}".rstrip())
