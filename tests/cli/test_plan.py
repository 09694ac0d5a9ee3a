import json
from pathlib import Path

import pytest

from converge.errors import ExitCode
from tests.cli.conftest import Converge


def files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_plan_says_what_would_change_and_changes_nothing(
    converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(root)
    assert converge("plan", "small", "--event", "install") == ExitCode.OK
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "Small edition (small): install"
    assert "      why: Users like it." in told
    assert told[-1] == "Plan: 2 to add, 0 to change, 0 to remove; 0 kept, 0 owed, 0 in place."
    assert files(root) == before


def test_a_detailed_exit_code_tells_changes_from_none(converge: Converge) -> None:
    assert converge("plan", "small", "--event", "install", "--detailed-exitcode") == ExitCode.CHANGES
    assert converge("apply", "small", "--event", "install") == ExitCode.OK
    assert converge("plan", "--event", "refresh", "--detailed-exitcode") == ExitCode.OK


def test_json_goes_to_stdout_or_into_a_file(
    converge: Converge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert converge("plan", "small", "--event", "install", "--format", "json") == ExitCode.OK
    printed = json.loads(capsys.readouterr().out)
    into = tmp_path / "plan.json"
    assert converge("plan", "small", "--event", "install", "--json-into", str(into)) == ExitCode.OK
    assert json.loads(into.read_text()) == printed
    assert printed["summary"]["add"] == 2
    assert capsys.readouterr().out.startswith("Small edition")


def test_a_parameter_can_be_set(converge: Converge, root: Path) -> None:
    assert converge("apply", "small", "--event", "install", "--set", "greeting=moin") == ExitCode.OK
    assert (root / "etc/motd").read_text() == "moin"


def test_the_site_says_which_product(converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = root / "etc/converge/site.yaml"
    site.parent.mkdir()
    site.write_text("product: small\nparameters:\n  greeting: ahoy\n")
    assert converge("plan", "--event", "install") == ExitCode.OK
    assert "  from the site: " in capsys.readouterr().out


def test_without_a_product_anywhere_it_is_a_usage_error(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    assert converge("plan") == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("error: no product is named\nhint: ")


def test_an_invalid_manifest_is_told_in_the_form_asked_for(
    converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "bad.yaml").write_text("converge: 1\nproduct: bad\nresorces: {}\n")
    assert converge("plan", str(root / "bad.yaml"), "--format", "json") == ExitCode.INVALID
    told = capsys.readouterr()
    assert "unknown-key" in {each["code"] for each in json.loads(told.out)["diagnostics"]}
    assert "did you mean 'resources'?" in told.err


def test_facts_can_be_given(converge: Converge, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = root / "facts.yaml"
    manifest.write_text(
        "converge: 1\nproduct: facts\nresources:\n  note:\n    type: file\n    apply: always\n"
        "    when: memory.total > 4 * GiB\n    with: {path: /etc/note, content: big}\n"
    )
    given = tmp_path / "facts.json"
    given.write_text('{"memory": {"total": 8589934592}}')
    assert converge("plan", str(manifest), "--event", "install") == ExitCode.OK
    assert "1 owed" in capsys.readouterr().out
    assert converge("plan", str(manifest), "--event", "install", "--facts", str(given)) == ExitCode.OK
    assert "1 to add" in capsys.readouterr().out
