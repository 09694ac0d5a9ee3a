"""The table of operators that the static check and the evaluator share: the types and the function of each."""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import frozen

from converge.language.expressions.tree import Constant, Expression, ListOf
from converge.language.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    SIZE,
    TEXT,
    Found,
    Kind,
    Mismatch,
    Type,
    optional,
    unify,
)
from converge.model import Unknown, Version
from converge.values import version_key

_IN_TEXT: tuple[Kind, ...] = ("any", "boolean", "integer", "size", "text", "version")
_ORDERED: tuple[Kind, ...] = ("any", "integer", "size", "version")
_TO_NUMBER = "write a number, such as 2"
_BY_ZERO = "the divisor must not be 0"


@frozen
class Operand:
    """An operand in the static check. Its node is needed because some types depend on a literal."""

    type: Type
    node: Expression


Check: TypeAlias = Callable[[str, Sequence[Operand]], Iterator[Mismatch]]
"""From the name of the operator and its operands to the mismatches."""


@frozen
class Operator:
    """`name`: as authors write it. `result`: a type, or a function from the types of the operands to a type.

    `run` takes the values of the operands, none of them unknown, and raises Mismatch. That of a `logical` operator
    takes functions that evaluate the operands, because one operand may decide the result.
    """

    name: str
    check: Check
    result: Type | Callable[[Type, Type], Type]
    run: Callable[..., Found]
    logical: bool = False


def booleans(name: str, operands: Sequence[Operand]) -> Iterator[Mismatch]:
    required = "a boolean" if len(operands) == 1 else "booleans"
    for index, each in enumerate(operands):
        if each.type.kind not in ("any", "boolean"):
            message = f"'{name}' requires {required}, not {each.type.described}"
            yield Mismatch(message, hint="write a comparison, such as a == b", argument=index)


def _integer(name: str, operands: Sequence[Operand]) -> Iterator[Mismatch]:
    (only,) = operands
    if only.type.kind not in ("any", "integer"):
        yield Mismatch(f"'{name}' requires an integer, not {only.type.described}", hint=_TO_NUMBER, argument=0)


def in_text(_name: str, operands: Sequence[Operand]) -> Iterator[Mismatch]:
    for index, each in enumerate(operands):
        type_ = each.type
        if type_.kind not in _IN_TEXT:
            fields = f"name one of its fields: {', '.join(type_.fields)}" if type_.fields else None
            hint = 'join its items: | join(", ")' if type_.kind == "list" else fields
            yield Mismatch(f"{type_.described} cannot become part of a text", hint=hint, argument=index)


def _numbers(name: str, operands: Sequence[Operand]) -> Iterator[Mismatch]:
    if "any" in (each.type.kind for each in operands):
        return
    for index, each in enumerate(operands):
        if not each.type.is_number:
            message = f"'{name}' requires integers or sizes, not {each.type.described}"
            yield Mismatch(message, hint=_number_hint(name, each), argument=index)
            return


def _number_hint(name: str, operand: Operand) -> str:
    if operand.type.kind != "text":
        return _TO_NUMBER
    size = _size_of(operand)
    return f'write "~" to join texts, or {size} for a size' if name == "+" else f"write {size}"


def _size_of(*operands: Operand) -> str:
    """How to write a text as a size: that of the first operand that is a literal, or else an example."""
    texts = (_literal_text(each.node) for each in operands)
    return f'size("{next((text for text in texts if text is not None), "8GiB")}")'


def _literal_text(node: Expression) -> str | None:
    return node.value if isinstance(node, Constant) and isinstance(node.value, str) else None


def _factors(name: str, operands: Sequence[Operand]) -> Iterator[Mismatch]:
    kinds = [each.type.kind for each in operands]
    repeated = next((each.type for each in operands if not each.type.is_number), None)
    if "any" in kinds:
        return
    if repeated is None:
        if kinds == ["size", "size"]:
            yield Mismatch("a size cannot be multiplied by a size", hint="multiply it by an integer, such as 2")
    elif repeated.kind in ("text", "list"):
        message = f"'{name}' cannot repeat {repeated.described}"
        yield Mismatch(message, hint="write it in full", code="unbounded-repetition")
    else:
        yield Mismatch(f"'{name}' requires integers or sizes, not {repeated.described}", hint="multiply numbers only")


