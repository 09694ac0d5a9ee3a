"""JUnit XML as CI services read it: one test case per manifest, which fails with its errors."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from converge.diagnostics import Diagnostic, Report, Severity
from converge.render.base import relative, safe


def diagnostics(report: Report, files: Sequence[str]) -> str:
    """`files` are the manifests that were checked; one without findings is a test case that passed."""
    names = list(dict.fromkeys([*map(relative, files), *map(_file_of, report)]))
    suite = ET.Element(
        "testsuite", name="converge validate", tests=str(len(names)), failures=str(len(_failing(report))), errors="0"
    )
    for name in names:
        case = ET.SubElement(suite, "testcase", classname="converge.validate", name=safe(name))
        found = [diagnostic for diagnostic in report if _file_of(diagnostic) == name]
        _add_failure(case, [diagnostic for diagnostic in found if diagnostic.severity is Severity.ERROR])
        _add_output(case, [diagnostic for diagnostic in found if diagnostic.severity is Severity.WARNING])
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _failing(report: Report) -> set[str]:
    return {_file_of(diagnostic) for diagnostic in report.errors}


def _file_of(diagnostic: Diagnostic) -> str:
    return relative(diagnostic.mark.filename) if diagnostic.mark else "(no file)"


def _add_failure(case: ET.Element, errors: Sequence[Diagnostic]) -> None:
    """One failure for all errors: some services read only the first."""
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        failure = ET.SubElement(case, "failure", type=errors[0].code, message=safe(errors[0].message) + more)
        failure.text = _texts(errors)


def _add_output(case: ET.Element, warnings: Sequence[Diagnostic]) -> None:
    if warnings:
        ET.SubElement(case, "system-out").text = _texts(warnings)


def _texts(diagnostics: Sequence[Diagnostic]) -> str:
    return "\n".join(safe(_text(diagnostic)) for diagnostic in diagnostics)


def _text(diagnostic: Diagnostic) -> str:
    place = f"{diagnostic.mark}: " if diagnostic.mark else ""
    hint = f" ({diagnostic.hint})" if diagnostic.hint else ""
    return f"{place}{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}{hint}"
