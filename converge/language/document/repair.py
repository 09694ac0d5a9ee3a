"""Faults of syntax: reported in plain words, and masked, so that the rest of the file can be read."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from converge.diagnostics import Report
from converge.language.document.source import Source, mark_at, report_unquoted

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError

# By libyaml's words, the message and the remedy for an author.
FAULTS: Mapping[str, tuple[str, str]] = {
    "mapping values are not allowed": (
        "the line contains a second ': '",
        "quote the value, or correct the indentation",
    ),
    "block sequence entries are not allowed": ("a list cannot begin here", "put each '- ' on a line of its own"),
    "did not find expected node content": ("a value is missing", "write it, or close the bracket before it"),
    "cannot start any token": ("a value cannot begin with this character", "quote the value"),
    "unexpected end of stream": ("the quoted text is not closed", "add the closing quote"),
    "expected ',' or ']'": ("the list is not closed here", "close it with ']', or quote its entries"),
    "expected ',' or '}'": ("the map is not closed here", "close it with '}', or quote its values"),
    "could not find expected ':'": ("a key has no value", "write `key: value`"),
    "did not find expected key": ("this is not expected here", "quote the whole value, or correct the indentation"),
    "did not find expected '-' indicator": ("this is not expected in a list", "begin it with '- ', or quote it"),
}

TAB = ("a tab is not allowed in the indentation", "indent with spaces")

# The part of a line before the value: dashes, and a key.
BEFORE_VALUE = r"\s*(?:-\s+)*(?:[^\s:#\"'{\[-][^:#]*:\s+|(?<=\s))"
VALUE = re.compile(BEFORE_VALUE + r"(\S.*?)\s*(?:\s#.*)?$")
EXPRESSION = re.compile(r"(?:^|[:\-,\[{]\s*)(?=\{\{)")


def quote(source: Source, start: int, report: Report, *, in_flow: bool) -> None:
    """Report an expression without its quotes, and mask the value that it is part of."""
    end = _end_of_expression(source.readable, start, in_flow=in_flow)
    masked = source.mask(start, end)
    report_unquoted(report, masked, mark_at(source.filename, source.text, start, end))


def _end_of_expression(text: str, start: int, *, in_flow: bool) -> int:
    """The end of a value that begins with `{{`: before a comment, or before the next entry of a flow collection."""
    braces = text.find("}}", start)
    if braces < 0:
        return _line_end(text, start)
    after = braces + 2
    if re.match(r":\s", text[after : after + 2]):
        return after
    follower = re.compile(r"[,\]}\n]" if in_flow else r"\n|\s#").search(text, after)
    end = follower.start() if follower else len(text)
    return start + len(text[start:end].rstrip())


def repair(source: Source, fault: "MarkedYAMLError", report: Report) -> bool:
    """Report a fault of syntax and mask its value; False if no value can be found."""
    line, column = _place(fault)
    start = sum(len(text) + 1 for text in source.text.split("\n")[:line])
    text = source.readable[start : _line_end(source.readable, start)]
    if found := EXPRESSION.search(text):
        quote(source, start + found.end(), report, in_flow=bool(re.search(r"[\[{]", text[: found.end()])))
        return True
    if source.is_masked(start, start + len(text)):
        return False
    index = min(start + column, len(source.text) - 1)
    message, hint = TAB if source.text[index] == "\t" else _explain(fault)
    report.error("syntax", message, mark_at(source.filename, source.text, index), hint=hint)
    if value := VALUE.match(text):
        source.unread.add(start + value.start(1))
        source.mask(start + value.start(1), start + value.end(1))
    return value is not None


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end


def _place(fault: "MarkedYAMLError") -> tuple[int, int]:
    """The line and column of the fault, from 0; it may be before the place at which the parser failed."""
    begins = fault.context and re.search("flow|quoted|simple key", fault.context)
    mark = fault.context_mark if begins and fault.context_mark else fault.problem_mark
    if begins and fault.context_mark.line == fault.problem_mark.line:
        mark = fault.problem_mark
    return mark.line, mark.column


def _explain(fault: "MarkedYAMLError") -> tuple[str, str]:
    problem = str(fault.problem)
    known = next((words for part, words in FAULTS.items() if part in problem), None)
    return known or (problem, "check the indentation and the quotes of this line and the one before")
