import signal
import threading

import pytest

from converge.errors import ProviderError
from converge.providers.files import patterns
from converge.providers.files.patterns import checked_pattern, matching


def test_pattern_found_anywhere_in_line() -> None:
    assert matching("b+$", ["abb", "ba", "b"]) == [0, 2]
    assert matching("", []) == []


@pytest.mark.parametrize("pattern", ["(a", "*", "[z-a]", "a{99999999999999}", "(?P<1>a)"])
def test_invalid_expression_refused(pattern: str) -> None:
    with pytest.raises(ProviderError, match="is not a regular expression"):
        checked_pattern(pattern)


def test_endless_search_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "TIME_LIMIT", 0.05)
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(ProviderError, match=r"the search for '\(a\+\)\+b' takes longer than 0.05 seconds"):
        matching("(a+)+b", ["a" * 100])
    assert (signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)) == (before, (0.0, 0.0))


def test_search_works_in_other_thread() -> None:
    found: list[list[int]] = []
    thread = threading.Thread(target=lambda: found.append(matching("a", ["a"])))
    thread.start()
    thread.join()
    assert found == [[0]]
