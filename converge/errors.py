"""Errors with the messages that users read, and the exit codes."""

from enum import IntEnum
from typing import ClassVar, Literal


class ExitCode(IntEnum):
    """The exit codes of every verb; the numbers above 63 are those of sysexits(3)."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    DRIFT = 3
    FAILED = 4
    USAGE = 64
    INVALID = 65
    TRY_LATER = 75


class ConvergeError(Exception):
    """An error for the user: what is wrong and, as the hint, what to do about it."""

    exit_code: ClassVar[ExitCode] = ExitCode.ERROR

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def explained(self) -> str:
        """Message and remedy in one line."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(ConvergeError):
    """The command line is wrong."""

    exit_code = ExitCode.USAGE


class Locked(ConvergeError):
    """Another run holds the lock."""

    exit_code = ExitCode.TRY_LATER


class LedgerError(ConvergeError):
    """A ledger that cannot be read or trusted. Never taken for an empty one: that would do everything again."""


class StalePlan(ConvergeError):
    """A saved plan that is out of date."""


class ProviderError(ConvergeError):
    """A resource could not be inspected or applied; the run goes on with those that do not need it."""


Until = Literal["network", "room", "idle", "reboot", "facts"]


class Later(ConvergeError):
    """A resource waits for something; the work is owed, not failed."""

    def __init__(self, reason: str, until: Until) -> None:
        super().__init__(reason)
        self.until: Until = until


def bug(error: BaseException) -> str:
    """An unexpected exception, by its type and place. Not its message: that may contain a secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    reason = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
    return f"{type(error).__name__}{place}{reason}"


def shown(path: str) -> str:
    """A path for a message: control characters and bytes that are not UTF-8 are escaped."""
    return path if path.isprintable() else path.encode("unicode_escape").decode("ascii")
