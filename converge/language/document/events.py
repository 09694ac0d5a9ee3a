"""The events of a YAML text, from ruamel.yaml's parser in C if it is installed."""

from collections.abc import Iterator

from converge.language.document.source import Event, Unquoted

COLON = "found unexpected ':'"
"""The error of the parser in C, which is older than YAML 1.2, for an unquoted URL in brackets; YAML 1.2 allows it."""


def events(text: str) -> Iterator[Event]:
    """The events of the parser in C, or of the slower one in Python if that is not installed."""
    try:
        from ruamel.yaml import CParser  # type: ignore[attr-defined]  # from an extension module, without types
    except ImportError:
        yield from pure_events(text)
        return
    parser = CParser(text)
    while (event := parser.get_event()) is not None:
        yield event


def pure_events(text: str) -> Iterator[Event]:
    from ruamel.yaml import YAML

    yield from YAML(typ="safe", pure=True).parse(text)


def watched(events: Iterator[Event], text: str) -> Iterator[tuple[str, Event]]:
    """The events, each with its kind; raises Unquoted at a map that is an expression without quotes."""
    flow: list[bool] = []
    for event in events:
        kind = type(event).__name__.removesuffix("Event")
        if kind == "MappingStart" and text.startswith("{{", event.start_mark.index):
            raise Unquoted(event.start_mark.index, in_flow=any(flow))
        if kind in ("MappingStart", "SequenceStart"):
            flow.append(bool(event.flow_style))
        elif kind in ("MappingEnd", "SequenceEnd"):
            flow.pop()
        yield kind, event
