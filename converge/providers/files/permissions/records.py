"""The wrong entries of a tree of any size as a short text, and the record of their former values.

The state of a field with wrong entries reads `tree:DIGEST (N entries, first PATH)`. The digest covers the wrong entries
and their values: it is a sum over them, because a walk has no order. Before anything is changed, they are written to
the file DIGEST in FOLDER; a change to such a state restores them from it.
"""

import hashlib
import os

from attrs import define, field

from converge.errors import ProviderError
from converge.providers.files.treestates import tree_state
from converge.system import ReadOnlySystem, System

FOLDER = "/var/lib/converge/trees"
CHUNK = 64 * 1024  # bytes
LIMIT = 1024**3  # bytes
END = b"end\0"


@define
class Tally:
    """The wrong entries of one field, in bounded memory."""

    total: int = 0
    count: int = 0
    first: str | None = None

    def add(self, path: str, value: str) -> None:
        line = hashlib.sha256(_line(path, value)).digest()
        self.total = (self.total + int.from_bytes(line, "big")) % 2**256
        self.count += 1
        self.first = path if self.first is None else min(self.first, path)

    @property
    def state(self) -> str:
        return tree_state(f"{self.total:064x}", self.count, self.first or ".")


def _line(path: str, value: str) -> bytes:
    return f"{value} ".encode() + os.fsencode(path) + b"\0"


@define
class Recorder:
    """Writes a record during the walk of a tree. A complete one is kept: a run after a kill comes here too."""

    system: System
    record: str
    pending: bytearray = field(factory=bytearray)
    complete: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        data = self.system.read(_path(self.record), limit=LIMIT)
        self.complete = data is not None and data.endswith(END)
        if data is not None and not self.complete:
            self.system.remove(_path(self.record), keep=False)

    def add(self, path: str, value: str) -> None:
        self.pending += _line(path, value)
        if len(self.pending) >= CHUNK:
            self._flush(sync=False)

    def close(self) -> None:
        self.pending += END
        self._flush(sync=True)

    def _flush(self, *, sync: bool) -> None:
        if not self.complete:
            self.system.append(_path(self.record), bytes(self.pending), sync=sync)
        self.pending.clear()


def recorded(system: ReadOnlySystem, name: str, record: str) -> dict[str, int]:
    """The former value of the field `name` for each path in the tree; ProviderError if the record is not complete."""
    data = system.read(_path(record), limit=LIMIT)
    if data is None or not data.endswith(END):
        raise ProviderError(
            f"the record {record} of a tree is missing", hint="set the permissions by hand: this machine has no record"
        )
    lines = [line.partition(b" ") for line in data.removesuffix(END).split(b"\0")[:-1]]
    return {os.fsdecode(path): int(value, 8 if name == "mode" else 10) for value, _, path in lines}


def _path(record: str) -> str:
    return f"{FOLDER}/{record}"
