import json
from pathlib import Path

import pytest

from converge.errors import ExitCode
from tests.cli.conftest import Converge


def shown(converge: Converge, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    capsys.readouterr()
    assert converge("ledger", "show", "--format", "json") == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    return {domain: {e["id"]: e["status"] for e in document[domain]["entries"]} for domain in ("machine", "deployment")}


def test_show_before_the_first_run(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    assert converge("ledger", "show") == ExitCode.OK
    assert capsys.readouterr().out.count("not written yet") == 2


def test_both_ledgers_are_shown(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    converge("apply", "small", "--event", "install")
    assert shown(converge, capsys) == {"machine": {"notes": "done"}, "deployment": {"motd": "done"}}


def test_a_forgotten_resource_is_done_again(converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    converge("apply", "small", "--event", "install")
    (root / "var/lib/notes").unlink()
    assert converge("ledger", "forget", "notes") == ExitCode.OK
    assert shown(converge, capsys)["machine"] == {}
    assert converge("apply", "--event", "refresh") == ExitCode.OK
    assert (root / "var/lib/notes").read_text() == "first"


def test_a_baselined_resource_is_not_done(converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert converge("ledger", "baseline", "notes", "small") == ExitCode.OK
    assert shown(converge, capsys)["machine"] == {"notes": "baselined"}
    assert converge("apply", "small", "--event", "refresh") == ExitCode.OK
    assert not (root / "var/lib/notes").exists()
    assert (root / "etc/motd").exists()


def test_ledger_edits_are_audited(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    converge("ledger", "baseline", "notes", "small")
    converge("ledger", "forget", "notes")
    capsys.readouterr()
    converge("ledger", "show", "--format", "json")
    audit = json.loads(capsys.readouterr().out)["machine"]["audit"]
    assert [(each["verb"], each["id"]) for each in audit] == [("baseline", "notes"), ("forget", "notes")]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("forget", "nots"), "did you mean 'notes'?"),
        (("baseline", "nots"), "did you mean 'notes'?"),
        (("baseline", "motd"), "applies always"),
    ],
)
def test_ledger_edit_of_a_wrong_id_is_refused(
    arguments: tuple[str, ...], expected: str, converge: Converge, capsys: pytest.CaptureFixture[str]
) -> None:
    converge("apply", "small", "--event", "install")
    assert converge("ledger", *arguments) == ExitCode.ERROR
    assert expected in capsys.readouterr().err
