import pytest

from converge.errors import bug


def fail(error: Exception) -> None:
    raise error


def caught(error: Exception) -> str:
    with pytest.raises(type(error)) as raised:
        fail(error)
    return bug(raised.value)


def test_a_bug_is_told_by_its_place_and_not_by_what_it_quotes() -> None:
    told = caught(KeyError("hunter2"))
    assert told.startswith("KeyError at ")
    assert told.partition(".py:")[0].endswith("test_errors")
    assert "hunter2" not in told


def test_why_the_system_refused_is_told() -> None:
    told = caught(OSError(28, "No space left on device", "hunter2"))
    assert told.endswith("(No space left on device)")
    assert "hunter2" not in told


def test_what_was_never_raised_has_no_place() -> None:
    assert bug(ValueError("x")) == "ValueError"
