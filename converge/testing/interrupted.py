"""A machine on which a run can be cut off at any of the points where it changes something."""

from typing import Any

from converge.system import ReadOnlySystem, System

CHANGING = sorted(
    name for name in dir(System) if not (name.startswith("_") or hasattr(ReadOnlySystem, name) or name == "read_only")
)
"""The methods that a system has and a read-only one lacks."""


class CutOffError(BaseException):
    """Ends the run as a kill does. A BaseException, because a provider's own errors are caught."""


class Interrupted(System):
    """Counts its changes, and raises CutOffError before change number `limit`, counted from 0."""

    def __init__(self, root: str, limit: int | None = None) -> None:
        super().__init__(root)
        self.limit = limit
        self.changes = 0

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401  (any attribute of a system)
        if name in CHANGING:
            if self.changes == self.limit:
                raise CutOffError(name)
            self.changes += 1
        return super().__getattribute__(name)


def lacking(read_only: ReadOnlySystem) -> list[str]:
    """The changing methods that a read-only system does not have."""
    return [name for name in CHANGING if not hasattr(read_only, name)]
