"""Commands: guards decide whether one runs; errors show enough, but no secrets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from converge.checks import validate
from converge.diagnostics import Report
from converge.errors import Later, ProviderError
from converge.model import Change, Phase, Secret
from converge.providers.run import command
from converge.system import System
from tests.machine import Machine
from tests.programs import put_programs
from tests.real.converging import acting

PASSWORD = "correct horse battery"


@pytest.fixture
def system(tmp_path: Path) -> System:
    root = tmp_path / "root"
    for name in ("etc", "var", "tmp"):
        (root / name).mkdir(parents=True)
    put_programs(root)
    return System(str(root))


def shell(script: str, **params: Any) -> dict[str, Any]:
    return {"argv": ["sh", "-c", script], "domain": "machine", "creates": "/var/made", **params}


def state(system: System, params: dict[str, Any]) -> bool | None:
    return command.inspect(system.read_only(), command.parse(params)).done


def run(system: System, params: dict[str, Any], after: Sequence[str] = ()) -> tuple[Change, ...]:
    """Apply the difference, after the changes of these resources."""
    spec = command.notified(command.parse(params), tuple(after))
    changes = acting(command).changes(system.read_only(), spec, command.inspect(system.read_only(), spec))
    command.apply(system, spec, changes)
    return changes


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "`unless`, `creates` and `after_change` are missing"),
        ({"creates": "etc/made"}, "'etc/made' is not an absolute path"),
        ({"creates": "/x", "cwd": "/a/../b"}, "'/a/../b' is not an absolute path"),
        (
            {"creates": "/x", "environment": {"A": "1"}, "secrets": {"A": Secret("2")}},
            "A is in both `environment` and `secrets`",
        ),
        ({"unless": ["true", "a\0b"]}, "an argument or variable contains a NUL character"),
    ],
)
def test_contradicting_parameters_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message) as caught:
        command.parse({"argv": ["true"], "domain": "machine", **params})
    assert caught.value.hint


@pytest.mark.parametrize(
    ("guards", "there", "done"),
    [
        ({"creates": "/var/made"}, False, False),
        ({"creates": "/var/made"}, True, True),
        ({"unless": ["true"]}, False, True),
        ({"unless": ["sh", "-c", "exit 7"]}, False, False),
        ({"unless": ["false"], "creates": "/var/made"}, True, True),
        ({"unless": ["true"], "creates": "/var/made"}, False, True),
        ({"unless": ["false"], "creates": "/var/made"}, False, False),
        ({"after_change": ["x"]}, True, None),
    ],
)
def test_one_met_guard_means_done(system: System, guards: dict[str, Any], there: bool, done: bool) -> None:
    if there:
        system.write("/var/made", b"")
    assert state(system, {"argv": ["true"], "domain": "machine", **guards}) is done


def test_guard_cannot_change_foreign_root(system: System) -> None:
    assert state(system, shell("true", creates="/x", unless=["touch", "/var/made"])) is False
    assert system.stat("/var/made") is None


def test_program_of_root_run_without_shell(system: System) -> None:
    params = {"argv": ["mkdir", "/var/$HOME; *"], "domain": "machine", "creates": "/var/$HOME; *"}
    assert run(system, params) == (Change("done", False, True),)
    assert system.list_folder("/var") == ("$HOME; *",)
    with pytest.raises(ProviderError, match="the program 'python3' is missing"):
        run(system, {"argv": ["python3"], "domain": "machine", "creates": "/x"})


def test_missing_working_folder_is_error(system: System) -> None:
    with pytest.raises(ProviderError, match="the working folder /var/gone is missing"):
        run(system, shell("true", cwd="/var/gone"))


def test_follower_runs_for_each_change_unless_guard_is_met(system: System) -> None:
    params = shell("echo x >>/var/ran", after_change=["a", "b"], creates=None)
    assert run(system, params) == ()
    assert run(system, params, ["a", "b"]) == (Change("ran", None, "after a, b"),)
    guarded = shell("echo x >>/var/ran", after_change=["a"], creates="/var/ran")
    assert run(system, guarded, ["a"]) == ()
    system.remove("/var/ran")
    assert run(system, guarded) == ()
    assert run(system, guarded, ["a"]) == (Change("done", False, True), Change("ran", None, "after a"))
    assert system.read("/var/ran") == b"x\n"


@pytest.mark.parametrize(
    ("script", "params", "message"),
    [
        ("echo one; echo two >&2; echo three >&2; exit 4", {}, "'sh' failed with code 4: three"),
        ("echo one; exit 4", {}, "'sh' failed with code 4: one"),
        ("exit 4", {}, "'sh' failed with code 4"),
        ('echo "it was $P" >&2; exit 4', {}, "'sh' failed with code 4: it was (secret)"),
        ("echo one >&2; exit 4", {"sensitive": True}, "'sh' failed with code 4"),
        ("true", {}, "'sh' succeeded, but /var/made is still missing"),
        ("true", {"unless": ["false"]}, "'sh' succeeded, but `unless` still fails"),
    ],
)
def test_failure_shows_last_line_without_secrets(
    system: System, script: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        run(system, shell(script, secrets={"P": Secret(PASSWORD)}, **params))
    assert caught.value.message == message


def test_failure_with_endless_line_is_cut(system: System) -> None:
    with pytest.raises(ProviderError) as caught:
        run(system, shell("head -c 100000 /dev/zero | tr '\\0' x; exit 1"))
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(("network", "until"), [(True, "network"), (False, "idle")])
def test_program_exiting_75_is_owed(system: System, network: bool, until: str) -> None:
    params = shell("exit 75", network=network)
    with pytest.raises(Later, match="requests another run later") as caught:
        run(system, params)
    assert caught.value.until == until
    assert command.phase(command.parse(params), ()) is (Phase.ONLINE if network else Phase.BOOT)


def test_timeout_ends_command_and_guard(system: System) -> None:
    with pytest.raises(ProviderError, match=r"took longer than 0\.2 seconds and was ended"):
        run(system, shell("while :; do :; done", timeout=0.2))
    with pytest.raises(ProviderError, match=r"took longer than 0\.2 seconds"):
        state(system, shell("true", unless=["sh", "-c", "while :; do :; done"], timeout=0.2))


@pytest.mark.parametrize(("sensitive", "shown"), [(False, ["printed"]), (True, [])])
def test_sensitive_command_shows_no_output(system: System, sensitive: bool, shown: Any) -> None:
    lines: list[str] = []

    class Watched(System):
        def run(self, *args: Any, **options: Any) -> Any:
            return super().run(*args, **{**options, "on_output": options["on_output"] or lines.append})

    run(Watched(system.root), shell("echo printed; touch /var/made", sensitive=sensitive))
    assert lines == shown


def test_secret_passed_through_stdin(system: System) -> None:
    run(system, shell("cat >/var/made", stdin=Secret(PASSWORD)))
    assert system.read("/var/made") == PASSWORD.encode()


def test_undo_refused(system: System) -> None:
    with pytest.raises(ProviderError, match="a command cannot be undone"):
        command.apply(system, command.parse(shell("true")), (Change("done", True, False),))


def test_secret_in_argv_refused(tmp_path: Path) -> None:
    machine, report = Machine.make(tmp_path), Report()
    resource = """
    join:
      type: command
      apply: once
      with: {argv: [join, "{{ token }}"], domain: machine, creates: /x, secrets: {TOKEN: "{{ token }}"}}
    """
    machine.declare(resource, parameters="token: {type: secret, description: x}")
    validate([str(machine.manifest)], [], report)
    assert [error.code for error in report.errors] == ["secret-in-the-open"]
