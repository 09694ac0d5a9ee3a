from converge.diagnostics import Report
from converge.render import sarif


def test_a_log_has_rules_places_and_related_places(report: Report) -> None:
    log = sarif.diagnostics(report)
    (run,) = log["runs"]
    first, second, third = run["results"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert log["version"] == "2.1.0"
    assert rules == ["unknown-parameter", "duplicate-id", "stale"]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == rules
    assert first["message"]["text"].endswith("(did you mean 'collection_id'?)")
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "school.yaml"},
        "region": {"startLine": 6, "startColumn": 7, "endLine": 6, "endColumn": 19},
    }
    assert second["relatedLocations"][0]["message"] == {"text": "declared here first"}
    assert (third["level"], "locations" in third) == ("warning", False)
