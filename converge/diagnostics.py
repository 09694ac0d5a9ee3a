"""Findings in manifests and their places: collected, never printed here."""

from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar, TypeAlias

from attrs import define, field, frozen

from converge.errors import ConvergeError, ExitCode

Path: TypeAlias = tuple[str | int, ...]
"""The place of a value in a document or a resource: ("with", "url")."""


@frozen(order=True)
class Mark:
    """A stretch of a file. Lines and columns count from 1; the end column is the first one past the stretch."""

    filename: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.filename}:{self.line}:{self.column}"


LAST_LINE = 1 << 31
"""Beyond any line of a file."""


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@frozen
class Related:
    """A second place of a diagnostic, such as the first declaration of an id."""

    message: str
    mark: Mark


@frozen
class Diagnostic:
    """One finding. `code` is stable and kebab-case; `hint` states the remedy."""

    severity: Severity
    code: str
    message: str
    hint: str | None = None
    mark: Mark | None = None
    related: tuple[Related, ...] = ()


@define
class Report:
    """The findings of one run, in the order they were made."""

    diagnostics: list[Diagnostic] = field(factory=list)
    hidden: list[Mark] = field(factory=list)
    """Stretches that no excerpt may show, because they contain secrets."""

    def hide(self, mark: Mark) -> None:
        self.hidden.append(mark)

    def hide_file(self, filename: str) -> None:
        """Show nothing of a file: in one that cannot be parsed, the places of secrets are unknown."""
        self.hide(_whole(filename))

    def hides_file(self, filename: str) -> bool:
        return _whole(filename) in self.hidden

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.diagnostics)

    def error(
        self,
        code: str,
        message: str,
        mark: Mark | None = None,
        *,
        hint: str | None = None,
        related: tuple[Related, ...] = (),
    ) -> None:
        self.diagnostics.append(Diagnostic(Severity.ERROR, code, message, hint, mark, related))

    def warning(self, code: str, message: str, mark: Mark | None = None, *, hint: str | None = None) -> None:
        self.diagnostics.append(Diagnostic(Severity.WARNING, code, message, hint, mark))

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.diagnostics if d.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.diagnostics if d.severity is Severity.WARNING)

    def raise_errors(self) -> None:
        """Raise InvalidManifest if there is an error among the findings."""
        if self.errors:
            raise InvalidManifest(self)


def _whole(filename: str) -> Mark:
    return Mark(filename, 1, 1, LAST_LINE, 1)


class InvalidManifest(ConvergeError):
    """A manifest with errors; carries the report of them."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID

    def __init__(self, report: Report) -> None:
        count = len(report.errors)
        super().__init__(f"stopped by {count} error{'s' if count != 1 else ''}")
        self.report = report


def nearest(name: str, known: "tuple[str, ...] | list[str]") -> str | None:
    """The known word nearest to `name`, or None if none is near."""
    import difflib  # slow to import, and a run without errors does not need it

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(name: str, known: "tuple[str, ...] | list[str]") -> str | None:
    """A hint with the known word nearest to `name`, or None if none is near."""
    near = nearest(name, known)
    return f"did you mean '{near}'?" if near else None
