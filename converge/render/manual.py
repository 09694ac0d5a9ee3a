"""The manual, made from the schemas: the meaning of a type, a parameter or a key, as text and as JSON documents."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from converge.diagnostics import did_you_mean
from converge.errors import ConvergeError
from converge.render.base import Line, pad, safe, width, wrapped

Schema: TypeAlias = Mapping[str, Any]

WIDTH = 80
"""The width of a manual page: it fits every terminal and is easy to read."""
_KINDS = {"string": "text", "array": "list", "object": "map", "boolean": "true or false", "integer": "whole number"}
_EXPRESSIONS_ONLY = r"\{\{"
"""The pattern of a parameter that is not a text but accepts an expression."""


def overview(entries: Mapping[str, str]) -> Iterator[Line]:
    """Names with a line of explanation each, aligned."""
    cells = max((width(name) for name in entries), default=0)
    for name, text in entries.items():
        first, *rest = wrapped(text, WIDTH - cells - 4) or [""]
        yield (f"  {pad(name, cells)}", "bold"), (f"  {first}", "")
        for line in rest:
            yield ((" " * (cells + 4) + line, ""),)


def heading(text: str) -> Line:
    return ((text, "bold underline"),)


def resource_type(schema: Schema) -> Iterator[Line]:
    """A resource type: its parameters, and its state fields for `only_if`."""
    definitions = schema["definitions"]
    yield (schema["title"], "bold"), (f": {schema['description']}", "")
    policies = ", ".join(f"{key}: {value}" for key, value in schema["x-converge"].items())
    yield ((f"Defaults: {policies}.", "dim"),)
    yield ()
    yield heading("with")
    yield from _properties(definitions["with"])
    yield ()
    yield heading("only_if")
    yield from state(schema)


def state(schema: Schema) -> Iterator[Line]:
    """The state fields of a resource type."""
    fields = schema["definitions"]["state"]["properties"]
    return overview({name: _sentence(field) for name, field in fields.items()})


def part(path: Sequence[str], schema: Schema, *, required: bool) -> Iterator[Line]:
    """One parameter or key, by its dotted path, with everything below it."""
    yield (".".join(path), "bold"), (f"  {_kind(schema)}{', required' if required else ''}", "cyan")
    yield from _explained(schema, "  ")
    yield from _below(schema)


def find(schema: Schema, path: Sequence[str], of: str) -> tuple[Schema, bool]:
    """The schema of the property at `path`, and whether it is required. ConvergeError if there is none."""
    required = False
    for name in path:
        holder = _holder(schema)
        properties = holder.get("properties", {})
        if name not in properties:
            hint = did_you_mean(name, list(properties)) or f"use one of: {', '.join(properties)}"
            raise ConvergeError(f"{of} has no '{name}'", hint=hint)
        required = name in holder.get("required", ())
        schema, of = properties[name], f"{of}.{name}"
    return schema, required


def _holder(schema: Schema) -> Schema:
    """The schema with the properties: this one, or that of its items."""
    items = schema.get("items")
    return items if "properties" not in schema and isinstance(items, Mapping) else schema


def _below(schema: Schema) -> Iterator[Line]:
    holder = _holder(schema)
    if "properties" in holder:
        yield ()
        yield from _properties(holder)


def _properties(schema: Schema) -> Iterator[Line]:
    for name, property_ in schema["properties"].items():
        required = ", required" if name in schema.get("required", ()) else ""
        yield (f"  {name}", "bold"), (f"  {_kind(property_)}{required}", "cyan")
        yield from _explained(property_, "      ")


def _explained(schema: Schema, indent: str) -> Iterator[Line]:
    for line in wrapped(schema.get("description", ""), WIDTH - len(indent)):
        yield ((indent + line, ""),)
    facts = []
    if "default" in schema:
        facts.append(f"default: {_yaml(schema['default'])}")
    if schema.get("examples"):
        facts.append(f"example: {_yaml(schema['examples'][0])}")
    for fact in facts:
        yield ((indent + fact, "dim"),)


def _sentence(schema: Schema) -> str:
    kind = _kind(schema)
    return f"{schema.get('description', '')} ({kind})" if kind else str(schema.get("description", ""))


def _kind(schema: Schema) -> str:
    """The accepted values, as a word or as the choices."""
    if schema.get("x-secret") is True:
        return "secret"
    if schema.get("x-size"):
        return "size"
    choices = schema.get("enum") or schema.get("else", {}).get("enum")
    if choices:
        return " | ".join("unset" if choice is None else _yaml(choice) for choice in choices)
    types = schema.get("type", ())
    names = [types] if isinstance(types, str) else list(types)
    if schema.get("pattern") == _EXPRESSIONS_ONLY and len(names) > 1:
        names.remove("string")
    return " or ".join(_named(name, schema) for name in names if name != "null")


def _named(name: str, schema: Schema) -> str:
    items = schema.get("items")
    if name == "array" and isinstance(items, Mapping) and (inner := _kind(items)):
        return f"list of {inner}"
    return _KINDS.get(name, name)


def _yaml(value: object) -> str:
    """A value as it may be written in a manifest: JSON is YAML, and plain words need no quotes."""
    if (
        isinstance(value, str)
        and value.replace("-", "").replace(".", "").replace("/", "").isalnum()
        and not value[0].isdigit()
    ):
        return value
    return safe(json.dumps(value, ensure_ascii=False))
