import json as standard

from converge.diagnostics import InvalidManifest, Mark, Report
from converge.engine.step import Plan, Step
from converge.errors import ConvergeError
from converge.model import Action, Change, Decision, Domain, Event, Phase, Policy, Product
from converge.render import json

MARK = Mark("products/school.yaml", 14, 3, 14, 10)


def test_a_document_says_its_format() -> None:
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
    step = Step(
        id="flathub",
        type="flatpak-remote",
        policy=Policy.ONCE,
        event=Event.UPGRADE,
        action=Action.CHANGE,
        decision=Decision.APPLY,
        reason="overwrites what the user changed",
        domains=(Domain.MACHINE,),
        phase=Phase.BOOT,
        source=MARK,
        changes=(Change("title", "Mine", "Flathub"),),
    )
    product = Product("school", "School edition", MARK, {}, {})
    document = json.plan(Plan(product, dict.fromkeys(Domain, Event.UPGRADE), adopting=False, steps=(step,)))
    (told,) = document["steps"]
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
    assert told["changes"] == [{"field": "title", "before": "Mine", "after": "Flathub"}]
    assert told["source"] == {"file": "products/school.yaml", "line": 14}
    assert (told["decision"], told["policy"], told["domains"]) == ("apply", "once", ["machine"])
    standard.dumps(document)
