"""Faults of syntax: told in an author's words, and masked, so that the rest of the file can be read."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from converge.diagnostics import Report
from converge.language.document.base import Source, mark_at, report_unquoted

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError

# libyaml's words, and what they mean to an author: the message and the remedy.
FAULTS: Mapping[str, tuple[str, str]] = {
    "mapping values are not allowed": ("a second ': ' in one value", "quote the value, or mend the indentation"),
    "block sequence entries are not allowed": ("a list cannot begin here", "put each '- ' on a line of its own"),
    "did not find expected node content": ("a value is missing", "write it, or close what was opened before"),
    "cannot start any token": ("a value cannot begin with this character", "quote the value"),
    "unexpected end of stream": ("the quoted text is never closed", "add the closing quote"),
    "expected ',' or ']'": ("the list is not closed where it should be", "close it with ']', or quote what it holds"),
    "expected ',' or '}'": ("the map is not closed where it should be", "close it with '}', or quote the value"),
    "could not find expected ':'": ("a key without a value", "write `key: value`"),
    "did not find expected key": ("this does not belong here", "quote the whole value, or mend the indentation"),
    "did not find expected '-' indicator": ("this does not belong in the list", "begin it with '- ', or quote it"),
}

TAB = ("a tab cannot indent", "indent with spaces")

# What stands before a value on its line: dashes, and a key.
BEFORE_VALUE = r"\s*(?:-\s+)*(?:[^\s:#\"'{\[-][^:#]*:\s+|(?<=\s))"
VALUE = re.compile(BEFORE_VALUE + r"(\S.*?)\s*(?:\s#.*)?$")
EXPRESSION = re.compile(r"(?:^|[:\-,\[{]\s*)(?=\{\{)")


def quote(source: Source, start: int, report: Report, *, in_flow: bool) -> None:
    """Report an expression without its quotes, and mask the value that it is part of."""
    end = _end_of_expression(source.readable, start, in_flow=in_flow)
    meant = source.mask(start, end)
    report_unquoted(report, meant, mark_at(source.filename, source.text, start, end))


def _end_of_expression(text: str, start: int, *, in_flow: bool) -> int:
    """Where the value that begins with `{{` ends: before a comment, and before what follows in a flow collection."""
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
    """Report a fault of syntax and mask the value at fault; False where no value can be made out."""
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
    """The line and column, from 0, where the author went wrong, which may be before the place where the parser did."""
    begins = fault.context and re.search("flow|quoted|simple key", fault.context)
    mark = fault.context_mark if begins and fault.context_mark else fault.problem_mark
    if begins and fault.context_mark.line == fault.problem_mark.line:
        mark = fault.problem_mark
    return mark.line, mark.column


def _explain(fault: "MarkedYAMLError") -> tuple[str, str]:
    problem = str(fault.problem)
    known = next((words for part, words in FAULTS.items() if part in problem), None)
    return known or (problem, "check the indentation and the quotes of this line and the one before")
