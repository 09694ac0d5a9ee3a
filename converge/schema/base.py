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

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


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
def types() -> tuple[str, ...]:
    """The resource types that converge brings, sorted."""
    files = os.listdir(os.path.join(folder(), "resources"))
    return tuple(sorted(name.removesuffix(".json") for name in files if name.endswith(".json")))


@cache
def find(type_: str) -> Schema | None:
    """The schema of a resource type; a third party's stands beside the module of its entry point, as `<type>.json`."""
    if type_ in types():
        return read(f"resources/{type_}.json")
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    for point in entry_points(group=ENTRY_POINTS, name=type_):
        module = find_spec(point.module)
        if module is not None and module.origin is not None:
            return _read(os.path.join(os.path.dirname(module.origin), f"{type_}.json"))
    return None


def load(type_: str) -> Schema:
    """The schema of a resource type; ConvergeError where there is no such type."""
    schema = find(type_)
    if schema is None:
        raise ConvergeError(f"there is no resource type '{type_}'", hint=did_you_mean(type_, list(types())))
    return schema


def defaults(type_: str) -> tuple[OnUserChange, OnAdopt]:
    """A type's `on_user_change` and `on_adopt`; those of most types where there is no such type."""
    says = (find(type_) or {}).get("x-converge", {})
    return OnUserChange(says.get("on_user_change", "overwrite")), OnAdopt(says.get("on_adopt", "apply"))


def references(type_: str) -> tuple[str, ...]:
    """The parameters of a type that name resources, after whose changes it does something."""
    parameters = (find(type_) or {}).get("definitions", {}).get("with", {}).get("properties", {})
    return tuple(name for name, each in parameters.items() if each.get("x-references"))


def _read(path: str) -> Schema:
    try:
        with open(path, encoding="utf-8") as file:
            schema: Schema = json.load(file)
    except (OSError, ValueError) as error:
        raise ConvergeError(f"cannot read the schema {path}: {error}", hint="install converge again") from error
    return schema
