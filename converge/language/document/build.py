"""Events to data with marks."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from converge.diagnostics import Mark, Path, Related, Report
from converge.language.document.source import Document, Event, Float, GiveUp, Source, report_unquoted
from converge.model import Value

MAX_DEPTH: Final = 32
MAX_COPIES: Final = 10_000
"""The number of values that the aliases of a document may expand to."""

TEXT_TAGS = (None, "!", "tag:yaml.org,2002:str")
INTEGER = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}")
NUMBER = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
NUMBERS_BEGIN = "+-.0123456789"
CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class Builder:
    """Makes a document from events; its report collects the findings of one attempt."""

    def __init__(self, source: Source, events: Iterator[tuple[str, Event]]) -> None:
        self.source = source
        self.report = Report()
        self.events = events
        self.marks: dict[Path, Mark] = {}
        self.key_marks: dict[Path, Mark] = {}
        self.anchors: dict[str, tuple[Value, Path] | None] = {}  # None: not complete yet
        self.unread: set[Path] = set()
        self.copies = 0

    def build(self) -> Document:
        data: Value = None
        self.marks[()] = Mark(self.source.filename, 1, 1, 1, 1)
        is_open = False
        for kind, event in self.events:
            if kind == "DocumentStart" and is_open:
                hint = "put each manifest into its own file"
                self.error("several-documents", "the file contains a second document", event, hint)
                raise GiveUp
            if kind == "DocumentStart":
                is_open = True
            elif kind not in ("StreamStart", "StreamEnd", "DocumentEnd"):
                data = self.node(kind, event, ())
        source = self.source
        return Document(source.filename, source.text, data, self.marks, self.key_marks, frozenset(self.unread))

    def node(self, kind: str, event: Event, path: Path) -> Value:
        self.limit_depth(len(path), event)
        self.marks[path] = self.mark(event)
        if event.start_mark.index in self.source.unread:
            self.unread.add(path)
        if kind == "Alias":
            return self.alias(event, path)
        if event.tag not in TEXT_TAGS or (event.tag and kind != "Scalar"):
            self.error(
                "unknown-tag", f"the tag '{event.tag}' is not allowed", event, "remove the tag, or quote the text"
            )
        if event.anchor:
            self.anchors[event.anchor] = None
        value = self.content(kind, event, path)
        if event.anchor:
            self.anchors[event.anchor] = (value, path)
        return value

    def limit_depth(self, depth: int, event: Event) -> None:
        if depth > MAX_DEPTH:
            self.error("too-large", f"the value is nested deeper than {MAX_DEPTH} levels", event, "use fewer levels")
            raise GiveUp

    def content(self, kind: str, event: Event, path: Path) -> Value:
        if kind == "MappingStart":
            return self.mapping(event, path)
        if kind == "SequenceStart":
            return self.sequence(event, path)
        return self.scalar(event)

    def mapping(self, start: Event, path: Path) -> Value:
        data: dict[str, Value] = {}
        last = path
        for kind, event in self.events:
            if kind == "MappingEnd":
                self.close(start, event, path, last)
                return data
            key = self.key(kind, event)
            kind, value_event = next(self.events)
            if key is None or self.is_duplicate(key, data, event, path):
                self.skip(kind)
                continue
            last = (*path, key)
            self.key_marks[last] = self.mark(event)
            data[key] = self.node(kind, value_event, last)
        raise GiveUp

    def sequence(self, start: Event, path: Path) -> Value:
        data: list[Value] = []
        last = path
        for kind, event in self.events:
            if kind == "SequenceEnd":
                self.close(start, event, path, last)
                return data
            last = (*path, len(data))
            data.append(self.node(kind, event, last))
        raise GiveUp

    def close(self, start: Event, end: Event, path: Path, last: Path) -> None:
        """Set the mark of a collection: up to its bracket, or to its last value because libyaml ends a block late."""
        if start.flow_style:
            self.marks[path] = self.stretch(start.start_mark, end.end_mark)
        else:
            begin, end = self.marks[path], self.marks[last]
            self.marks[path] = Mark(begin.filename, begin.line, begin.column, end.end_line, end.end_column)

    def key(self, kind: str, event: Event) -> str | None:
        """The key as text; None if it cannot be used as a key."""
        if kind != "Scalar":
            self.error("not-text", "a key must be text", event, "quote it")
            self.skip(kind)
            return None
        if event.value == "<<" and not event.style:
            self.error("merge-key", "merge keys are not supported", event, "use `extends` and `override`")
            return None
        key = self.scalar(event)
        if key is None:
            self.error("not-text", "a key is missing, or null", event, 'write a name; quote it if it is "null"')
            return None
        if not isinstance(key, str) or isinstance(key, Float):
            kind = "a boolean" if isinstance(key, bool) else "a number"
            self.error("not-text", f"the key {event.value} is {kind}, not text", event, f'quote it: "{event.value}"')
        return key if isinstance(key, str) else str(event.value)

    def is_duplicate(self, key: str, data: Mapping[str, Value], event: Event, path: Path) -> bool:
        if key not in data:
            return False
        first = Related(f"the first '{key}' is here", self.key_marks[*path, key])
        hint = "remove or rename one of them"
        message = f"the key '{key}' is used twice"
        self.report.error("duplicate-key", message, self.mark(event), hint=hint, related=(first,))
        return True

    def skip(self, kind: str) -> None:
        """Skip the rest of a node; its first event, of this kind, has been taken."""
        depth = int(kind.endswith("Start"))
        while depth:
            kind, event = next(self.events)
            depth += kind.endswith("Start") - kind.endswith("End")
            self.limit_depth(depth, event)

    def scalar(self, event: Event) -> Value:
        masked = self.source.masked.get(event.start_mark.index)
        if masked is not None:
            return masked
        text: str = event.value
        if event.style or event.tag:
            return text
        if text in CONSTANTS:
            return CONSTANTS[text]
        if text[0] in NUMBERS_BEGIN and NUMBER.fullmatch(text):
            if not INTEGER.fullmatch(text):
                return Float(text)
            return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
        if "{{" in text:
            report_unquoted(self.report, text, self.mark(event))
        return text

    def alias(self, event: Event, path: Path) -> Value:
        name = event.anchor
        if name not in self.anchors:
            self.error(
                "unknown-alias", f"there is no anchor '{name}'", event, f"write `&{name}` before its first value"
            )
            self.unread.add(path)
            return None
        target = self.anchors[name]
        if target is None:
            self.unread.add(path)
            message = f"the alias '*{name}' is inside its own anchor"
            self.error("recursive-alias", message, event, "write the value in place of the alias")
            return None
        place = self.marks[path]
        value = self.copy(*target, path, event)
        self.marks[path] = place
        return value

    def copy(self, value: Value, origin: Path, path: Path, event: Event) -> Value:
        """A copy of an anchored value; its parts keep their places."""
        self.copies += 1
        if self.copies > MAX_COPIES or len(path) > MAX_DEPTH:
            self.error("too-large", f"aliases expand to more than {MAX_COPIES} values", event, "use fewer aliases")
            raise GiveUp
        self.marks[path] = self.marks[origin]
        if isinstance(value, dict):
            for key in value:
                self.key_marks[*path, key] = self.key_marks[*origin, key]
            return {key: self.copy(part, (*origin, key), (*path, key), event) for key, part in value.items()}
        if isinstance(value, list):
            return [self.copy(part, (*origin, i), (*path, i), event) for i, part in enumerate(value)]
        return value

    def error(self, code: str, message: str, event: Event, hint: str) -> None:
        self.report.error(code, message, self.mark(event), hint=hint)

    def mark(self, event: Event) -> Mark:
        mark = self.stretch(event.start_mark, event.end_mark)
        in_quotes = getattr(event, "style", None) in ("'", '"') and mark.line == mark.end_line
        if not in_quotes or event.anchor or event.tag:
            return mark
        return Mark(mark.filename, mark.line, mark.column + 1, mark.line, mark.end_column - 1)

    def stretch(self, start: Event, end: Event) -> Mark:
        return Mark(self.source.filename, start.line + 1, start.column + 1, end.line + 1, end.column + 1)
