import pytest

from converge.errors import bug


def fail(error: Exception) -> None:
    raise error


def caught(error: Exception) -> str:
    with pytest.raises(type(error)) as raised:
        fail(error)
    return bug(raised.value)


def test_bug_contains_its_place_and_not_its_message() -> None:
    printed = caught(KeyError("hunter2"))
    assert printed.startswith("KeyError at ")
    assert printed.partition(".py:")[0].endswith("test_errors")
    assert "hunter2" not in printed


def test_bug_contains_the_systems_error() -> None:
    printed = caught(OSError(28, "No space left on device", "hunter2"))
    assert printed.endswith("(No space left on device)")
    assert "hunter2" not in printed


def test_bug_that_was_never_raised_has_no_place() -> None:
    assert bug(ValueError("x")) == "ValueError"
