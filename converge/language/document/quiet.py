"""Findings in a file that holds secrets: what they say repeats nothing of it."""

import re
from collections.abc import Mapping

from attrs import evolve

from converge.diagnostics import Diagnostic

_WORDS: Mapping[str, tuple[str, str]] = {
    "duplicate-key": ("a key is here twice", "remove one of them"),
    "not-text": ("a key is no text", "quote it"),
    "recursive-alias": ("an alias stands inside its own anchor", "quote the value, or write it out"),
    "unknown-alias": ("a value that begins with '*' is an alias, and there is no anchor for it", "quote the value"),
    "unknown-tag": ("a value that begins with '!' has a tag, and there are none", "quote the value"),
    "unquoted-expression": ("a value that begins with '{{' must be quoted", "quote the value"),
}
"""By code, for the findings that quote."""
_QUOTED = re.compile(r"'[^']{3,}'|\"[^\"]{3,}\"")
"""What the parser itself may quote; a bracket or colon that it misses is none."""


def quiet(finding: Diagnostic) -> Diagnostic:
    message, hint = _WORDS.get(finding.code, (_QUOTED.sub("…", finding.message), finding.hint))
    related = tuple(evolve(each, message="it is first here") for each in finding.related)
    return evolve(finding, message=message, hint=hint, related=related)