def _divisible(name: str, operands: Sequence[Operand]) -> Iterator[Mismatch]:
    yield from _numbers(name, operands)
    divisor = operands[1].node
    if all(each.type.is_number for each in operands) and isinstance(divisor, Constant) and divisor.value == 0:
        yield Mismatch(_BY_ZERO, hint="write another number, such as 2", argument=1)


def _equal(_name: str, operands: Sequence[Operand]) -> Iterator[Mismatch]:
    left, right = operands
    for one, other, index in ((left.type, right.type, 1), (right.type, left.type, 0)):
        if one.kind == "null" and not other.optional and other.kind not in ("any", "null"):
            yield Mismatch(f"this {other} is never unset", hint="remove the comparison", argument=index)
            return
    yield from _alike(left, right)


def _alike(left: Operand, right: Operand) -> Iterator[Mismatch]:
    """A literal text that is compared with a version is a version."""
    as_version = any(
        one.type.kind == "version" and _literal_text(other.node) is not None
        for one, other in ((left, right), (right, left))
    )
    if unify(left.type, right.type) is None and not as_version:
        message = f"{left.type.described} cannot be compared with {right.type.described}"
        yield Mismatch(message, hint=_comparison_hint(left.type, right.type, _size_of(left, right)))


def _comparison_hint(left: Type, right: Type, size: str) -> str:
    kinds = {left.kind, right.kind}
    hints = {"size": f"write {size}", "integer": "convert the text: | int", "version": "convert the text: | version"}
    found = next((hint for kind, hint in hints.items() if kind in kinds), None)
    return found if found and "text" in kinds else "compare values of the same type"


def _in_order(name: str, operands: Sequence[Operand]) -> Iterator[Mismatch]:
    left, right = operands
    for index, each in enumerate(operands):
        if each.type.optional or each.type.kind == "null":
            yield may_be_unset(index)
            return
    yield from _alike(left, right)
    kinds = {left.type.kind, right.type.kind}
    if kinds.isdisjoint(_ORDERED):
        hint = "convert versions: | version" if "text" in kinds else "use == or !="
        yield Mismatch(f"'{name}' requires integers, sizes or versions, not {left.type.described}", hint=hint)


def may_be_unset(argument: int = 0) -> Mismatch:
    return Mismatch(
        "this value may be unset", hint="give a fallback: | default(...)", argument=argument, code="may-be-unset"
    )


def _within(_name: str, operands: Sequence[Operand]) -> Iterator[Mismatch]:
    left, right = operands
    if right.type.kind == "list" and not right.type.optional:
        of = right.type.of or ANY
        if unify(optional(left.type), of) is None and not (left.type.kind == "version" and _are_texts(right.node)):
            message = f"{left.type.described} is never in {right.type.described}"
            yield Mismatch(message, hint=_comparison_hint(left.type, of, _size_of(left)))
        return
    is_text = {left.type.kind, right.type.kind} <= {"text", "any"}
    if not is_text or left.type.optional or right.type.optional:
        found = f"{left.type.described} in {right.type.described}"
        message = f"'in' finds a value in a list or text in text, not {found}"
        yield Mismatch(message, hint='write a list, such as ["a", "b"]')


def _are_texts(node: Expression) -> bool:
    return isinstance(node, ListOf) and all(_literal_text(item) is not None for item in node.items)


def _sum(left: Type, right: Type) -> Type:
    return SIZE if "size" in (left.kind, right.kind) else INTEGER


def _quotient(left: Type, right: Type) -> Type:
    return SIZE if (left.kind, right.kind) == ("size", "integer") else INTEGER


Truth: TypeAlias = Callable[[], "bool | Unknown"]


def _not(operand: Truth) -> Found:
    truth = operand()
    return truth if isinstance(truth, Unknown) else not truth


def _decided_by(*, decisive: bool) -> Callable[[Truth, Truth], Found]:
    """Kleene's logic: one operand with the decisive value decides the result, even if the other is unknown."""

    def run(left: Truth, right: Truth) -> Found:
        one = left()
        if one is decisive:
            return decisive
        other = right()
        return other if other is decisive or not isinstance(one, Unknown) else one

    return run


