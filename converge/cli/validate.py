"""`converge validate`: every check that needs no machine; all errors in one run."""

import os
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from converge.cli import base
from converge.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from converge.diagnostics import Diagnostic, Report


class FindingsFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"
    JUNIT = "junit"


Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH…", help="Manifests, or folders of manifests. Default: the installed ones.", show_default=False
    ),
]
FindingsFormatOption = Annotated[
    FindingsFormat, typer.Option("--format", help="The format of the findings.", rich_help_panel=base.OUTPUT)
]


def validate(
    paths: Paths = None,
    products: base.ProductsOption = None,
    format_: FindingsFormatOption = FindingsFormat.TEXT,
    json_into: base.JsonIntoOption = None,
    color: base.ColorOption = base.ColorChoice.AUTO,
) -> ExitCode:
    """Check manifests without a machine, and report all errors in them. Exits with 65 if there are errors."""
    output = base.Output(color, format_, json_into)
    with output.result():
        from converge.checks import validate
        from converge.diagnostics import Report
        from converge.engine.request import search_path
        from converge.render import json

        search = search_path("/", tuple(products or ()))
        found = Report()
        made = validate(paths or _present(search), search, found)
        report = _in_order(found)
        output.write(lambda: json.validation(report), lambda: ())
        _write(report, [product.mark.filename for product in made], format_, output)
    return ExitCode.INVALID if report.errors else ExitCode.OK


def _present(search: Sequence[str]) -> list[str]:
    """The usual folders that exist; UsageError if none does."""
    present = [folder for folder in search if os.path.isdir(folder)]
    if not present:
        message = f"there are no manifests in {' or '.join(search)}"
        raise UsageError(message, hint="give a manifest or a folder of manifests: converge validate PATH")
    return present


def _in_order(report: "Report") -> "Report":
    """By file, in the order of first findings, then by line and column; findings without a place come first."""
    files = list(dict.fromkeys(each.mark.filename for each in report if each.mark))

    def place(each: "Diagnostic") -> tuple[int, int, int]:
        return (files.index(each.mark.filename), each.mark.line, each.mark.column) if each.mark else (-1, 0, 0)

    return type(report)(sorted(report, key=place), report.hidden)


def _write(report: "Report", files: list[str], format_: FindingsFormat, output: base.Output) -> None:
    match format_:
        case FindingsFormat.TEXT:
            from converge.render import diagnostics
            from converge.render.base import Sources

            checked = {*files, *(each.mark.filename for each in report if each.mark)}
            found = diagnostics.diagnostics(report, Sources(report.hidden), columns=output.columns)
            output.lines([*found, diagnostics.verdict(report, len(checked))])
        case FindingsFormat.GITHUB:
            from converge.render import github

            output.raw("".join(f"{line}\n" for line in github.diagnostics(report)))
        case FindingsFormat.SARIF:
            import json

            from converge.render import sarif

            output.raw(json.dumps(sarif.diagnostics(report), indent=2) + "\n")
        case FindingsFormat.JUNIT:
            from converge.render import junit

            output.raw(junit.diagnostics(report, files) + "\n")
