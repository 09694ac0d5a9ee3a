"""YAML text to a document: plain data, and the place where each piece of it was written. Knows no domain.

YAML 1.2 with its core schema (yaml.org/spec/1.2.2, chapter 10.3), strict: no duplicate keys, no tags, no merge keys,
one document, limited in size. What can be misread is reported and read as it was meant, so that one run finds
every fault of a file.
"""

import re
from typing import Final

from converge.diagnostics import Mark, Report
from converge.errors import ConvergeError
from converge.language.document.base import (
    MAX_BYTES,
    Document,
    Float,
    GiveUp,
    Source,
    Unquoted,
    mark_at,
    quoted,
    stretch,
)
from converge.language.document.build import Builder
from converge.language.document.events import COLON, events, pure_events, watched
from converge.language.document.quiet import quiet
from converge.language.document.repair import quote, repair

__all__ = ["Document", "Float", "load", "parse", "quoted", "stretch"]

MAX_REPAIRS: Final = 100
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def load(path: str, report: Report, *, confidential: bool = False) -> Document | None:
    """Read a file; None where its faults leave nothing to go on with. ConvergeError when it cannot be read.

    Of a `confidential` one no finding quotes anything, and no excerpt is shown.
    """
    if confidential:
        report.hide_file(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConvergeError(f"cannot read {path}: {error.strerror}") from error
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        mark = mark_at(path, before, len(before))
        report.error("syntax", "the file is not UTF-8", mark, hint="save it in the encoding UTF-8")
        return None
    return parse(text, path, report, confidential=confidential)


def parse(text: str, filename: str, report: Report, *, confidential: bool = False) -> Document | None:
    """Read a text; None where its faults leave nothing to go on with."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    start = Mark(filename, 1, 1, 1, 1)
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        report.error("too-large", "the file is larger than 1 MiB", start, hint="split it, with `extends`")
        return None
    if odd := UNPRINTABLE.search(text):
        mark = mark_at(filename, text, odd.start())
        report.error("syntax", f"the character U+{ord(odd[0]):04X} is not allowed", mark, hint="remove it")
        return None
    findings = Report()
    document = _read(Source(filename, text, text), findings)
    found = sorted(findings, key=lambda finding: finding.mark or start)
    report.diagnostics.extend(map(quiet, found) if confidential else found)
    return document


def _read(source: Source, report: Report) -> Document | None:
    from ruamel.yaml.error import MarkedYAMLError

    parser = events
    for _ in range(MAX_REPAIRS):
        builder = Builder(source, watched(parser(source.readable), source.readable))
        try:
            document = builder.build()
        except Unquoted as fault:
            quote(source, fault.index, report, in_flow=fault.in_flow)
        except MarkedYAMLError as fault:
            if parser is events and COLON in str(fault.problem):
                parser = pure_events
            elif not repair(source, fault, report):
                report.diagnostics.extend(builder.report)
                return None
        except GiveUp:
            report.diagnostics.extend(builder.report)
            return None
        else:
            report.diagnostics.extend(builder.report)
            return document
    return None
