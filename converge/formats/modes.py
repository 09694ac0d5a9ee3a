"""Modes of files as text: octal, or the symbolic form of chmod(1), as a function from a mode to a mode.

The arithmetic of the symbolic form is that of GNU coreutils (lib/modechange.c) with a umask of 0, so that it means what
`chmod` on a command line means. Octal text is exact, also for the set-id bits of folders, which `chmod` would keep.
"""

import re
from functools import cache
from typing import Literal

from attrs import frozen

from converge.errors import ProviderError

ALL = 0o7777
SET_ID = 0o6000

_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": ALL}
_WHAT = {"r": 0o444, "w": 0o222, "x": 0o111, "X": 0, "s": SET_ID, "t": 0o1000}
_COPIED = {"u": 0o700, "g": 0o070, "o": 0o007}
_CLAUSE = re.compile(r"(?P<who>[ugoa]*)(?P<actions>(?:[-+=](?:[ugo]|[rwxXst]*))+)")
_ACTION = re.compile(r"([-+=])([ugo]|[rwxXst]*)")


@frozen
class _Action:
    operator: Literal["+", "-", "="]
    who: int
    what: str

    def on(self, mode: int, is_folder: bool) -> int:
        bits = self._bits(mode, is_folder)
        # As coreutils does: a folder's set-id bits stay unless the text names them.
        untouched = SET_ID & ~(self.who & bits) if is_folder else 0
        bits &= self.who & ~untouched
        if self.operator == "+":
            return mode | bits
        if self.operator == "-":
            return mode & ~bits
        return (mode & (untouched | (ALL & ~self.who))) | bits

    def _bits(self, mode: int, is_folder: bool) -> int:
        if self.what in _COPIED:
            present = mode & _COPIED[self.what]
            return sum(bits for bits in (0o444, 0o222, 0o111) if present & bits)
        bits = 0
        for letter in self.what:
            bits |= _WHAT[letter]
        return bits | (0o111 if "X" in self.what and (is_folder or mode & 0o111) else 0)


@frozen
class Mode:
    """What a text does to a mode."""

    text: str
    exact: int | None
    actions: tuple[_Action, ...] = ()

    def on(self, mode: int, *, is_folder: bool) -> int:
        """The mode that an entry of the present `mode` is to have."""
        if self.exact is not None:
            return self.exact
        for action in self.actions:
            mode = action.on(mode, is_folder)
        return mode


@cache
def parse_mode(text: str) -> Mode:
    """Read `0644` or `u=rwX,g=rX,o=`; ProviderError if it is neither."""
    if re.fullmatch(r"[0-7]{3,5}", text) and int(text, 8) <= ALL:
        return Mode(text, int(text, 8))
    clauses = [_CLAUSE.fullmatch(clause) for clause in text.split(",")]
    if not all(clauses):
        raise ProviderError(f"'{text}' is not a mode", hint="write it as '0644' or as 'u=rwX,g=rX,o='")
    return Mode(text, None, tuple(action for clause in clauses if clause for action in _actions(clause)))


def _actions(clause: re.Match[str]) -> list[_Action]:
    who = 0
    for letter in clause["who"] or "a":
        who |= _WHO[letter]
    return [_Action(operator, who, what) for operator, what in _ACTION.findall(clause["actions"])]


def mode_text(mode: int) -> str:
    """Four octal digits."""
    return f"{mode:04o}"
