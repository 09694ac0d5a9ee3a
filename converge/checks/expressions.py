"""Every expression of a product is parsed, and checked against the known names and the type of its place."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, frozen

from converge.checks.variants import variants
from converge.diagnostics import Path, Report
from converge.facts import scope as facts_scope
from converge.language import schema
from converge.language.document import stretch
from converge.language.expressions import (
    ANY,
    BOOLEAN,
    INTEGER,
    SECRET,
    SIZE,
    TEXT,
    TEXTS,
    VERSION,
    ExpressionError,
    Name,
    Scope,
    Template,
    Tree,
    Type,
    element_type,
    names_in,
    parse_expression,
    parse_template,
    type_of_value,
    walk,
)
from converge.language.expressions import check as check_tree
from converge.language.schema.catalog import EXPRESSION
from converge.model import Product, Resource, Value

_PARAMETER_TYPES: Mapping[str, Type] = {
    "boolean": BOOLEAN,
    "integer": INTEGER,
    "list": TEXTS,
    "secret": SECRET,
    "size": SIZE,
    "text": TEXT,
    "version": VERSION,
}
_JSON_WORDS = {
    "null": "nothing",
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "object": "a map",
    "string": "text",
}

_COMPARED = ("size", "integer", "version", "text")
_NAME_ALONE = re.compile(r"\{\{[\w\s.]*\}\}")
"""An expression in place of a secret that only names something; any other text may be the secret itself."""


def check(product: Product, report: Report) -> frozenset[str]:
    """Report the faults of all expressions; returns the names that they use."""
    scope = _scope(product, report)
    used: set[str] = set()
    for resource in variants(product):
        used |= _read(resource, scope, report)
    return frozenset(used)


def _scope(product: Product, report: Report) -> Scope:
    known = facts_scope()
    reserved = {name.partition(".")[0] for name in known.names} | {"item"}
    types: dict[str, Type] = {}
    for parameter in product.parameters.values():
        types[parameter.name] = _PARAMETER_TYPES[parameter.type]
        if parameter.name in reserved:
            message = f"the parameter name '{parameter.name}' is reserved: expressions already use it"
            report.error("reserved-name", message, parameter.mark, hint="rename the parameter")
    return evolve(known, names={**types, **known.names})


def _read(resource: Resource, scope: Scope, report: Report) -> set[str]:
    """Report the faults of the expressions of one resource; returns the names that they use."""
    reader = _Reader(resource, scope, report)
    used, item = reader.for_each()
    if item is not None:
        reader = _Reader(resource, evolve(scope, names={**scope.names, "item": item}), report)
    reader.check_only_if()
    place = (schema.find(resource.type) or {}).get("definitions", {}).get("with", {})
    return used | reader.condition() | reader.values(resource.with_, ("with",), place)


@frozen
class _Reader:
    """Reads the expressions of one resource; each method returns the names that they use.

    `place` is the schema of the place of a value.
    """

    resource: Resource
    scope: Scope
    report: Report

    def for_each(self) -> tuple[set[str], Type | None]:
        """The names used, and the type of `item`; None without `for_each`."""
        for_each = self.resource.for_each
        if for_each is None:
            return set(), None
        if not isinstance(for_each, str):
            return self.values(for_each, ("for_each",), {}), element_type(_literal(for_each)) or ANY
        used, type_ = self._tree(for_each, ("for_each",), template=True)
        item = element_type(type_)
        if item is None:
            hint = "write a list of texts or a map" if "{{" in for_each else f'write "{{{{ {for_each} }}}}"'
            self._wrong_type(("for_each",), f"`for_each` takes a list of texts or a map, not {_shown(type_)}", hint)
        return used, item or ANY

    def condition(self) -> set[str]:
        when = self.resource.when
        if when is None or when in ("true", "false"):
            return set()
        used, type_ = self._tree(when, ("when",))
        if type_.kind not in ("any", "boolean"):
            hint = "write a comparison, such as a == b" if type_.kind in _COMPARED else None
            self._wrong_type(("when",), f"`when` must be true or false, not {_shown(type_)}", hint)
        return used

    def values(self, value: Value, path: Path, place: Mapping[str, Any]) -> set[str]:
        if isinstance(value, str):
            return self._value(value, path, place)
        return {name for key, inner in _children(value) for name in self.values(inner, (*path, key), _at(place, key))}

    def _value(self, text: str, path: Path, place: Mapping[str, Any]) -> set[str]:
        if "{{" not in text:
            return set()
        if place.get("x-secret") and not _NAME_ALONE.fullmatch(text):
            self.report.hide(self.resource.mark_of(*path))
        used, type_ = self._tree(text, path, template=True)
        if not self._is_in_place(type_, path, place):
            return used
        expected, found = _json_types(place), type_.json_type
        if expected and found is not None and found not in expected:
            words = "a size" if place.get("x-size") else " or ".join(_JSON_WORDS[name] for name in sorted(expected))
            message = f"'{path[-1]}' takes {words}, not {_JSON_WORDS[found]}"
            self._wrong_type(path, message, f"write an expression that returns {words}")
        return used

    def _is_in_place(self, type_: Type, path: Path, place: Mapping[str, Any]) -> bool:
        """Report a secret in a place that plans show, and any other type in the place of a secret."""
        takes = place.get("x-secret", False)
        if type_.kind == "secret" and not takes:
            message = f"'{path[-1]}' must not contain a secret: plans show it, and the ledger stores it"
            hint = "use a secret only in parameters that take secrets"
            self.report.error("secret-in-the-open", message, self.resource.mark_of(*path), hint=hint)
            return False
        if takes is True and type_.kind not in ("secret", "any"):
            message = f"'{path[-1]}' takes a secret, not {_shown(type_)}"
            self._wrong_type(path, message, "declare the parameter with `type: secret`")
            return False
        return True

    def _tree(self, text: str, path: Path, *, template: bool = False) -> tuple[set[str], Type]:
        """The names that an expression uses, and its type, which is `any` after a problem."""
        try:
            tree: Tree = parse_template(text) if template else parse_expression(text)
        except ExpressionError as error:
            self._problem(text, path, error.code, error.message, error.hint, error.offset, error.length)
            return set(), ANY
        self._check_secrets(tree, text, path)
        checked = check_tree(tree, self.scope)
        for found in checked.problems:
            self._problem(text, path, found.code, found.message, found.hint, found.offset, found.length)
        return set(names_in(tree)), ANY if checked.problems else checked.type

    def _check_secrets(self, tree: Tree, text: str, path: Path) -> None:
        """A secret must be the whole expression, because the result of a larger one could be shown."""
        if isinstance(tree, Template) and isinstance(tree.whole, Name):
            return
        for node in walk(tree):
            if isinstance(node, Name) and self.scope.names.get(node.dotted) == SECRET:
                span, hint = node.span, f'write "{{{{ {node.dotted} }}}}" and nothing else'
                message = f"the secret '{node.dotted}' cannot be used in a larger expression"
                self._problem(text, path, "secret-in-the-open", message, hint, span.start, span.end - span.start)

    def check_only_if(self) -> None:
        """`only_if` is compared with the state of the machine and never evaluated."""
        for index, condition in enumerate(self.resource.only_if):
            for name, value in condition.items():
                path = ("only_if", name) if ("only_if", name) in self.resource.marks else ("only_if", index, name)
                if isinstance(value, str) and "{{" in value:
                    hint = "write the value itself, or put the condition into `when`"
                    mark = self.resource.mark_of(*path)
                    self.report.error("not-allowed", "`only_if` must not contain an expression", mark, hint=hint)

    def _problem(
        self, text: str, path: Path, code: str, message: str, hint: str | None, offset: int, length: int
    ) -> None:
        mark = stretch(self.resource.mark_of(*path), text, offset, length)
        self.report.error(code, message, mark, hint=hint)

    def _wrong_type(self, path: Path, message: str, hint: str | None) -> None:
        self.report.error("wrong-type", message, self.resource.mark_of(*path), hint=hint)


def _children(value: Value) -> Iterator[tuple[str | int, Value]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def _at(place: Mapping[str, Any], key: str | int) -> Mapping[str, Any]:
    others = place.get("additionalProperties")
    inner = place.get("items") if isinstance(key, int) else place.get("properties", {}).get(key, others)
    return inner if isinstance(inner, Mapping) else {}


def _json_types(place: Mapping[str, Any]) -> frozenset[str]:
    """The types that a value may have; without text if that is accepted only as an expression or a size."""
    named = place.get("type", [])
    types = frozenset([named] if isinstance(named, str) else named)
    return types - {"string"} if place.get("pattern") == EXPRESSION or place.get("x-size") else types


def _literal(value: Value) -> Type:
    """The type of a `for_each` that is a list or a map; a map with expressions can contain any type."""
    if isinstance(value, Mapping) and any(isinstance(item, str) and "{{" in item for item in value.values()):
        return Type("map", of=ANY)
    return type_of_value(value)


def _shown(type_: Type) -> str:
    words = {"boolean": "true or false", "integer": "a whole number", "text": "text", "null": "nothing"}
    return words.get(type_.kind, f"a {type_}")
