from xml.etree import ElementTree as ET

from converge.diagnostics import Mark, Report
from converge.render import junit


def test_a_manifest_is_a_case_and_its_errors_are_one_failure(report: Report) -> None:
    suite = ET.fromstring(junit.diagnostics(report, ["base.yaml", "school.yaml"]))
    cases = {case.get("name"): case for case in suite}
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert list(cases["base.yaml"]) == []
    (failure,) = cases["school.yaml"]
    assert failure.get("type") == "unknown-parameter"
    assert failure.get("message") == "flatpak-remote has no parameter 'colection_id' (and 1 more)"
    assert failure.text is not None
    first, second = failure.text.splitlines()
    assert first == (
        "school.yaml:6:7: error[unknown-parameter]: flatpak-remote has no parameter 'colection_id'"
        " (did you mean 'collection_id'?)"
    )
    assert "error[duplicate-id]" in second


def test_characters_that_xml_cannot_hold_are_escaped() -> None:
    report = Report()
    report.error("code", "a \x00 < & \x1b", Mark("\x01.yaml", 1, 1, 1, 2))
    suite = ET.fromstring(junit.diagnostics(report, []))
    assert suite[0][0].get("message") == "a \\x00 < & \\x1b"
