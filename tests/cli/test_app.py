import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from converge.cli.base import ColorChoice, colored, parse_settings
from converge.errors import ExitCode, UsageError


def converge(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "converge", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_the_version() -> None:
    result = converge("--version")
    assert (result.returncode, result.stdout) == (0, "converge 0.1.0\n")


@pytest.mark.parametrize("heavy", ["jsonschema", "jinja2", "rich", "ruamel"])
def test_start_up_imports_nothing_heavy(heavy: str) -> None:
    code = f"import sys; from converge.cli import app; app.run(['--version']); sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["pln"], "no such command 'pln'"),
        (["plan", "--rot", "/"], "no such option: --rot"),
        (["plan", "--event", "later"], "'later'"),
        (["plan", "a", "b"], "b"),
        (["plan", "--root"], "--root"),
        (["plan", "--set", "ceiling"], "--set number 1 has no value"),
        (["plan", "--set", "a=1", "--set", "=8GiB"], "--set number 2 has no name"),
        (["validate", "--products", "/dev/null"], "there are no manifests in /dev/null"),
        (["ledger", "forget"], "ID"),
        (["validate", "--format", "xml"], "invalid value for '--format': 'xml' is not one of"),
    ],
)
def test_wrong_command_line_exits_with_64_and_names_the_error(arguments: list[str], expected: str) -> None:
    result = converge(*arguments)
    assert result.returncode == ExitCode.USAGE
    assert result.stderr.startswith("error: ")
    assert "hint: " in result.stderr
    assert expected in result.stderr
    assert result.stdout == ""


def test_an_error_is_a_message_and_a_hint() -> None:
    result = converge("explain", "flatpak-remot")
    assert result.returncode == ExitCode.ERROR
    error, hint = result.stderr.splitlines()
    assert error == "error: 'flatpak-remot' is not a resource type or a topic"
    assert hint == "hint: did you mean 'flatpak-remote'?"


def test_reader_that_closes_its_pipe_is_not_an_error() -> None:
    script = f"{sys.executable} -m converge explain flatpak-remote; echo $? >&2"
    result = subprocess.run(["bash", "-c", f"({script}) | true"], capture_output=True, text=True, check=False)
    assert result.stderr == "0\n"


@pytest.mark.parametrize(
    ("redirection", "code", "expected"),
    [
        (">&-", ExitCode.OK, ""),
        (">/dev/full", ExitCode.ERROR, "error: cannot write the output: No space left on device\n"),
    ],
)
def test_output_that_fails_gives_code_and_message(redirection: str, code: int, expected: str) -> None:
    script = f"{sys.executable} -m converge explain {redirection}"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (code, expected)


def test_a_group_of_verbs_alone_shows_its_help() -> None:
    result = converge("ledger")
    assert (result.returncode, result.stderr) == (ExitCode.USAGE, "")


@pytest.mark.parametrize(
    ("environment", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_is_for_terminals(
    environment: Mapping[str, str], terminal: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    reading, writing = os.openpty() if terminal else os.pipe()
    with os.fdopen(reading, "rb", buffering=0), os.fdopen(writing, "w") as stream:
        assert colored(ColorChoice.AUTO, stream) is expected
        assert colored(ColorChoice.ALWAYS, stream)
        assert not colored(ColorChoice.NEVER, stream)


def test_settings() -> None:
    assert parse_settings(["a=1", "b=x=y", "a=2", "c="]) == {"a": "2", "b": "x=y", "c": ""}


@pytest.mark.parametrize("setting", ["a", "=1"])
def test_a_setting_needs_a_name_and_a_value(setting: str) -> None:
    with pytest.raises(UsageError):
        parse_settings([setting])
