"""Findings in a file that contains secrets, without any text of the file."""

import re
from collections.abc import Mapping

from attrs import evolve

from converge.diagnostics import Diagnostic

_WORDS: Mapping[str, tuple[str, str]] = {
    "duplicate-key": ("a key is used twice", "remove one of them"),
    "not-text": ("a key is not text", "quote it"),
    "recursive-alias": ("an alias, which begins with '*', is inside its own anchor", "quote the value if it is text"),
    "unknown-alias": ("an alias, which begins with '*', has no anchor", "quote the value if it is text"),
    "unknown-tag": ("a tag, which begins with '!', is not allowed", "quote the value if it is text"),
    "unquoted-expression": ("a value that begins with '{{' must be quoted", "quote the value"),
}
"""The message and hint by code, for the findings that quote."""
_QUOTED = re.compile(r"'[^']{3,}'|\"[^\"]{3,}\"")
"""Quotations in messages of the parser itself; a single bracket or colon may stay."""


def quiet(finding: Diagnostic) -> Diagnostic:
    message, hint = _WORDS.get(finding.code, (_QUOTED.sub("…", finding.message), finding.hint))
    related = tuple(evolve(each, message="the first one is here") for each in finding.related)
    return evolve(finding, message=message, hint=hint, related=related)
