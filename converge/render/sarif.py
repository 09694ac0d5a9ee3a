"""SARIF 2.1.0, which code scanning services read."""

from typing import Any
from urllib.parse import quote

from converge import __version__
from converge.diagnostics import Diagnostic, Mark, Report
from converge.render.base import relative

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def diagnostics(report: Report) -> dict[str, Any]:
    rules = list(dict.fromkeys(diagnostic.code for diagnostic in report))
    driver = {"name": "converge", "version": __version__, "rules": [{"id": code} for code in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic, rules) for diagnostic in report],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(diagnostic: Diagnostic, rules: list[str]) -> dict[str, Any]:
    text = diagnostic.message if diagnostic.hint is None else f"{diagnostic.message} ({diagnostic.hint})"
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rules.index(diagnostic.code),
        "level": str(diagnostic.severity),
        "message": {"text": text},
    }
    if diagnostic.mark:
        result["locations"] = [_location(diagnostic.mark)]
    if diagnostic.related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": related.message}, **_location(related.mark)}
            for number, related in enumerate(diagnostic.related, 1)
        ]
    return result


def _location(mark: Mark) -> dict[str, Any]:
    region = {
        "startLine": mark.line,
        "startColumn": mark.column,
        "endLine": mark.end_line,
        "endColumn": mark.end_column,
    }
    return {"physicalLocation": {"artifactLocation": {"uri": quote(relative(mark.filename))}, "region": region}}
