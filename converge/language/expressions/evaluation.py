"""The evaluator: three-valued logic over what the environment knows, bounded in time and room."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

from converge.language.expressions.base import (
    MAX_ITEMS,
    MAX_TEXT,
    Attribute,
    Binary,
    Call,
    Choice,
    Comparison,
    Constant,
    Environment,
    Expression,
    ExpressionError,
    Found,
    Function,
    ListOf,
    Logic,
    Name,
    Negative,
    Not,
    Span,
    Template,
    Tree,
)
from converge.model import Unknown, Version
from converge.values import LARGEST, version_key

_ARITHMETIC: Mapping[str, Callable[[int, int], int]] = {
    "%": operator.mod,
    "*": operator.mul,
    "+": operator.add,
    "-": operator.sub,
    "//": operator.floordiv,
}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def evaluate(tree: Tree, environment: Environment, functions: Mapping[str, Function]) -> Found:
    """What a tree comes to. Raises ExpressionError where an operation fails, such as on text that is no size."""
    if isinstance(tree, str):
        return tree
    evaluation = _Evaluation(environment, functions)
    if not isinstance(tree, Template):
        return evaluation.value(tree)
    return _joined(evaluation, tree) if tree.whole is None else _plain(evaluation.value(tree.whole), tree.whole)


@frozen
class _Evaluation:
    environment: Environment
    functions: Mapping[str, Function]

    def value(self, node: Expression) -> Found:
        return _RULES[type(node)](self, node)

    def truth(self, node: Expression) -> bool | Unknown:
        found = self.value(node)
        if isinstance(found, bool | Unknown):
            return found
        raise _failed(node, "this is neither true nor false")


def _failed(node: Expression, message: str, *, hint: str | None = None) -> ExpressionError:
    span: Span = node.span
    return ExpressionError(
        message, hint=hint, offset=span.start, length=span.end - span.start, code="expression-failed"
    )


def _joined(evaluation: _Evaluation, template: Template) -> Found:
    texts: list[str] = []
    for piece in template.pieces:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        found = evaluation.value(piece)
        if isinstance(found, Unknown):
            return found
        texts.append(_text(found, piece))
    return "".join(texts)


def _text(value: Found, node: Expression) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Version) and value.text is not None:
        return value.text
    what = (
        "unset" if value is None else "of no known version" if isinstance(value, Version) else "neither text nor number"
    )
    raise _failed(node, f"this is {what} and cannot become part of a text")


def _plain(value: Found, node: Expression) -> Found:
    """A value as a parameter takes it: versions are text there."""
    return _text(value, node) if isinstance(value, Version) else value


def _constant(_: _Evaluation, node: Constant) -> Found:
    return node.value


def _name(evaluation: _Evaluation, node: Name) -> Found:
    return evaluation.environment.name(node.path)


def _attribute(evaluation: _Evaluation, node: Attribute) -> Found:
    found = evaluation.value(node.of)
    if isinstance(found, Unknown):
        return found
    if not isinstance(found, Mapping) or node.name not in found:
        raise _failed(node, f"there is no field '{node.name}' here")
    return found[node.name]


def _call(evaluation: _Evaluation, node: Call) -> Found:
    arguments = [evaluation.value(argument) for argument in node.arguments]
    function = evaluation.functions.get(node.name)
    unknown = _first_unknown(arguments[:1] if function and not function.strict else arguments)
    if unknown is not None:
        return unknown
    if function is None or function.run is None:
        return evaluation.environment.call(node.name, arguments)
    try:
        return _bounded(function.run(*arguments), node)
    except (ValueError, TypeError, AttributeError) as error:
        message = str(error) if isinstance(error, ValueError) else "its arguments are of the wrong types"
        raise _failed(node, f"{node.name}: {message}", hint=f"write {function.signature}") from error


def _first_unknown(values: Sequence[Found]) -> Unknown | None:
    return next((value for value in values if isinstance(value, Unknown)), None)


def _bounded(value: Found, node: Expression) -> Found:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise _failed(node, f"the text grows beyond {MAX_TEXT} characters")
    if isinstance(value, list | tuple) and len(value) > MAX_ITEMS:
        raise _failed(node, f"the list grows beyond {MAX_ITEMS} items")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise _failed(node, "the number grows too large")
    return value


def _list(evaluation: _Evaluation, node: ListOf) -> Found:
    items = tuple(evaluation.value(item) for item in node.items)
    unknown = _first_unknown(items)
    return items if unknown is None else unknown


def _not(evaluation: _Evaluation, node: Not) -> Found:
    found = evaluation.truth(node.of)
    return found if isinstance(found, Unknown) else not found


def _logic(evaluation: _Evaluation, node: Logic) -> Found:
    """Kleene's logic: what decides the result decides it, however little is known of the other side."""
    deciding = node.operator == "or"
    left = evaluation.truth(node.left)
    if left is deciding:
        return deciding
    right = evaluation.truth(node.right)
    return right if right is deciding or not isinstance(left, Unknown) else left


