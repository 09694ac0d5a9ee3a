"""Commands: guards that say what is to be done, and errors that say enough and no more."""

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
    """Do what the difference says, told of these changes."""
    spec = command.notified(command.parse(params), tuple(after))
    changes = command.diff(spec, command.inspect(system.read_only(), spec))
    command.apply(system, spec, changes)
    return changes


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "nothing says when to run"),
        ({"creates": "etc/made"}, "'etc/made' is no absolute path"),
        ({"creates": "/x", "cwd": "/a/../b"}, "'/a/../b' is no absolute path"),
        ({"creates": "/x", "environment": {"A": "1"}, "secrets": {"A": Secret("2")}}, "A is in environment and in sec"),
        ({"unless": ["true", "a\0b"]}, "no argument of a program can hold a NUL character"),
    ],
)
def test_parameters_that_contradict_each_other(params: dict[str, Any], message: str) -> None:
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
def test_either_guard_says_that_it_is_done(system: System, guards: dict[str, Any], there: bool, done: bool) -> None:
    if there:
        system.write("/var/made", b"")
    assert state(system, {"argv": ["true"], "domain": "machine", **guards}) is done


def test_a_guard_cannot_change_a_foreign_root(system: System) -> None:
    assert state(system, shell("true", creates="/x", unless=["touch", "/var/made"])) is False
    assert system.stat("/var/made") is None


def test_it_is_run_by_the_roots_own_programs_and_by_no_shell(system: System) -> None:
    params = {"argv": ["mkdir", "/var/$HOME; *"], "domain": "machine", "creates": "/var/$HOME; *"}
    assert run(system, params) == (Change("done", False, True),)
    assert system.list_folder("/var") == ("$HOME; *",)
    with pytest.raises(ProviderError, match="the program 'python3' is not there"):
        run(system, {"argv": ["python3"], "domain": "machine", "creates": "/x"})


def test_a_folder_to_run_in_that_is_not_there(system: System) -> None:
    with pytest.raises(ProviderError, match="there is no folder /var/gone to run a program in"):
        run(system, shell("true", cwd="/var/gone"))


def test_following_it_runs_for_each_change_unless_a_guard_says_that_it_need_not(system: System) -> None:
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
        ("true", {}, "'sh' succeeded, but there is still no /var/made"),
        ("true", {"unless": ["false"]}, "'sh' succeeded, but `unless` still fails"),
    ],
)
def test_what_is_told_of_a_failure(system: System, script: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError) as caught:
        run(system, shell(script, secrets={"P": Secret(PASSWORD)}, **params))
    assert caught.value.message == message


def test_a_line_that_never_ends_does_not_fill_the_ledger(system: System) -> None:
    with pytest.raises(ProviderError) as caught:
        run(system, shell("head -c 100000 /dev/zero | tr '\\0' x; exit 1"))
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(("network", "until"), [(True, "network"), (False, "idle")])
def test_a_program_may_ask_to_be_run_again_later(system: System, network: bool, until: str) -> None:
    params = shell("exit 75", network=network)
    with pytest.raises(Later, match="asks to be run again later") as caught:
        run(system, params)
    assert caught.value.until == until
    assert command.phase(command.parse(params), ()) is (Phase.ONLINE if network else Phase.BOOT)


def test_nothing_runs_for_ever(system: System) -> None:
    with pytest.raises(ProviderError, match=r"took longer than 0\.2 seconds and was ended"):
        run(system, shell("while :; do :; done", timeout=0.2))
    with pytest.raises(ProviderError, match=r"took longer than 0\.2 seconds"):
        state(system, shell("true", unless=["sh", "-c", "while :; do :; done"], timeout=0.2))


@pytest.mark.parametrize(("sensitive", "heard"), [(False, ["said"]), (True, [])])
def test_of_a_sensitive_command_nothing_is_heard_while_it_runs(system: System, sensitive: bool, heard: Any) -> None:
    lines: list[str] = []

    class Watched(System):
        def run(self, *args: Any, **options: Any) -> Any:
            return super().run(*args, **{**options, "on_output": options["on_output"] or lines.append})

    run(Watched(system.root), shell("echo said; touch /var/made", sensitive=sensitive))
    assert lines == heard


def test_a_secret_may_be_read_from_standard_input(system: System) -> None:
    run(system, shell("cat >/var/made", stdin=Secret(PASSWORD)))
    assert system.read("/var/made") == PASSWORD.encode()


def test_what_it_did_has_no_way_back(system: System) -> None:
    with pytest.raises(ProviderError, match="no way back"):
        command.apply(system, command.parse(shell("true")), (Change("done", True, False),))


def test_a_secret_cannot_stand_among_the_arguments(tmp_path: Path) -> None:
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
