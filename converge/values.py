"""Texts as sizes and as versions."""

import re
from functools import cache
from typing import TypeAlias

from converge.model import Version

UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
"""The units of sizes, in bytes; expressions know them as constants."""

LARGEST = 2**63 - 1
"""The largest integer of an expression, and so the largest size: the limit of the kernel."""

_SIZE = re.compile(r"(?P<number>[0-9]{1,19}) *(?P<unit>B|KiB|MiB|GiB|TiB)?")

_Part: TypeAlias = tuple[bool, bool, bool, bool, bool, bool, int, str]
VersionKey: TypeAlias = tuple[_Part, ...]

_PART = re.compile(
    r"[^0-9A-Za-z~^.-]*(?P<tilde>~?)"
    r"(?:(?P<end>\Z)|(?P<minus>-?)(?P<caret>\^?)(?P<dot>\.?)(?:0*(?P<digits>[0-9]+)|(?P<letters>[A-Za-z]*)))"
)


def parse_size(text: str) -> int:
    """A size in bytes from text such as `8GiB`; ValueError if it is not one."""
    match = _SIZE.fullmatch(text.strip())
    size = int(match["number"]) * UNITS.get(match["unit"] or "B", 1) if match else LARGEST + 1
    if size > LARGEST:
        raise ValueError("a size is a number of bytes, or a number with KiB, MiB, GiB or TiB, such as 8GiB")
    return size


def size_words(size: int) -> str:
    """A size in the largest unit that divides it, such as `4 GiB`: exact, so that different sizes look different."""
    unit = next((name for name, bytes_ in reversed(UNITS.items()) if size and size % bytes_ == 0), "B")
    return f"{size // UNITS.get(unit, 1)} {unit}"


@cache
def version_key(version: Version) -> VersionKey:
    """The key by which versions are compared, in the order of the UAPI version format (specification UAPI.10).

    Every round of the specification's comparison takes one part off each of the two texts, and a part is the same
    whatever the other text is. So the rounds can be run on one text alone, and a round's questions become a tuple:
    a tilde sorts lowest, then the end of the text, a minus, a caret, a dot, letters, and digits by their number.
    Letters sort below every number as in systemd; by the specification's words they would sort above a 0 alone.
    """
    if version.text is None:
        return ()
    parts: list[_Part] = []
    position = 0
    while not parts or parts[-1][1]:
        match = _PART.match(version.text, position)
        assert match is not None  # noqa: S101  (every piece of the pattern is optional)
        parts.append(_part(match))
        position = match.end()
    return tuple(parts)


def _part(match: re.Match[str]) -> _Part:
    digits = match["digits"]
    return (
        not match["tilde"],
        match["end"] is None,
        not match["minus"],
        not match["caret"],
        not match["dot"],
        digits is not None,
        len(digits or ""),
        digits or match["letters"] or "",
    )
