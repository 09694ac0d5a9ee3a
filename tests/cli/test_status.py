import json
from pathlib import Path

import pytest

from converge.errors import ExitCode
from tests.cli.conftest import Converge


def test_status_exits_with_3_if_a_resource_drifted(
    converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    converge("apply", "small", "--event", "install")
    assert converge("status") == ExitCode.OK
    (root / "etc/motd").write_text("mine")
    (root / "var/lib/notes").write_text("mine")
    capsys.readouterr()
    assert converge("status", "--format", "json") == ExitCode.DRIFT
    document = json.loads(capsys.readouterr().out)
    assert [step["id"] for step in document["drifted"]] == ["motd"]
    assert document["summary"] == {
        "settled": 0,
        "changed_by_user": 1,
        "pending": 0,
        "owed": 0,
        "failed": 0,
        "blocked": 0,
        "drifted": 1,
        "not_applicable": 0,
        "orphans": 0,
    }
    assert document["began"] == {"event": "install", "version": "1.0"}


def test_resource_that_left_the_product_is_an_orphan(
    converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    converge("apply", "small", "--event", "install")
    manifest = root / "usr/share/converge/products/small.yaml"
    manifest.write_text(manifest.read_text().partition("  notes:")[0])
    capsys.readouterr()
    assert converge("status") == ExitCode.OK
    printed = capsys.readouterr().out
    assert "  ? notes" in printed
    counts = "1 settled, 0 changed by the user, 0 pending, 0 owed, 0 failed, 0 blocked, 0 drifted, 1 orphan"
    assert printed.splitlines()[-1] == f"Status: {counts}."
    assert (root / "var/lib/notes").exists()
