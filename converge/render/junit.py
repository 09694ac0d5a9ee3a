"""JUnit XML as CI services read it: one test case per manifest, one failure per error."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from converge.diagnostics import Diagnostic, Report, Severity
from converge.render.base import relative, safe


def diagnostics(report: Report, files: Sequence[str]) -> str:
    """`files` are the manifests that were looked at; one without findings is a test case that passed."""
    names = list(dict.fromkeys([*map(relative, files), *map(_file_of, report)]))
    suite = ET.Element(
        "testsuite", name="converge validate", tests=str(len(names)), failures=str(len(_failing(report))), errors="0"
    )
    for name in names:
        case = ET.SubElement(suite, "testcase", classname="converge.validate", name=safe(name))
        for diagnostic in report:
            if _file_of(diagnostic) == name:
                _add(case, diagnostic)
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _failing(report: Report) -> set[str]:
    return {_file_of(diagnostic) for diagnostic in report.errors}


def _file_of(diagnostic: Diagnostic) -> str:
    return relative(diagnostic.mark.filename) if diagnostic.mark else "(no file)"


def _add(case: ET.Element, diagnostic: Diagnostic) -> None:
    failed = diagnostic.severity is Severity.ERROR
    element = ET.SubElement(case, "failure" if failed else "system-out")
    if failed:
        element.attrib |= {"type": diagnostic.code, "message": safe(diagnostic.message)}
    element.text = safe(_text(diagnostic))


def _text(diagnostic: Diagnostic) -> str:
    place = f"{diagnostic.mark}: " if diagnostic.mark else ""
    hint = f" ({diagnostic.hint})" if diagnostic.hint else ""
    return f"{place}{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}{hint}"
