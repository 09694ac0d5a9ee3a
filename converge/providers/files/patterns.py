"""Regular expressions out of manifests (Python's `re`), looked for in lines within a time limit.

Some expressions take time that grows exponentially with the length of a line, and a user may have written that line: at
boot, nobody could end such a search.
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
    """The pattern itself; ProviderError where it is no regular expression."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ProviderError(f"'{shown(pattern)}' is no regular expression: {error}") from error
    return pattern


def matching(pattern: str, texts: Sequence[str]) -> list[int]:
    """The numbers of the texts in which the pattern is found; ProviderError where that takes too long."""
    search = re.compile(pattern).search
    try:
        with _time_limit(TIME_LIMIT):
            return [number for number, text in enumerate(texts) if search(text)]
    except _TooSlowError as error:
        raise ProviderError(
            f"looking for '{shown(pattern)}' takes longer than {TIME_LIMIT:g} seconds",
            hint="write it without a repetition inside of a repetition, such as (a+)+",
        ) from error


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise _TooSlowError in the block when the time is over; never outside the main thread, which signals go to."""
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
