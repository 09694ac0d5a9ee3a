"""Shared by the verbs: the common options, and the output of results."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeAlias

import typer

from converge.errors import ConvergeError, UsageError

if TYPE_CHECKING:  # the verbs that need them import them; `--version` does not
    from converge.engine.request import Request
    from converge.render.base import Line

Document: TypeAlias = Mapping[str, Any]


class EventChoice(StrEnum):
    AUTO = "auto"
    INSTALL = "install"
    UPGRADE = "upgrade"
    REFRESH = "refresh"


class PhaseChoice(StrEnum):
    BOOT = "boot"
    ONLINE = "online"


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


class ColorChoice(StrEnum):
    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


MACHINE, OUTPUT = "The machine", "The output"

ProductArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="PRODUCT",
        help="A product's name or the path of its manifest. Default: the product of site.yaml or of the last run.",
        show_default=False,
    ),
]
RootOption = Annotated[
    str,
    typer.Option("--root", metavar="DIR", help="The root folder of the system to work on.", rich_help_panel=MACHINE),
]
ProductsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--products", metavar="DIR", help="A folder of manifests to use in place of the installed ones; repeatable."
    ),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter; repeatable.")
]
EventOption = Annotated[
    EventChoice,
    typer.Option("--event", help="Why converge runs; auto reads it from the ledger.", rich_help_panel=MACHINE),
]
PhaseOption = Annotated[
    PhaseChoice,
    typer.Option("--phase", help="The last phase to run; boot is without network.", rich_help_panel=MACHINE),
]
FactsOption = Annotated[
    str | None,
    typer.Option("--facts", metavar="FILE", help="Use the facts in FILE (YAML or JSON).", rich_help_panel=MACHINE),
]
HardwareOption = Annotated[
    bool,
    typer.Option("--this-hardware", help="The system under --root will run on this hardware.", rich_help_panel=MACHINE),
]
FormatOption = Annotated[Format, typer.Option("--format", help="The format of the result.", rich_help_panel=OUTPUT)]
JsonIntoOption = Annotated[
    str | None,
    typer.Option("--json-into", metavar="FILE", help="Also write the result to FILE as JSON.", rich_help_panel=OUTPUT),
]
ColorOption = Annotated[
    ColorChoice,
    typer.Option(
        "--color", help="Colour the text; auto: on a terminal, unless NO_COLOR is set.", rich_help_panel=OUTPUT
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Also show resources that are in place or settled.", rich_help_panel=OUTPUT),
]


def parse_settings(settings: Iterable[str]) -> dict[str, str]:
    """The values of `--set NAME=VALUE`; the last one of a name counts."""
    pairs = [setting.partition("=") for setting in settings]
    for number, (name, equals, _) in enumerate(pairs, 1):
        if not name or not equals:  # not quoted: it may be a secret
            lacking = "value" if name else "name"
            raise UsageError(f"--set number {number} has no {lacking}", hint="write --set NAME=VALUE")
    return {name: value for name, _, value in pairs}


def request(
    product: str | None,
    root: str,
    products: list[str] | None,
    event: EventChoice,
    phase: PhaseChoice,
    settings: list[str] | None,
    facts: str | None,
    *,
    this_hardware: bool,
) -> "Request":
    """The common options as one value."""
    from converge.engine.request import Request
    from converge.model import Event, Phase

    return Request(
        product=product,
        root=root,
        products=tuple(products or ()),
        event=None if event is EventChoice.AUTO else Event(event.value),
        phase=Phase(phase.value),
        settings=parse_settings(settings or ()),
        given=given_facts(facts) if facts else {},
        this_hardware=this_hardware,
    )


def given_facts(path: str) -> dict[str, Any]:
    """The facts in a file. JSON is read as YAML, which includes it."""
    from converge.diagnostics import Report
    from converge.language import document

    report = Report()
    found = document.load(path, report)
    report.raise_errors()
    data = found.data if found else None
    if data is not None and not isinstance(data, Mapping):
        raise UsageError(
            f"{path} is not a map of facts", hint="write `name: value` on each line, such as `disk.size: 64GiB`"
        )
    return dict(data or {})


class Output:
    """Writes a verb's result: to stdout in the requested format, and as JSON into a file if one is given."""

    def __init__(self, color: ColorChoice, format_: StrEnum = Format.TEXT, json_into: str | None = None) -> None:
        self.color = color
        self.json = format_ == Format.JSON
        self.json_into = json_into

    @property
    def columns(self) -> int | None:
        """The width of the terminal; None if stdout is not a terminal."""
        return columns(sys.stdout)

    @contextmanager
    def result(self) -> Iterator[None]:
        """Write an error inside as JSON in place of the result, if JSON is requested; stderr always gets its text."""
        try:
            yield
        except ConvergeError as error:
            if self.json or self.json_into:
                from converge.render import json

                self._document(json.failure(error))
            raise

    def write(self, document: Callable[[], Document], lines: Callable[[], "Iterable[Line]"]) -> None:
        """Write the result; a format that is not requested is not made."""
        if not self.json:
            self.lines(lines())
        if self.json or self.json_into:
            self._document(document())

    def lines(self, lines: "Iterable[Line]", stream: TextIO | None = None) -> None:
        """Write lines of styled spans (`render.base.Line`)."""
        from converge.render.base import write

        target = stream or sys.stdout
        with _may_break(target):
            write(lines, target, color=colored(self.color, target))

    def raw(self, text: str) -> None:
        with _may_break(sys.stdout):
            sys.stdout.write(text)

    def _document(self, document: Document) -> None:
        from converge.render import json

        text = json.text(document)
        if self.json:
            self.raw(text)
        if self.json_into:
            _save(self.json_into, text)


def columns(stream: TextIO) -> int | None:
    """The width of a stream's terminal; None if the stream is not a terminal."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def colored(color: ColorChoice, stream: TextIO) -> bool:
    """Whether to colour; auto: on a terminal that can, unless NO_COLOR is set and not empty."""
    if color is not ColorChoice.AUTO:
        return color is ColorChoice.ALWAYS
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _save(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConvergeError(f"cannot write {path}: {error.strerror}") from error


@contextmanager
def _may_break(stream: TextIO) -> Iterator[None]:
    """A reader that has gone (`converge plan | head`) ends the output, but not the verb."""
    try:
        yield
        stream.flush()
    except BrokenPipeError:
        _abandon(stream)
    except OSError as error:
        _abandon(stream)
        raise ConvergeError(f"cannot write the output: {error.strerror}") from error


def _abandon(stream: TextIO) -> None:
    """Send the rest of the buffer to /dev/null, or the interpreter would write it again at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
