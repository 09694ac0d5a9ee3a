import json as standard

from converge.diagnostics import InvalidManifest, Mark, Report
from converge.engine.plan import Plan
from converge.engine.policy import Due
from converge.engine.step import Share, Step
from converge.errors import ConvergeError
from converge.model import Action, Change, Decision, Domain, Event, Policy, Product, Resource, Thing
from converge.render import json

MARK = Mark("products/school.yaml", 14, 3, 14, 10)


def test_document_contains_its_format() -> None:
    assert standard.loads(json.text({"name": "\udcff"})) == {"format_version": "1.0", "name": "\udcff"}


def test_a_validation(report: Report) -> None:
    document = json.validation(report)
    first, second, third = document["diagnostics"]
    assert (document["valid"], document["error_count"], document["warning_count"]) == (False, 2, 1)
    assert first == {
        "severity": "error",
        "code": "unknown-parameter",
        "message": "flatpak-remote has no parameter 'colection_id'",
        "hint": "did you mean 'collection_id'?",
        "range": {"filename": "school.yaml", "start": {"line": 6, "column": 7}, "end": {"line": 6, "column": 19}},
        "related": [],
    }
    assert second["related"][0]["range"]["start"] == {"line": 3, "column": 3}
    assert third["range"] is None


def test_an_error_leaves_its_diagnostics(report: Report) -> None:
    assert json.failure(ConvergeError("no", hint="do"))["diagnostics"][0]["hint"] == "do"
    assert json.failure(InvalidManifest(report))["error_count"] == 2


def test_a_plan_has_the_names_of_the_contract() -> None:
    resource = Resource("flathub", "flatpak-remote", Policy.ONCE, MARK)
    answer = Due(Decision.APPLY, "", "", Event.UPGRADE, adopting=False)
    step = Step(
        "flathub",
        resource,
        things=(Thing("flatpak remote", "flathub", "flatpak-remote", "system:flathub"),),
        shares=(Share(Domain.MACHINE, None, None, answer),),
        event=Event.UPGRADE,
        action=Action.CHANGE,
        decision=Decision.APPLY,
        reason="drifted since the last run",
        reason_code="drifted",
        changes=(Change("title", "Mine", "Flathub"),),
    )
    product = Product("school", "School edition", MARK, {}, {})
    document = json.plan(Plan(product, dict.fromkeys(Domain, Event.UPGRADE), adopting=False, steps=(step,)))
    (found,) = document["steps"]
    assert {"product", "event", "adopting", "steps", "summary", "diagnostics"} <= set(document)
    assert document["summary"] == {
        "add": 0,
        "change": 1,
        "remove": 0,
        "kept": 0,
        "owed": 0,
        "in_place": 0,
        "settled": 0,
        "not_applicable": 0,
        "blocked": 0,
        "failed": 0,
    }
    assert found["changes"] == [{"field": "title", "before": "Mine", "after": "Flathub"}]
    assert (found["things"], found["reason_code"]) == (["flatpak remote flathub"], "drifted")
    assert found["source"] == {"file": "products/school.yaml", "line": 14}
    assert (found["decision"], found["policy"], found["domains"]) == ("apply", "once", ["machine"])
    standard.dumps(document)
