"""What converge passes to Ansible, and reads from its output; `tests/real/test_ansible.py` runs Ansible itself."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Asset, Change, Domain, Phase, Secret
from converge.providers.run import ansible
from converge.providers.run.ansible import playbook, report
from converge.providers.run.ansible.report import FIELD, RECORD, Report, Task
from converge.system import CommandResult, System

PLAYBOOK = Asset("/products/site.yml")


@pytest.fixture
def system(tmp_path: Path) -> System:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "var").mkdir()
    return System(str(root))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "playbook, role and tasks exclude each other"),
        ({"playbook": PLAYBOOK, "tasks": PLAYBOOK}, "playbook, role and tasks exclude each other"),
        (
            {"playbook": PLAYBOOK, "variables": {"a": 1}, "secrets": {"a": Secret("x")}},
            "the variable a is reserved or set twice",
        ),
        (
            {"playbook": PLAYBOOK, "variables": {"ansible_connection": "ssh"}},
            "the variable ansible_connection is reserved",
        ),
    ],
)
def test_contradicting_parameters_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message) as caught:
        ansible.parse({"domain": "machine", **params})
    assert caught.value.hint


def test_domain_declared_and_phase_follows_network(system: System) -> None:
    spec = ansible.parse({"playbook": PLAYBOOK, "domain": "deployment", "network": True})
    assert set(ansible.domains(system, spec).values()) == {Domain.DEPLOYMENT}
    assert ansible.phase(spec, ()) is Phase.ONLINE
    assert ansible.phase(ansible.parse({"playbook": PLAYBOOK, "domain": "machine"}), ()) is Phase.BOOT


def printed(*records: tuple[str, str, str], code: int = 0, before: str = "", stderr: str = "") -> CommandResult:
    """The output of a run: the current tasks, then its report."""
    return CommandResult((), code, before + "".join(RECORD + FIELD.join(record) for record in records), stderr)


END = ("end", "", "")


def test_report_read_after_other_output() -> None:
    done = printed(("changed", "motd", "-a\n+b\n"), ("unknown", "any", ""), END, before="motd\nany: ok\n")
    assert report.read(done) == Report((Task("motd", "-a\n+b"),), (Task("any"),))
    failed = printed(("changed", "motd", ""), ("failed", "line", "no such file\nsed: gone"), END, code=2)
    assert report.read(failed).failed == Task("line", "no such file\nsed: gone")


def test_rescued_task_is_not_failure() -> None:
    assert report.read(printed(("failed", "tried", "no"), END)).failed is None


@pytest.mark.parametrize(
    ("done", "message"),
    [
        (printed(("unmatched", "", "")), "no play in the playbook matches this machine"),
        (printed(code=4, stderr="[WARNING]: x\n[ERROR]: no such role\n"), "failed with code 4: no such role"),
        (printed(code=4, stderr="ERROR! no such role\nmore\n"), "failed with code 4: no such role"),
        (printed(code=1, before="one\ntwo\n"), "failed with code 1: two"),
        (printed(code=1), "failed with code 1: it printed nothing"),
    ],
)
def test_run_that_never_began_gives_reason(done: CommandResult, message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        report.read(done)


def test_plan_text_bounded() -> None:
    """The lines of a task, their length and the number of tasks are bounded."""
    [one] = report.shown([Task("x" * 500, "\n".join("y" * 500 for _ in range(50)))])
    assert one.splitlines()[-1] == "… 40 lines more"
    assert max(map(len, one.splitlines())) == report.LINE_SHOWN
    many = report.shown([Task(f"task {number}", "+line" * 20) for number in range(500)])
    assert len(json.dumps(many)) < report.ROOM + 500
    assert many[-1] == f"and {500 - len(many) + 1} more"


def test_variables_are_data_and_keep_their_types() -> None:
    given = {"a": '{{ b }} "q" \\ {root}\n', "b": [1, True, None, "no"], "c": {"d e": ""}}
    text = playbook._flow(given)
    assert "{{" not in text
    assert "{root}" not in text
    assert text.count("!unsafe") == 1
    assert text.startswith('{"a": !unsafe "')
    assert '"b": [1, true, null, "no"], "c": {"d e": ""}' in text


def test_missing_ansible_names_package(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    monkeypatch.setattr(playbook, "PATH", "/no/such/folder")
    for path in ("/usr/bin/python3", "/bin/sh", "/dev/null", "/run/x"):
        system.write(path, b"")
    with pytest.raises(ProviderError, match="Ansible is not installed") as caught:
        ansible.inspect(system, ansible.parse({"playbook": PLAYBOOK, "domain": "machine"}))
    assert "pip install 'converge[ansible]'" in str(caught.value.hint)


def test_root_without_python_is_error(system: System) -> None:
    with pytest.raises(ProviderError, match="/usr/bin/python3 is missing in this root, and Ansible needs it") as caught:
        ansible.inspect(system, ansible.parse({"playbook": PLAYBOOK, "domain": "machine"}))
    assert caught.value.hint


def test_missing_playbook_on_machine_is_error(system: System) -> None:
    with pytest.raises(ProviderError, match=r"/usr/share/site\.yml is missing on the machine"):
        ansible.inspect(system, ansible.parse({"playbook": "/usr/share/site.yml", "domain": "machine"}))


def test_undo_refused(system: System) -> None:
    spec = ansible.parse({"playbook": PLAYBOOK, "domain": "machine"})
    with pytest.raises(ProviderError, match="a playbook cannot be undone"):
        ansible.apply(system, spec, (Change("pending", (), ("motd",)),))


def test_converge_does_not_import_ansible() -> None:
    """Ansible is a separate program, which may be missing."""
    script = "import converge.cli.app, converge.providers.run.ansible, sys; sys.exit('ansible' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
