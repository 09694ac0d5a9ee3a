import json
from pathlib import Path

import pytest

from converge.errors import ExitCode
from tests.cli.conftest import Converge


def files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_plan_shows_changes_and_makes_none(converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(root)
    assert converge("plan", "small", "--event", "install") == ExitCode.OK
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"Small edition (small) on {root}: install"
    assert "        why: Users like it." in printed
    assert printed[-1] == "Plan: 2 to add, 0 to change, 0 to remove; 0 kept, 0 owed, 0 in place, 0 failed."
    assert files(root) == before


def test_plan_detailed_exit_code_is_2_if_there_are_changes(converge: Converge) -> None:
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


def test_plan_product_is_that_of_the_site(converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = root / "etc/converge/site.yaml"
    site.parent.mkdir()
    site.write_text("product: small\nparameters:\n  greeting: ahoy\n")
    assert converge("plan", "--event", "install") == ExitCode.OK
    assert "  from the site: " in capsys.readouterr().out


def test_plan_without_any_product_is_a_usage_error(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    assert converge("plan") == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("error: the product is not named\nhint: ")


def test_invalid_manifest_is_reported_in_the_requested_format(
    converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "bad.yaml").write_text("converge: 1\nproduct: bad\nresorces: {}\n")
    assert converge("plan", str(root / "bad.yaml"), "--format", "json") == ExitCode.INVALID
    printed = capsys.readouterr()
    assert "unknown-key" in {each["code"] for each in json.loads(printed.out)["diagnostics"]}
    assert "did you mean 'resources'?" in printed.err


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