def _negative(evaluation: _Evaluation, node: Negative) -> Found:
    found = evaluation.value(node.of)
    return found if isinstance(found, Unknown) else -_number(found, node.of)


def _number(value: Found, node: Expression) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _failed(node, "this is unset" if value is None else "this is no number")


def _choice(evaluation: _Evaluation, node: Choice) -> Found:
    test = evaluation.truth(node.test)
    if isinstance(test, Unknown):
        return test
    return evaluation.value(node.then if test else node.otherwise)


def _binary(evaluation: _Evaluation, node: Binary) -> Found:
    left, right = evaluation.value(node.left), evaluation.value(node.right)
    unknown = _first_unknown((left, right))
    if unknown is not None:
        return unknown
    if node.operator == "~":
        return _bounded(_text(left, node.left) + _text(right, node.right), node)
    one, other = _number(left, node.left), _number(right, node.right)
    if node.operator in ("//", "%") and other == 0:
        raise _failed(node, "nothing can be divided by 0")
    return _bounded(_ARITHMETIC[node.operator](one, other), node)


def _comparison(evaluation: _Evaluation, node: Comparison) -> Found:
    result: bool | Unknown = True
    left = evaluation.value(node.first)
    for sign, operand in node.rest:
        right = evaluation.value(operand)
        unknown = _first_unknown((left, right))
        found = unknown if unknown is not None else _compare(node, sign, left, right)
        if found is False:
            return False
        result = found if isinstance(found, Unknown) else result
        left = right
    return result


def _compare(node: Comparison, sign: str, left: Found, right: Found) -> bool:
    if sign in ("in", "not in"):
        return _contains(node, left, right) is (sign == "in")
    if isinstance(left, Version) or isinstance(right, Version):
        left, right = _as_version(left, node), _as_version(right, node)
    if sign in ("==", "!="):
        return _equal(left, right) is (sign == "==")
    if isinstance(left, tuple) and isinstance(right, tuple):
        return _ORDER[sign](left, right)
    return _ORDER[sign](_number(left, node), _number(right, node))


def _as_version(value: Found, node: Expression) -> Any:  # noqa: ANN401  (a key to compare by)
    if isinstance(value, Version | str):
        return version_key(Version(value) if isinstance(value, str) else value)
    if value is None:
        return None
    raise _failed(node, "a version cannot be compared with this")


def _equal(left: Found, right: Found) -> bool:
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_equal, left, right))
    return left == right and isinstance(left, bool) is isinstance(right, bool)


def _contains(node: Comparison, left: Found, right: Found) -> bool:
    if isinstance(right, str) and isinstance(left, str):
        return left in right
    if not isinstance(right, list | tuple):
        raise _failed(node, "'in' looks for a value in a list, or for text in text")
    if isinstance(left, Version):
        return any(_as_version(item, node) == version_key(left) for item in right)
    return any(_equal(left, item) for item in right)


_RULES: dict[type, Callable[[_Evaluation, Any], Found]] = {
    Attribute: _attribute,
    Binary: _binary,
    Call: _call,
    Choice: _choice,
    Comparison: _comparison,
    Constant: _constant,
    ListOf: _list,
    Logic: _logic,
    Name: _name,
    Negative: _negative,
    Not: _not,
}
