"""The JSON documents: a public contract. Names change only with `format_version`."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from converge.diagnostics import Diagnostic, InvalidManifest, Mark, Report, Severity
from converge.engine.plan import Plan
from converge.engine.step import Step, summary
from converge.errors import ConvergeError
from converge.model import Change, Effect
from converge.render.base import shown

if TYPE_CHECKING:  # slow to import; verbs that do not use the engine report errors too
    from converge.engine.result import Run, StepResult

FORMAT_VERSION = "1.0"


def text(document: Mapping[str, Any]) -> str:
    return json.dumps({"format_version": FORMAT_VERSION, **document}, indent=2) + "\n"


def validation(report: Report) -> dict[str, Any]:
    return {
        "valid": not report.errors,
        "error_count": len(report.errors),
        "warning_count": len(report.warnings),
        "diagnostics": diagnostics(report),
    }


def failure(error: ConvergeError) -> dict[str, Any]:
    """The document of a verb that failed, in place of its result."""
    if isinstance(error, InvalidManifest):
        return {"had_errors": True, **validation(error.report)}
    return {"had_errors": True, "diagnostics": [_of_error(error)]}


def plan(plan: Plan) -> dict[str, Any]:
    return {
        **_head(plan),
        "steps": [_step(step) for step in plan.steps],
        "summary": summary(plan.steps),
        "diagnostics": diagnostics(plan.diagnostics),
    }


def run(run: "Run") -> dict[str, Any]:
    return {
        **_head(run.plan),
        "had_errors": run.had_errors,
        "steps": [_result(result) for result in run.results],
        "effects": [_effect(effect) for effect in run.effects],
        "effect_errors": list(run.effect_errors),
        "summary": summary(result.step for result in run.results),
        "diagnostics": diagnostics(run.plan.diagnostics),
    }


def diagnostics(found: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    return [
        {
            "severity": str(diagnostic.severity),
            "code": diagnostic.code,
            "message": diagnostic.message,
            "hint": diagnostic.hint,
            "range": _range(diagnostic.mark),
            "related": [{"message": related.message, "range": _range(related.mark)} for related in diagnostic.related],
        }
        for diagnostic in found
    ]


def _of_error(error: ConvergeError) -> dict[str, Any]:
    return diagnostics([Diagnostic(Severity.ERROR, "error", error.message, error.hint)])[0]


def _range(mark: Mark | None) -> dict[str, Any] | None:
    if mark is None:
        return None
    return {
        "filename": mark.filename,
        "start": {"line": mark.line, "column": mark.column},
        "end": {"line": mark.end_line, "column": mark.end_column},
    }


def _head(plan: Plan) -> dict[str, Any]:
    return {
        "product": plan.product.name,
        "event": str(plan.event),
        "events": {str(domain): str(event) for domain, event in plan.events.items()},
        "adopting": plan.adopting,
        "from_site": list(plan.product.from_site),
        "orphans": [{"id": orphan.id, "type": orphan.type} for orphan in plan.orphans],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "type": step.type,
        "things": [thing.words for thing in step.things],
        "policy": str(step.policy),
        "event": str(step.event),
        "action": str(step.action),
        "decision": str(step.decision),
        "reason": step.reason,
        "reason_code": step.reason_code,
        "why": step.why,
        "domains": [str(domain) for domain in step.domains],
        "phase": str(step.phase),
        "certain": step.certain,
        "needs": list(step.needs),
        "until": step.until,
        "changes": [_change(change) for change in step.changes],
        "kept": [_change(change) for change in step.kept],
        "source": {"file": step.source.filename, "line": step.source.line},
    }


def _result(result: "StepResult") -> dict[str, Any]:
    return {
        **_step(result.step),
        "outcome": str(result.outcome),
        "before_state": shown(result.before_state),
        "after_state": shown(result.after_state),
        "error": result.error,
        "seconds": round(result.seconds, 3),
    }


def _change(change: Change) -> dict[str, Any]:
    return {"field": change.field, "before": shown(change.before), "after": shown(change.after)}


def _effect(effect: Effect) -> dict[str, str]:
    return {"kind": str(effect.kind), "unit": effect.unit}
