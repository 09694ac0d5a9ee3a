import json
from pathlib import Path

import pytest

from converge.errors import ExitCode
from tests.cli.conftest import Converge


def test_status_tells_drift_from_none(converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    converge("apply", "small", "--event", "install")
    assert converge("status") == ExitCode.OK
    (root / "etc/motd").write_text("mine")
    (root / "var/lib/notes").write_text("mine")
    capsys.readouterr()
    assert converge("status", "--format", "json") == ExitCode.DRIFT
    document = json.loads(capsys.readouterr().out)
    assert [step["id"] for step in document["drifted"]] == ["motd"]
    assert document["summary"] == {
        "settled": 2,
        "owed": 0,
        "failed": 0,
        "blocked": 0,
        "drifted": 1,
        "orphans": 0,
    }
    assert document["began"] == {"event": "install", "version": "1.0"}


def test_what_left_the_product_is_an_orphan(converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    converge("apply", "small", "--event", "install")
    manifest = root / "usr/share/converge/products/small.yaml"
    manifest.write_text(manifest.read_text().partition("  notes:")[0])
    capsys.readouterr()
    assert converge("status") == ExitCode.OK
    told = capsys.readouterr().out
    assert "  ? notes" in told
    assert told.splitlines()[-1] == "Status: 1 settled, 0 owed, 0 failed, 0 blocked, 0 drifted, 1 orphan."
    assert (root / "var/lib/notes").exists()
