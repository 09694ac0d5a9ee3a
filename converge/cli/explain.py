"""`converge explain`: the manual, made from the schemas and the tables of expressions."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from converge.cli import base
from converge.errors import ConvergeError, ExitCode

if TYPE_CHECKING:
    from converge.render.base import Line

Topic = Annotated[
    str | None,
    typer.Argument(
        metavar="TYPE[.FIELD]",
        help="A resource type, one of its parameters, or: resource, manifest, parameter, site, expressions.",
        show_default=False,
    ),
]
TOPICS = {
    "resource": "The keys that every resource has, such as `apply`, `when` and `only_if`.",
    "manifest": "The keys of a manifest.",
    "parameter": "The keys of a parameter of a manifest: its type and default.",
    "site": "The keys of /etc/converge/site.yaml.",
    "expressions": "What `when` and {{ }} may contain: facts, probes, functions, filters and constants.",
}
ENVELOPES = {
    "resource": "manifest.json#/definitions/resource",
    "manifest": "manifest.json",
    "parameter": "manifest.json#/definitions/parameter",
    "site": "site.json",
}
OPERATORS = {
    "and or not": "Three-valued: an unknown value makes the result unknown, unless the other side decides it.",
    "== != < <= > >= in": "Comparisons; a text compared with a version is read as a version.",
    "+ - * // %": "Arithmetic with integers and sizes.",
    "~": "Join texts.",
    "a if b else c": "One of two values, by a condition.",
}


def explain(
    topic: Topic = None,
    format_: base.FormatOption = base.Format.TEXT,
    json_into: base.JsonIntoOption = None,
    color: base.ColorOption = base.ColorChoice.AUTO,
) -> ExitCode:
    """Explain a resource type or one of its parameters; without an argument, list the types."""
    output = base.Output(color, format_, json_into)
    with output.result():
        document, lines = _explained(topic)
        output.write(lambda: document, lambda: lines)
    return ExitCode.OK


def _explained(topic: str | None) -> "tuple[Mapping[str, Any], Iterable[Line]]":
    if topic is None:
        return _overview()
    name, *path = topic.split(".")
    if name == "expressions":
        return _expressions()
    if name in ENVELOPES:
        return _envelope(name, path)
    return _type(name, path)


def _overview() -> "tuple[Mapping[str, Any], Iterable[Line]]":
    from converge.language import schema
    from converge.render import manual

    types = {type_: str(schema.load(type_)["description"]) for type_ in schema.types()}
    others = {type_: _described(type_) for type_ in schema.third_party_types()}
    tables = {"Resource types": types, "Resource types of other packages": others, "Other topics": TOPICS}
    lines = [
        line
        for title, table in tables.items()
        if table
        for line in (manual.heading(title), *manual.overview(table), ())
    ]
    return {"types": {**types, **others}, "topics": TOPICS}, lines[:-1]


def _described(type_: str) -> str:
    """The description of a third party's type, or the error in its schema: the other types are listed in any case."""
    from converge.language import schema

    try:
        return str(schema.load(type_)["description"])
    except ConvergeError as error:
        return error.explained


def _type(name: str, path: list[str]) -> "tuple[Mapping[str, Any], Iterable[Line]]":
    from converge.diagnostics import did_you_mean
    from converge.language import schema
    from converge.render import manual

    found = schema.find(name)
    if found is None:
        known = [*schema.types(), *schema.third_party_types(), *TOPICS]
        hint = did_you_mean(name, known) or f"use one of: {', '.join(known)}"
        raise ConvergeError(f"'{name}' is not a resource type or a topic", hint=hint)
    if not path:
        return {"schema": found}, manual.resource_type(found)
    if path == ["only_if"]:
        return {"schema": found["definitions"]["state"]}, manual.state(found)
    property_, required = manual.find(found["definitions"]["with"], path, name)
    return {"schema": property_}, manual.part([name, *path], property_, required=required)


def _envelope(name: str, path: list[str]) -> "tuple[Mapping[str, Any], Iterable[Line]]":
    from converge.language import schema
    from converge.render import manual

    property_, required = manual.find(schema.named(ENVELOPES[name]), path, name)
    return {"schema": property_}, manual.part([name, *path], property_, required=required)


def _expressions() -> "tuple[Mapping[str, Any], Iterable[Line]]":
    from converge.facts import FACTS, PROBES
    from converge.language.expressions import CONSTANTS, FUNCTIONS
    from converge.render import manual

    tables = {
        "Facts": {name: f"{fact.doc} ({fact.type})" for name, fact in FACTS.items()},
        "Probes": {probe.signature: probe.doc for probe in PROBES.values()},
        "Functions, which are filters too": {function.signature: function.doc for function in FUNCTIONS.values()},
        "Constants": {name: f"{size} bytes" for name, size in CONSTANTS.items()},
        "Operators": OPERATORS,
    }
    lines = [line for title, table in tables.items() for line in (manual.heading(title), *manual.overview(table), ())]
    return tables, lines[:-1]
