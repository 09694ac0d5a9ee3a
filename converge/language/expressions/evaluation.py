"""The evaluator: three-valued logic over the values of an environment, limited in time and memory."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import frozen

from converge.language.expressions.operators import OPERATORS, text_of
from converge.language.expressions.tree import (
    Attribute,
    Call,
    Choice,
    Comparison,
    Constant,
    Expression,
    ExpressionError,
    ListOf,
    Name,
    Operation,
    Span,
    Template,
    Tree,
)
from converge.language.expressions.types import MAX_ITEMS, MAX_TEXT, TOO_LONG, Environment, Found, Function, Mismatch
from converge.model import Unknown, Version
from converge.values import LARGEST


def evaluate(tree: Tree, environment: Environment, functions: Mapping[str, Function]) -> Found:
    """The value of a tree. Raises ExpressionError if an operation fails, such as on text that is not a size."""
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
    try:
        return text_of(value)
    except Mismatch as error:
        raise _failed(node, error.message) from error


def _plain(value: Found, node: Expression) -> Found:
    """A value for a parameter of a resource, in which a version is text."""
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
        raise _failed(node, f"this has no field '{node.name}'")
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
        message = str(error) if isinstance(error, ValueError) else "the arguments have the wrong types"
        raise _failed(node, f"{node.name}: {message}", hint=f"write {function.signature}") from error


def _first_unknown(values: Sequence[Found]) -> Unknown | None:
    return next((value for value in values if isinstance(value, Unknown)), None)


def _bounded(value: Found, node: Expression) -> Found:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise _failed(node, TOO_LONG)
    if isinstance(value, list | tuple) and len(value) > MAX_ITEMS:
        raise _failed(node, f"the list has more than {MAX_ITEMS} items")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise _failed(node, "the number is too large")
    return value


def _list(evaluation: _Evaluation, node: ListOf) -> Found:
    items = tuple(evaluation.value(item) for item in node.items)
    unknown = _first_unknown(items)
    return items if unknown is None else unknown


def _operation(evaluation: _Evaluation, node: Operation) -> Found:
    operator = OPERATORS[node.operator]
    if operator.logical:
        return operator.run(*(partial(evaluation.truth, operand) for operand in node.operands))
    values = [evaluation.value(operand) for operand in node.operands]
    unknown = _first_unknown(values)
    if unknown is not None:
        return unknown
    return _bounded(_run(operator.run, values, node, *node.operands), node)


def _run(function: Callable[..., Found], values: Sequence[Found], node: Expression, *operands: Expression) -> Found:
    try:
        return function(*values)
    except Mismatch as error:
        raise _failed(node if error.argument is None else operands[error.argument], error.message) from error


def _comparison(evaluation: _Evaluation, node: Comparison) -> Found:
    result: bool | Unknown = True
    left = evaluation.value(node.first)
    for name, operand in node.rest:
        right = evaluation.value(operand)
        unknown = _first_unknown((left, right))
        found = _run(OPERATORS[name].run, (left, right), node) if unknown is None else unknown
        if found is False:
            return False
        result = found if isinstance(found, Unknown) else result
        left = right
    return result


def _choice(evaluation: _Evaluation, node: Choice) -> Found:
    test = evaluation.truth(node.test)
    if isinstance(test, Unknown):
        return test
    return evaluation.value(node.then if test else node.otherwise)


_RULES: dict[type, Callable[[_Evaluation, Any], Found]] = {
    Attribute: _attribute,
    Call: _call,
    Choice: _choice,
    Comparison: _comparison,
    Constant: _constant,
    ListOf: _list,
    Name: _name,
    Operation: _operation,
}
