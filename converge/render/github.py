"""Workflow commands of GitHub Actions: annotations on the lines of a change.

The escapes are those of actions/toolkit, packages/core/src/command.ts.
"""

from collections.abc import Iterator

from converge.diagnostics import Diagnostic, Mark, Report
from converge.render.base import relative


def diagnostics(report: Report) -> Iterator[str]:
    return map(_annotation, report)


def _annotation(diagnostic: Diagnostic) -> str:
    place = _place(diagnostic.mark) if diagnostic.mark else {}
    properties = ",".join(f"{key}={_property(value)}" for key, value in {**place, "title": diagnostic.code}.items())
    text = diagnostic.message if diagnostic.hint is None else f"{diagnostic.message}\n{diagnostic.hint}"
    return f"::{diagnostic.severity} {properties}::{_data(text)}"


def _place(mark: Mark) -> dict[str, str]:
    """Columns only if the stretch is on one line: GitHub refuses others. Its end column is inclusive."""
    place = {"file": relative(mark.filename), "line": str(mark.line), "endLine": str(mark.end_line)}
    if mark.line == mark.end_line:
        place |= {"col": str(mark.column), "endColumn": str(max(mark.column, mark.end_column - 1))}
    return place


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
