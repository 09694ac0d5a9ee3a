"""What is reported of one resource, and what a run without a terminal reports as it goes."""

import json
from pathlib import Path

import pytest

from converge.errors import ExitCode
from tests.cli.conftest import Converge

BLOCKED = """\
converge: 1
product: blocked
resources:
  cache:
    type: directory
    apply: always
    with: {path: /var/cache/old, ensure: absent}
  after:
    type: file
    apply: always
    needs: [cache]
    with: {path: /etc/after, content: x}
"""


@pytest.fixture
def manifest(tmp_path: Path, root: Path) -> str:
    """A product that is named by its path; one of its resources fails, and another one needs that."""
    (root / "var/cache/old").mkdir(parents=True)
    (root / "var/cache/old/page").write_text("x")
    path = tmp_path / "blocked.yaml"
    path.write_text(BLOCKED)
    return str(path)


def test_status_of_one_resource_says_all(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    converge("apply", "small", "--event", "install")
    capsys.readouterr()
    assert converge("status", "motd") == ExitCode.OK
    report = capsys.readouterr().out
    for text in (
        "file /etc/motd",
        "small.yaml:7",
        "applies: always",
        "install by small on OS version 1.0",
        "Users like it",
    ):
        assert text in report


@pytest.mark.parametrize("words", [("small",), ("small", "motd"), ("motd",)])
def test_status_takes_product_and_id(converge: Converge, words: tuple[str, ...]) -> None:
    converge("apply", "small", "--event", "install")
    assert converge("status", *words) == ExitCode.OK


def test_status_of_unknown_id_names_a_near_one(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    converge("apply", "small", "--event", "install")
    assert converge("status", "motdd") == ExitCode.ERROR
    assert "did you mean 'motd'?" in capsys.readouterr().err


def test_ledger_show_of_one_resource(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    converge("apply", "small", "--event", "install")
    capsys.readouterr()
    assert converge("ledger", "show", "notes", "--format", "json") == ExitCode.OK
    (entry,) = json.loads(capsys.readouterr().out)["machine"]["entries"]
    assert (entry["id"], entry["run"]["product"], entry["run"]["event"]) == ("notes", "small", "install")
    assert converge("ledger", "show", "note") == ExitCode.ERROR


def test_product_is_known_after_apply_of_a_path(converge: Converge, manifest: str) -> None:
    assert converge("apply", manifest) == ExitCode.FAILED
    assert converge("plan") == ExitCode.FAILED
    assert converge("status", "after") == ExitCode.OK
    assert converge("status") == ExitCode.FAILED


def test_each_failed_resource_is_a_line_on_stderr(
    converge: Converge, manifest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    converge("apply", manifest)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("cache: directory /var/cache/old cannot be removed (")
    assert lines[1] == "after: file /etc/after: blocked (dependency 'cache' failed)"
