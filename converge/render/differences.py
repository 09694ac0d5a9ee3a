"""Texts before and after, as a difference of lines: bounded, and never a digest."""

from collections.abc import Iterator, Mapping

from converge.model import Change, Value
from converge.render.base import Line, safe, shorten

LINES = 40
"""How many lines of a difference are shown."""
CONTEXT = 2
STYLES = {"-": "red", "+": "green", "@": "cyan"}

Contents = Mapping[str, bytes | None]
"""The bytes of a content by its address; None if they must not be shown."""


def is_text(change: Change, contents: Contents) -> bool:
    """Whether the value before or after is a content, which is shown by its lines."""
    return any(isinstance(side, str) and side in contents for side in (change.before, change.after))


def text(change: Change, contents: Contents, indent: str, columns: int | None, *, kept: bool) -> Iterator[Line]:
    """The difference of two contents; `kept`: the content on the machine stays."""
    sides = [_bytes(side, contents) for side in (change.before, change.after)]
    unseen = _unseen(sides)
    if unseen:
        verb = "differs" if kept else "changes"
        yield ((f"{indent}{safe(change.field)} {verb} ({unseen})", "dim"),)
        return
    before, after = ((side or b"").decode().splitlines() for side in sides)
    names = ("on the machine (stays)", "declared") if kept else ("on the machine", "declared")
    found = list(_unified(before, after, names, is_new=change.before is None))
    for line in found[:LINES]:
        shown = safe(line) if columns is None else shorten(safe(line), max(16, columns - len(indent)))
        yield ((f"{indent}{shown}", STYLES.get(line[:1], "dim")),)
    if len(found) > LINES:
        yield ((f"{indent}… {len(found) - LINES} more lines", "dim"),)


def rows(change: Change, indent: str) -> Iterator[Line]:
    """A list of lines before and after as one list: removed and added lines are marked, each at its place."""
    from difflib import ndiff  # slow to import, and seldom needed

    yield ((f"{indent}{safe(change.field)}", ""),)
    before, after = (
        [str(line) for line in lines] if isinstance(lines, list | tuple) else []
        for lines in (change.before, change.after)
    )
    for line in ndiff(before, after, linejunk=None, charjunk=None):
        if not line.startswith("?"):
            yield ((f"{indent}  {safe(line)}".rstrip(), STYLES.get(line[0], "dim")),)


def _bytes(side: Value, contents: Contents) -> bytes | None:
    """The bytes of a value: empty if it is unset, None if they must not be shown."""
    if side is None:
        return b""
    return contents.get(side) if isinstance(side, str) else None


def _unseen(sides: list[bytes | None]) -> str:
    """Why the contents are not shown; empty if they are."""
    for side in sides:
        if side is None:
            return "not shown"
        if b"\0" in side:
            return "binary"
        try:
            side.decode()
        except UnicodeDecodeError:
            return "binary"
    return ""


def _unified(before: list[str], after: list[str], names: tuple[str, str], *, is_new: bool) -> Iterator[str]:
    if is_new:
        yield from (f"+{line}" for line in after)
        return
    from difflib import unified_diff  # slow to import, and seldom needed

    for line in unified_diff(before, after, *names, n=CONTEXT, lineterm=""):
        yield line.rstrip() if line.startswith(("---", "+++")) else line
