"""Expressions: Jinja2 parses them, our own code checks them statically and evaluates them.

`when` is one expression without braces (`parse_expression`); a text in `with` or `for_each` may contain `{{ }}`
(`parse_template`). Trees are plain frozen values that can be pickled; Jinja2 is imported only to parse text.

Logic is three-valued: an unknown value makes a result unknown, unless `and` or `or` are decided without it. `default`
replaces an unset value, never an unknown one: otherwise an image build would use the fallback, although the first boot
of the real machine knows the value.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from converge.language.expressions import evaluation
from converge.language.expressions.functions import FUNCTIONS, takes
from converge.language.expressions.tree import (
    Attribute,
    Call,
    Constant,
    Expression,
    ExpressionError,
    Name,
    Template,
    Tree,
    walk,
)
from converge.language.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    NULL,
    SECRET,
    SIZE,
    TEXT,
    TEXTS,
    VERSION,
    Checked,
    Environment,
    Found,
    Function,
    Mismatch,
    Problem,
    Scope,
    Type,
    optional,
    record,
    unify,
)
from converge.model import Parameter, Secret, Unknown, Value, Version
from converge.values import UNITS

CONSTANTS: Mapping[str, int] = UNITS
"""Sizes in bytes."""

__all__ = [
    "ANY",
    "BOOLEAN",
    "CONSTANTS",
    "FUNCTIONS",
    "INTEGER",
    "SECRET",
    "SIZE",
    "TEXT",
    "TEXTS",
    "VERSION",
    "Checked",
    "Environment",
    "Expression",
    "ExpressionError",
    "Found",
    "Function",
    "Mismatch",
    "Name",
    "Problem",
    "Scope",
    "Template",
    "Tree",
    "Type",
    "calls_probe",
    "check",
    "element_type",
    "evaluate",
    "evaluate_within",
    "names_in",
    "optional",
    "parameter_value",
    "parse_call",
    "parse_expression",
    "parse_template",
    "record",
    "takes",
    "type_of_value",
    "unknown_within",
    "walk",
]


@cache
def parse_expression(text: str) -> Expression:
    """Parse a whole text, such as that of `when`. Raises ExpressionError."""
    from converge.language.expressions import parsing  # a device with a cached product parses nothing

    return parsing.expression(text)


@cache
def parse_template(text: str) -> Template | str:
    """Parse text that may contain `{{ }}`; text without it is returned as it is. Raises ExpressionError."""
    if "{{" not in text:
        return text
    from converge.language.expressions import parsing

    return parsing.template(text)


def check(tree: Tree, scope: Scope) -> Checked:
    """Find the type of a tree and its problems; one problem does not hide another."""
    from converge.language.expressions import checking  # validation needs it, a run on a device does not

    return checking.check(tree, scope)


def evaluate(tree: Tree, environment: Environment) -> Found:
    """The value of a tree; a template that is one expression returns a Version as text. Raises ExpressionError."""
    return evaluation.evaluate(tree, environment, FUNCTIONS)


def names_in(tree: Tree) -> frozenset[str]:
    """The dotted names that a tree contains, and the names of the probes that it calls."""
    found = (node.dotted if isinstance(node, Name) else _probe(node) for node in walk(tree))
    return frozenset(name for name in found if name is not None)


def evaluate_within(value: Value, environment: Environment) -> Any:  # noqa: ANN401  (a Value or Unknown, at any depth)
    """A value of a manifest with every text in it evaluated. Raises ExpressionError."""
    if isinstance(value, str):
        return evaluate(parse_template(value), environment)
    if isinstance(value, Mapping):
        return {key: evaluate_within(item, environment) for key, item in value.items()}
    return tuple(evaluate_within(item, environment) for item in value) if isinstance(value, list | tuple) else value


def unknown_within(value: object) -> Unknown | None:
    """The first unknown value in a value, at any depth."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return next((found for found in map(unknown_within, value) if found is not None), None)
    return value if isinstance(value, Unknown) else None


def calls_probe(tree: Tree) -> bool:
    return any(_probe(node) for node in walk(tree))


def _probe(node: Expression) -> str | None:
    return node.name if isinstance(node, Call) and node.name not in FUNCTIONS else None


def parameter_value(parameter: Parameter) -> "Value | Secret | Version":
    """The value of a product's parameter for expressions: in manifests a version is text."""
    value = parameter.value
    return Version(value) if parameter.type == "version" and isinstance(value, str) else value


def type_of_value(value: Value) -> Type:
    """The type of a plain value, such as one of a manifest."""
    if isinstance(value, Mapping):
        return Type("map", of=_common(list(value.values())))
    if isinstance(value, list | tuple):
        return Type("list", of=_common(list(value)))
    if value is None:
        return NULL
    return BOOLEAN if isinstance(value, bool) else INTEGER if isinstance(value, int) else TEXT


def _common(values: list[Value]) -> Type:
    found: Type | None = ANY
    for value in values:
        found = found and unify(found, type_of_value(value))
    return found or ANY


def element_type(type_: Type) -> Type | None:
    """The type of `item` in a `for_each` over a value of this type; None if `for_each` cannot use the value."""
    if type_.kind == "map":
        return record(key=TEXT, value=type_.of or ANY)
    if type_.kind == "list" and (type_.of or ANY).kind in ("any", "text"):
        return TEXT
    return ANY if type_.kind == "any" else None


def parse_call(text: str) -> tuple[str, tuple[Found, ...], str | None]:
    """A call of a probe with plain arguments, `flatpak("a").origin`: its name, arguments, and the field after it."""
    tree = parse_expression(text)
    call, part = (tree.of, tree.name) if isinstance(tree, Attribute) else (tree, None)
    if not isinstance(call, Call):
        raise ExpressionError("this is not a call")
    values = tuple(argument.value for argument in call.arguments if isinstance(argument, Constant))
    if len(values) != len(call.arguments):
        raise ExpressionError("the arguments must be plain text", offset=call.place.end)
    return call.name, values, part