def _number(value: Found, argument: int | None) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Mismatch("this value is unset" if value is None else "this is not a number", argument=argument)


def _negative(value: Found) -> Found:
    return -_number(value, 0)


def _arithmetic(function: Callable[[int, int], int]) -> Callable[[Found, Found], Found]:
    return lambda left, right: function(_number(left, 0), _number(right, 1))


def _division(function: Callable[[int, int], int]) -> Callable[[Found, Found], Found]:
    def run(left: Found, right: Found) -> Found:
        dividend, divisor = _number(left, 0), _number(right, 1)
        if divisor == 0:
            raise Mismatch(_BY_ZERO)
        return function(dividend, divisor)

    return run


def text_of(value: Found, argument: int = 0) -> str:
    """The text that a value becomes inside a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Version) and value.text is not None:
        return value.text
    what = "value is unset" if value is None else "is neither text nor a number"
    what = "version is unknown" if isinstance(value, Version) else what
    raise Mismatch(f"this {what} and cannot become part of a text", argument=argument)


def _joined(left: Found, right: Found) -> Found:
    return text_of(left, 0) + text_of(right, 1)


def _comparable(left: Found, right: Found) -> tuple[Any, Any]:
    """Both values, or their keys if one of them is a version."""
    if isinstance(left, Version) or isinstance(right, Version):
        return _as_version(left), _as_version(right)
    return left, right


def _as_version(value: Found) -> Any:  # noqa: ANN401  (a key to compare by)
    if isinstance(value, Version | str):
        return version_key(Version(value) if isinstance(value, str) else value)
    if value is None:
        return None
    raise Mismatch("this cannot be compared with a version")


def _equals(left: Found, right: Found) -> bool:
    return _is_same(*_comparable(left, right))


def _is_same(left: Found, right: Found) -> bool:
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_is_same, left, right))
    return left == right and isinstance(left, bool) is isinstance(right, bool)


def _order(function: Callable[[Any, Any], bool]) -> Callable[[Found, Found], Found]:
    def run(left: Found, right: Found) -> Found:
        one, other = _comparable(left, right)
        if isinstance(one, tuple) and isinstance(other, tuple):
            return function(one, other)
        return function(_number(one, None), _number(other, None))

    return run


def _contains(left: Found, right: Found) -> bool:
    if isinstance(right, str) and isinstance(left, str):
        return left in right
    if not isinstance(right, list | tuple):
        raise Mismatch("'in' finds a value in a list, or text in text")
    if isinstance(left, Version):
        return any(_as_version(item) == version_key(left) for item in right)
    return any(_is_same(left, item) for item in right)


OPERATORS: Mapping[str, Operator] = {
    "Not": Operator("not", booleans, BOOLEAN, _not, logical=True),
    "And": Operator("and", booleans, BOOLEAN, _decided_by(decisive=False), logical=True),
    "Or": Operator("or", booleans, BOOLEAN, _decided_by(decisive=True), logical=True),
    "Neg": Operator("-", _integer, INTEGER, _negative),
    "Add": Operator("+", _numbers, _sum, _arithmetic(operator.add)),
    "Sub": Operator("-", _numbers, _sum, _arithmetic(operator.sub)),
    "Mul": Operator("*", _factors, _sum, _arithmetic(operator.mul)),
    "FloorDiv": Operator("//", _divisible, _quotient, _division(operator.floordiv)),
    "Mod": Operator("%", _divisible, _sum, _division(operator.mod)),
    "Concat": Operator("~", in_text, TEXT, _joined),
    "eq": Operator("==", _equal, BOOLEAN, _equals),
    "ne": Operator("!=", _equal, BOOLEAN, lambda left, right: not _equals(left, right)),
    "lt": Operator("<", _in_order, BOOLEAN, _order(operator.lt)),
    "lteq": Operator("<=", _in_order, BOOLEAN, _order(operator.le)),
    "gt": Operator(">", _in_order, BOOLEAN, _order(operator.gt)),
    "gteq": Operator(">=", _in_order, BOOLEAN, _order(operator.ge)),
    "in": Operator("in", _within, BOOLEAN, _contains),
    "notin": Operator("not in", _within, BOOLEAN, lambda left, right: not _contains(left, right)),
}
"""By the names in Jinja2's tree, because `-` is the name of two operators."""
