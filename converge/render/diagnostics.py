"""Findings as text, in the style of a compiler, and the error that ends a verb."""

from collections.abc import Iterable, Iterator

from attrs import frozen

from converge.diagnostics import Diagnostic, InvalidManifest, Mark, Report, Severity
from converge.errors import ConvergeError
from converge.render.base import (
    Line,
    Sources,
    plural,
    safe,
    width,
)

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow"}
GUTTER = "blue"
LINE_WIDTH = 100
GUTTER_WIDTH = 8
BEFORE_STRETCH = 40


def diagnostics(found: Iterable[Diagnostic], sources: Sources, *, columns: int | None = None) -> Iterator[Line]:
    """Each diagnostic, with an empty line after it, for a terminal of that width (None: for a file or pipe)."""
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
    """The hint as (label beside the underline, line below): a label must fit, and needs an underline."""
    hint, mark = diagnostic.hint or "", diagnostic.mark
    line = sources.line(mark.filename, mark.line) if mark else None
    if mark is None or line is None:
        return "", hint
    _, (indent, length) = _window(line, mark, room)
    return (hint, "") if indent + length + width(hint) < room else ("", hint)


@frozen
class _Excerpts:
    """Lines of the sources with a stretch underlined, in `room` cells."""

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
        words = f" {safe(label)}" if label else ""
        yield (f"{mark.line:>5} | ", GUTTER), (shown, "")
        yield ("      | ", GUTTER), (" " * indent + pointer * length, style), (words, style)


def _window(line: str, mark: Mark, room: int) -> tuple[str, tuple[int, int]]:
    """The line as shown and the stretch in it; a line longer than `room` is cut to the surroundings of the stretch."""
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
    """The first cell of the stretch on the terminal, and its number of cells; only its first line counts."""
    start = mark.column - 1
    end = mark.end_column - 1 if mark.end_line == mark.line else len(line.rstrip())
    return width(_shown(line[:start])), max(1, width(_shown(line[start:end])))


def _shown(line: str) -> str:
    return safe(line.replace("\t", "    ").rstrip("\r"))
