"""The schema files: where they are, and what they say of a resource type."""

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
"""The pattern by which a schema lets an expression stand for a value that is no text."""
ENTRY_POINTS = "converge.providers"

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@cache
def folder() -> str:
    """The folder of the schemas: inside the package where that is installed, beside it in a checkout."""
    inside = os.path.join(_PACKAGE, "schemas")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(_PACKAGE), "schemas")


@cache
def read(name: str) -> Schema:
    """The schema `name`, such as `manifest.json`."""
    return _read(os.path.join(folder(), name))


def named(reference: str) -> Schema:
    """What a reference names, such as `manifest.json#/definitions/resource`; its properties stand in it in full."""
    name, _, pointer = reference.partition("#/")
    found = read(name)
    for step in pointer.split("/") if pointer else ():
        found = found[step]
    properties = found.get("properties", {}).items()
    return {**found, "properties": {key: named(each["$ref"]) if "$ref" in each else each for key, each in properties}}


@cache
def files() -> Mapping[str, str]:
    """Per resource type that converge brings, sorted, its schema: `resources/TOPIC/TYPE.json`."""
    top = os.path.join(folder(), "resources")
    found = [(name.removesuffix(".json"), topic) for topic in os.listdir(top) for name in os.listdir(f"{top}/{topic}")]
    return {type_: f"resources/{topic}/{type_}.json" for type_, topic in sorted(found)}


def types() -> tuple[str, ...]:
    """The resource types that converge brings, sorted."""
    return tuple(files())


def third_party_types() -> tuple[str, ...]:
    """The resource types that other installed packages bring, sorted. Looking for them reads what pip knows of each."""
    from importlib.metadata import entry_points

    return tuple(sorted({point.name for point in entry_points(group=ENTRY_POINTS)}.difference(types())))


@cache
def find(type_: str) -> Schema | None:
    """The schema of a resource type; a third party's stands beside the module of its entry point, as `<type>.json`.

    ConvergeError where a third party's type has no schema that can be used.
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
    except Exception as error:  # what a third party's package does when it is imported is its own
        raise ConvergeError(f"cannot import {module}: {error}", hint="install its package again") from error
    if spec is None or spec.origin is None:
        raise ConvergeError(f"there is no module {module}", hint="install the package that names it again")
    return os.path.dirname(spec.origin)


def _completed(type_: str, schema: Schema, path: str) -> Schema:
    """A third party's schema with all that ours have; ConvergeError where it leaves out what nobody else can know."""
    definitions = schema.get("definitions") if isinstance(schema, Mapping) else None
    parts = [definitions.get(name) for name in ("with", "state")] if isinstance(definitions, Mapping) else [None]
    if not all(isinstance(part, Mapping) and isinstance(part.get("properties"), Mapping) for part in parts):
        hint = "it needs `definitions.with` and `definitions.state`, each with `properties`"
        raise ConvergeError(f"the schema {path} does not describe '{type_}'", hint=hint)
    policies = {"on_user_change": "overwrite", "on_adopt": "apply", **schema.get("x-converge", {})}
    return {"title": type_, "description": "", **schema, "x-converge": policies}


def load(type_: str) -> Schema:
    """The schema of a resource type; ConvergeError where there is no such type."""
    schema = find(type_)
    if schema is None:
        raise ConvergeError(
            f"there is no resource type '{type_}'", hint=did_you_mean(type_, [*types(), *third_party_types()])
        )
    return schema


def usable(type_: str) -> Schema | None:
    """The schema of a resource type; None where there is no such type, or a third party's cannot be used."""
    try:
        return find(type_)
    except ConvergeError:
        return None


def defaults(type_: str) -> tuple[OnUserChange, OnAdopt]:
    """A type's `on_user_change` and `on_adopt`; those of most types where there is no such type."""
    says = (usable(type_) or {}).get("x-converge", {})
    return OnUserChange(says.get("on_user_change", "overwrite")), OnAdopt(says.get("on_adopt", "apply"))


def references(type_: str) -> tuple[str, ...]:
    """The parameters of a type that name resources, after whose changes it does something."""
    return _marked(find(type_), "with", "x-references")


def sizes(type_: str) -> tuple[str, ...]:
    """The state fields of a type that are sizes in bytes."""
    return _marked(usable(type_), "state", "x-size")


def rows(type_: str) -> tuple[str, ...]:
    """The state fields of a type that are lists of lines, of which each is a thing of its own."""
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
