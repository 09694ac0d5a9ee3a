"""The state of many things as one value: a digest, with words for people."""

import re

from converge.errors import shown
from converge.model import Value

_TREE = re.compile(r"tree:([0-9a-f]{64}) .*", re.DOTALL)


def tree_state(digest: str, count: int, first: str) -> str:
    """The state of many things as a value: a digest of 64 hexadecimal digits, with words for people."""
    entries = "1 entry" if count == 1 else f"{count} entries"
    return f"tree:{digest} ({entries}, first {shown(first)})"


def record_of(value: Value) -> str | None:
    """The digest in a value of `tree_state`; None for a plain value."""
    matched = _TREE.fullmatch(value) if isinstance(value, str) else None
    return matched[1] if matched else None
