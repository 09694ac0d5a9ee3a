"""What cannot be done, or not now: errors and debts that are known before anything is changed."""

from collections.abc import Mapping
from typing import Any

from converge.errors import Later, ProviderError
from converge.providers.protocol import ABSENT, PRESENT
from converge.providers.swap import hibernation, swaps
from converge.providers.swap.swap.base import SMALLEST, Spec, State
from converge.values import UNITS, size_words

REMEDY = "name another place by `path` or `device`"


def refuse(spec: Spec, state: State, after: Mapping[str, Any]) -> None:
    """Errors, and Later, for changes that cannot be made; before any is made."""
    if after and spec.ensure == PRESENT and state.what:
        raise ProviderError(state.what, hint=REMEDY)
    if state.resumes and _is_lost(after):
        raise hibernation.needed(spec.source)
    if state.full and state.active and is_left(after):
        raise swaps.not_leavable(spec.source)
    size = after.get("size") or 0
    if size > (state.size or 0) and size + (spec.keep_free or 0) > state.free:
        kept = f" and leave {size_words(spec.keep_free)} free" if spec.keep_free else ""
        room = size_words(_about(state.free))
        raise Later(f"{spec.path} would take {size_words(size)}{kept}, and there is room for {room}", "room")


def _about(room: int) -> int:
    """As exact as it is of use."""
    unit = UNITS["GiB"] if room >= 10 * UNITS["GiB"] else SMALLEST
    return room // unit * unit


def _is_lost(after: Mapping[str, Any]) -> bool:
    """Whether the changes take away what is there now."""
    return "size" in after or after.get("ensure") == ABSENT or after.get("active") is False


def is_left(after: Mapping[str, Any]) -> bool:
    """Whether it has to be left for the changes: what it was put to use with stays so."""
    return _is_lost(after) or not after.keys().isdisjoint(("priority", "discard"))
