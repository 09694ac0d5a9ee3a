"""Every expression of a product, parsed and typed against what it may name and where it stands."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, frozen

from converge.checks.base import variants
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
from converge.language.schema.base import EXPRESSION
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

_NAME_ALONE = re.compile(r"\{\{[\w\s.]*\}\}")
"""What else stands where a secret is due may be one, written out."""


def check(product: Product, report: Report) -> frozenset[str]:
    """Report what is wrong with the expressions; returns the names they use."""
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
            message = f"'{parameter.name}' means something else in expressions already"
            report.error("reserved-name", message, parameter.mark, hint="choose another name for the parameter")
    return evolve(known, names={**types, **known.names})


def _read(resource: Resource, scope: Scope, report: Report) -> set[str]:
    """Report what is wrong with the expressions of one resource; returns the names they use."""
    reader = _Reader(resource, scope, report)
    used, item = reader.for_each()
    if item is not None:
        reader = _Reader(resource, evolve(scope, names={**scope.names, "item": item}), report)
    reader.check_only_if()
    wanted = (schema.find(resource.type) or {}).get("definitions", {}).get("with", {})
    return used | reader.condition() | reader.values(resource.with_, ("with",), wanted)


@frozen
class _Reader:
    """Reads the expressions of one resource; each method returns the names that are used."""

    resource: Resource
    scope: Scope
    report: Report

    def for_each(self) -> tuple[set[str], Type | None]:
        """The names used, and the type of `item`; None where there is no `for_each`."""
        for_each = self.resource.for_each
        if for_each is None:
            return set(), None
        if not isinstance(for_each, str):
            return self.values(for_each, ("for_each",), {}), element_type(_literal(for_each)) or ANY
        used, type_ = self._tree(for_each, ("for_each",), template=True)
        item = element_type(type_)
        if item is None:
            hint = "it needs a list of texts or a map" if "{{" in for_each else f'write "{{{{ {for_each} }}}}"'
            self._wrong_type(("for_each",), f"`for_each` goes through a list or a map, not {_shown(type_)}", hint)
        return used, item or ANY

    def condition(self) -> set[str]:
        when = self.resource.when
        if when is None or when in ("true", "false"):
            return set()
        used, type_ = self._tree(when, ("when",))
        if type_.kind not in ("any", "boolean"):
            hint = "compare it with something" if type_.kind in ("size", "integer", "version", "text") else None
            self._wrong_type(("when",), f"`when` must be true or false, and this is {_shown(type_)}", hint)
        return used

    def values(self, value: Value, path: Path, wanted: Mapping[str, Any]) -> set[str]:
        if isinstance(value, str):
            return self._value(value, path, wanted)
        return {name for key, inner in _children(value) for name in self.values(inner, (*path, key), _at(wanted, key))}

    def _value(self, text: str, path: Path, wanted: Mapping[str, Any]) -> set[str]:
        if "{{" not in text:
            return set()
        if wanted.get("x-secret") and not _NAME_ALONE.fullmatch(text):
            self.report.hide(self.resource.mark_of(*path))
        used, type_ = self._tree(text, path, template=True)
        if not self._is_in_place(type_, path, wanted):
            return used
        expected, found = _json_types(wanted), type_.json_type
        if expected and found is not None and found not in expected:
            words = "a size" if wanted.get("x-size") else " or ".join(_JSON_WORDS[name] for name in sorted(expected))
            hint = f"write an expression that comes to {words}"
            self._wrong_type(path, f"'{path[-1]}' takes {words}, not {_JSON_WORDS[found]}", hint)
        return used

    def _is_in_place(self, type_: Type, path: Path, wanted: Mapping[str, Any]) -> bool:
        """Report a secret where it would be shown, and anything else where a secret is due."""
        takes = wanted.get("x-secret", False)
        if type_.kind == "secret" and not takes:
            message = f"'{path[-1]}' takes no secret: it is shown in plans and remembered as it is"
            hint = "name a secret only in parameters that are for secrets"
            self.report.error("secret-in-the-open", message, self.resource.mark_of(*path), hint=hint)
            return False
        if takes is True and type_.kind not in ("secret", "any"):
            self._wrong_type(path, f"'{path[-1]}' takes a secret", "declare the parameter with `type: secret`")
            return False
        return True

    def _tree(self, text: str, path: Path, *, template: bool = False) -> tuple[set[str], Type]:
        """The names that an expression uses, and its type: any, where what has been reported leaves it without one."""
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
        """A secret stands alone: what is computed of it could be shown."""
        if isinstance(tree, Template) and isinstance(tree.whole, Name):
            return
        for node in walk(tree):
            if isinstance(node, Name) and self.scope.names.get(node.dotted) == SECRET:
                span, hint = node.span, f'write "{{{{ {node.dotted} }}}}" and nothing beside it'
                message = f"nothing can be computed with the secret '{node.dotted}'"
                self._problem(text, path, "secret-in-the-open", message, hint, span.start, span.end - span.start)

    def check_only_if(self) -> None:
        """`only_if` is compared with what is found on the machine, and never evaluated."""
        for index, condition in enumerate(self.resource.only_if):
            for name, value in condition.items():
                path = ("only_if", name) if ("only_if", name) in self.resource.marks else ("only_if", index, name)
                if isinstance(value, str) and "{{" in value:
                    hint = "write the value out, or put the condition into `when`"
                    mark = self.resource.mark_of(*path)
                    self.report.error("not-allowed", "`only_if` takes no expressions", mark, hint=hint)

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


def _at(wanted: Mapping[str, Any], key: str | int) -> Mapping[str, Any]:
    others = wanted.get("additionalProperties")
    inner = wanted.get("items") if isinstance(key, int) else wanted.get("properties", {}).get(key, others)
    return inner if isinstance(inner, Mapping) else {}


def _json_types(wanted: Mapping[str, Any]) -> frozenset[str]:
    """What a value may come to: text is no such thing where it only stands for an expression, or is a size."""
    named = wanted.get("type", [])
    types = frozenset([named] if isinstance(named, str) else named)
    return types - {"string"} if wanted.get("pattern") == EXPRESSION or wanted.get("x-size") else types


def _literal(value: Value) -> Type:
    """The type of a `for_each` that is written out; texts with expressions in them can come to anything."""
    if isinstance(value, Mapping) and any(isinstance(item, str) and "{{" in item for item in value.values()):
        return Type("map", of=ANY)
    return type_of_value(value)


def _shown(type_: Type) -> str:
    words = {"boolean": "true or false", "integer": "a whole number", "text": "text", "null": "nothing"}
    return words.get(type_.kind, f"a {type_}")
