import json
from pathlib import Path

import pytest

from converge.cli import app
from converge.errors import ExitCode
from converge.facts import FACTS
from converge.language.expressions import CONSTANTS
from tests.cli.conftest import Converge


def test_values_and_the_reasons_of_unknown_ones(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    assert converge("facts", "os.version", "memory.total") == ExitCode.OK
    version, memory = capsys.readouterr().out.splitlines()
    assert version.split() == ["os.version", '"1.0"']
    assert memory == "memory.total  unknown under --root (--this-hardware supplies it)"


def test_all_facts_as_json(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    assert converge("facts", "--format", "json") == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["facts"]["os.id"] == "test"
    assert document["facts"]["memory.total"] is None
    assert "unknown under --root" in document["unknown"]["memory.total"]


def test_a_misspelt_fact(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    assert converge("facts", "memory.totl") == ExitCode.ERROR
    assert "did you mean 'memory.total'?" in capsys.readouterr().err


def test_facts_file_without_a_map_is_refused(
    tmp_path: Path, converge: Converge, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "facts.yaml").write_text("- 1\n")
    assert converge("facts", "--facts", str(tmp_path / "facts.yaml")) == ExitCode.USAGE
    assert "facts.yaml is not a map of facts" in capsys.readouterr().err


def test_expressions_are_explained_with_every_fact(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["explain", "expressions"]) == ExitCode.OK
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in (*FACTS, *CONSTANTS))
