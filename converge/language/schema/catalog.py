"""The schema files: their places, and their content about a resource type."""

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias

from converge.diagnostics import did_you_mean
from converge.errors import ConvergeError
from converge.model import OnAdopt, OnUserChange

Schema: TypeAlias = Mapping[str, Any]
"""A JSON schema, draft-07."""

EXPRESSION = r"\{\{"
"""The pattern with which a schema accepts an expression for a value that is not text."""
ENTRY_POINTS = "converge.providers"

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@cache
def folder() -> str:
    """The folder of the schemas: inside an installed package, beside the package in a checkout."""
    inside = os.path.join(_PACKAGE, "schemas")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(_PACKAGE), "schemas")


@cache
def read(name: str) -> Schema:
    """The schema `name`, such as `manifest.json`."""
    return _read(os.path.join(folder(), name))


def named(reference: str) -> Schema:
    """The schema of a reference such as `manifest.json#/definitions/resource`, with its properties in full."""
    name, _, pointer = reference.partition("#/")
    found = read(name)
    for step in pointer.split("/") if pointer else ():
        found = found[step]
    properties = found.get("properties", {}).items()
    return {**found, "properties": {key: named(each["$ref"]) if "$ref" in each else each for key, each in properties}}


@cache
def files() -> Mapping[str, str]:
    """The schema of each built-in resource type, sorted by type: `resources/TOPIC/TYPE.json`."""
    top = os.path.join(folder(), "resources")
    found = [(name.removesuffix(".json"), topic) for topic in os.listdir(top) for name in os.listdir(f"{top}/{topic}")]
    return {type_: f"resources/{topic}/{type_}.json" for type_, topic in sorted(found)}


def topic(type_: str) -> str:
    """The folder that a built-in type is in, here and below `providers/`."""
    return files()[type_].split("/")[1]


def types() -> tuple[str, ...]:
    """The built-in resource types, sorted."""
    return tuple(files())


def third_party_types() -> tuple[str, ...]:
    """The resource types of other installed packages, sorted. Slow: it reads the metadata of every package."""
    from importlib.metadata import entry_points

    return tuple(sorted({point.name for point in entry_points(group=ENTRY_POINTS)}.difference(types())))


@cache
def find(type_: str) -> Schema | None:
    """The schema of a resource type; that of a third party is `<type>.json` beside the module of its entry point.

    ConvergeError if the schema of a third party's type cannot be used.
    """
    if type_ in files():
        return read(files()[type_])
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINTS, name=type_):
        path = os.path.join(_folder_of(point.module), f"{type_}.json")
        return _completed(type_, _read(path), path)
    return None


def _folder_of(module: str) -> str:
    from importlib.util import find_spec

    try:
        spec = find_spec(module)
    except Exception as error:  # a third party's package may raise anything at its import
        raise ConvergeError(f"cannot import {module}: {error}", hint="install its package again") from error
    if spec is None or spec.origin is None:
        raise ConvergeError(f"the module {module} is missing", hint="install the package that declares it again")
    return os.path.dirname(spec.origin)


def _completed(type_: str, schema: Schema, path: str) -> Schema:
    """A third party's schema with defaults for its optional parts; ConvergeError if a required part is missing."""
    definitions = schema.get("definitions") if isinstance(schema, Mapping) else None
    parts = [definitions.get(name) for name in ("with", "state")] if isinstance(definitions, Mapping) else [None]
    if not all(isinstance(part, Mapping) and isinstance(part.get("properties"), Mapping) for part in parts):
        hint = "add `definitions.with` and `definitions.state`, each with `properties`"
        raise ConvergeError(f"the schema {path} does not describe '{type_}'", hint=hint)
    policies = {"on_user_change": "overwrite", "on_adopt": "apply", **schema.get("x-converge", {})}
    return {"title": type_, "description": "", **schema, "x-converge": policies}


def load(type_: str) -> Schema:
    """The schema of a resource type; ConvergeError if the type does not exist."""
    schema = find(type_)
    if schema is None:
        raise ConvergeError(
            f"there is no resource type '{type_}'", hint=did_you_mean(type_, [*types(), *third_party_types()])
        )
    return schema


def usable(type_: str) -> Schema | None:
    """The schema of a resource type; None if the type does not exist, or its schema cannot be used."""
    try:
        return find(type_)
    except ConvergeError:
        return None


def defaults(type_: str) -> tuple[OnUserChange, OnAdopt]:
    """A type's `on_user_change` and `on_adopt`; those of most types if the type does not exist."""
    declared = (usable(type_) or {}).get("x-converge", {})
    return OnUserChange(declared.get("on_user_change", "overwrite")), OnAdopt(declared.get("on_adopt", "apply"))


def references(type_: str) -> tuple[str, ...]:
    """The parameters of a type that name resources: it acts after their changes."""
    return _marked(find(type_), "with", "x-references")


def sizes(type_: str) -> tuple[str, ...]:
    """The state fields of a type that are sizes in bytes."""
    return _marked(usable(type_), "state", "x-size")


def rows(type_: str) -> tuple[str, ...]:
    """The state fields of a type that are lists of independent lines."""
    return _marked(usable(type_), "state", "x-rows")


def _marked(schema: Schema | None, part: str, mark: str) -> tuple[str, ...]:
    properties = (schema or {}).get("definitions", {}).get(part, {}).get("properties", {})
    return tuple(name for name, each in properties.items() if each.get(mark))


def _read(path: str) -> Schema:
    try:
        with open(path, encoding="utf-8") as file:
            schema: Schema = json.load(file)
    except (OSError, ValueError) as error:
        raise ConvergeError(f"cannot read the schema {path}: {error}", hint="install converge again") from error
    return schema
