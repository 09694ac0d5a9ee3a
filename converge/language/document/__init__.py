"""YAML text to a document: plain data, with the place of each value in the file. Knows no domain.

YAML 1.2 with its core schema (yaml.org/spec/1.2.2, chapter 10.3), strict: no duplicate keys, no tags, no merge keys,
one document, limited in size. A likely mistake is reported and read as its author intended it, so that one run finds
all faults of a file.
"""

import re
from typing import Final

from converge.diagnostics import Mark, Report
from converge.errors import ConvergeError
from converge.language.document.build import Builder
from converge.language.document.events import COLON, events, pure_events, watched
from converge.language.document.quiet import quiet
from converge.language.document.repair import quote, repair
from converge.language.document.source import (
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

__all__ = ["Document", "Float", "load", "parse", "quoted", "stretch"]

MAX_REPAIRS: Final = 100
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def load(path: str, report: Report, *, confidential: bool = False) -> Document | None:
    """Read a file; None if its faults hide its structure. ConvergeError if it cannot be read.

    If it is `confidential`, no finding quotes it and no excerpt is shown.
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
        report.error("syntax", "the file is not UTF-8", mark, hint="save it as UTF-8")
        return None
    return parse(text, path, report, confidential=confidential)


def parse(text: str, filename: str, report: Report, *, confidential: bool = False) -> Document | None:
    """Read a text; None if its faults hide its structure."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    start = Mark(filename, 1, 1, 1, 1)
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        report.error(
            "too-large", "the file is larger than 1 MiB", start, hint="split it into several manifests with `extends`"
        )
        return None
    if found := UNPRINTABLE.search(text):
        mark = mark_at(filename, text, found.start())
        report.error("syntax", f"the character U+{ord(found[0]):04X} is not allowed", mark, hint="remove it")
        return None
    findings = Report()
    document = _read(Source(filename, text, text), findings)
    ordered = sorted(findings, key=lambda finding: finding.mark or start)
    report.diagnostics.extend(map(quiet, ordered) if confidential else ordered)
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
