import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from converge.errors import ExitCode
from converge.system import System, lock
from tests.cli.conftest import Converge


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_apply_changes_the_machine_and_a_second_time_nothing(
    converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert converge("apply", "small", "--event", "install") == ExitCode.OK
    assert last_line(capsys) == "Applied: 2 added, 0 changed, 0 removed; 0 kept, 0 owed, 0 in place, 0 failed."
    assert (root / "etc/motd").read_text() == "hello"
    assert converge("apply", "--event", "refresh") == ExitCode.OK
    assert last_line(capsys) == "Applied: 0 added, 0 changed, 0 removed; 0 kept, 0 owed, 1 in place, 0 failed."


def test_json_has_outcomes_and_states(converge: Converge, capsys: pytest.CaptureFixture[str]) -> None:
    assert converge("apply", "small", "--event", "install", "--format", "json") == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    step = document["steps"][0]
    assert (document["had_errors"], document["effects"]) == (False, [])
    assert (step["id"], step["outcome"], step["error"]) == ("motd", "changed", None)
    assert step["before_state"]["ensure"] == "absent"
    assert step["after_state"]["mode"] == "0644"
    assert step["seconds"] >= 0


def test_a_saved_plan_is_applied_once(
    converge: Converge, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = str(tmp_path / "plan.json")
    assert converge("plan", "small", "--event", "install", "--set", "greeting=moin", "--out", plan) == ExitCode.OK
    assert converge("apply", plan) == ExitCode.OK
    assert (root / "etc/motd").read_text() == "moin"
    capsys.readouterr()
    assert converge("apply", plan) == ExitCode.ERROR
    assert "is out of date: 'motd', 'notes' changed" in capsys.readouterr().err


def test_a_saved_plan_takes_no_other_options(
    converge: Converge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = str(tmp_path / "plan.json")
    assert converge("plan", "small", "--event", "install", "--out", plan) == ExitCode.OK
    assert converge("apply", plan, "--set", "greeting=moin") == ExitCode.USAGE
    assert "is a saved plan, which contains its options" in capsys.readouterr().err


def test_a_damaged_plan_is_refused(converge: Converge, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"converge_plan": 1}')
    assert converge("apply", str(plan)) == ExitCode.ERROR


def test_a_failure_exits_with_4_and_names_the_resource(
    converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "etc/motd").mkdir()
    assert converge("apply", "small", "--event", "install") == ExitCode.FAILED
    printed = capsys.readouterr().out
    assert "  ! motd " in printed
    assert printed.splitlines()[-1].endswith("1 failed.")
    assert (root / "var/lib/notes").read_text() == "first"


def test_second_run_at_the_same_time_exits_with_75(
    converge: Converge, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with lock(System(str(root))):
        assert converge("apply", "small", "--event", "install") == ExitCode.TRY_LATER
    assert "another run" in capsys.readouterr().err


def test_progress_on_a_terminal_is_one_line_and_is_cleared(root: Path) -> None:
    reading, terminal = os.openpty()
    command = [sys.executable, "-m", "converge", "apply", "small", "--event", "install", "--root", str(root)]
    with os.fdopen(reading, "rb", buffering=0) as shown:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, check=True, text=True)
        os.close(terminal)
        progress = shown.read(65536).decode()
    assert "\r\x1b[K[1/2] motd" in progress
    assert "\r\x1b[K[2/2] notes" in progress
    assert progress.endswith("\r\x1b[K")
    assert "\x1b" not in result.stdout
