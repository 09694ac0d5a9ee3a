"""Regular expressions from manifests (Python's `re`), matched to lines within a time limit.

The time of some expressions grows exponentially with the length of a line, and a user may have written that line. At
boot such a search could not be interrupted.
"""

import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from converge.errors import ProviderError, shown

TIME_LIMIT = 5.0
"""Seconds for one search through a file."""


class _TooSlowError(Exception):
    pass


def checked_pattern(pattern: str) -> str:
    """The pattern itself; ProviderError if it is not a regular expression."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ProviderError(f"'{shown(pattern)}' is not a regular expression: {error}") from error
    return pattern


def matching(pattern: str, texts: Sequence[str]) -> list[int]:
    """The numbers of the texts that match the pattern; ProviderError if the search takes too long."""
    search = re.compile(pattern).search
    try:
        with _time_limit(TIME_LIMIT):
            return [number for number, text in enumerate(texts) if search(text)]
    except _TooSlowError as error:
        raise ProviderError(
            f"the search for '{shown(pattern)}' takes longer than {TIME_LIMIT:g} seconds",
            hint="write it without a repetition inside a repetition, such as (a+)+",
        ) from error


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise _TooSlowError in the block after the time limit; only in the main thread, which gets the signals."""
    try:
        former = signal.signal(signal.SIGALRM, _raise)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def _raise(*_: object) -> None:
    raise _TooSlowError
