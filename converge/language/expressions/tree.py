"""The tree that an expression is parsed to, and the error of one that cannot be parsed or evaluated."""

from collections.abc import Iterator
from typing import TypeAlias

from attrs import field, fields, frozen

from converge.errors import ConvergeError


class ExpressionError(ConvergeError):
    """An expression that cannot be parsed or evaluated. `offset` and `length` count characters of the whole text."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        offset: int = 0,
        length: int = 1,
        code: str = "bad-expression",
    ) -> None:
        super().__init__(message, hint=hint)
        self.offset = offset
        self.length = length
        self.code = code


@frozen
class Span:
    """The characters of a node in the text, from `start` to before `end`. Equal nodes may have different spans."""

    start: int
    end: int

    def to(self, other: "Span") -> "Span":
        return Span(self.start, other.end)


@frozen
class Constant:
    value: str | int | bool | None
    span: Span = field(eq=False)


@frozen
class Name:
    """A fact, parameter, constant, or `item`, in its dotted parts."""

    path: tuple[str, ...]
    span: Span = field(eq=False)

    @property
    def dotted(self) -> str:
        return ".".join(self.path)


@frozen
class Attribute:
    """One field of the record that a probe returns."""

    of: "Expression"
    name: str
    span: Span = field(eq=False)


@frozen
class Call:
    """A probe, function or filter; the value before a filter's bar is its first argument. `place`: the name alone."""

    name: str
    arguments: "tuple[Expression, ...]"
    span: Span = field(eq=False)
    place: Span = field(eq=False)


@frozen
class ListOf:
    items: "tuple[Expression, ...]"
    span: Span = field(eq=False)


@frozen
class Operation:
    """An operator, by its key in the operator table, with its one or two operands."""

    operator: str
    operands: "tuple[Expression, ...]"
    span: Span = field(eq=False)


@frozen
class Comparison:
    """`a < b <= c`: the first operand, and each operator (its key in the table) with the operand after it."""

    first: "Expression"
    rest: "tuple[tuple[str, Expression], ...]"
    span: Span = field(eq=False)


@frozen
class Choice:
    """`then if test else otherwise`."""

    test: "Expression"
    then: "Expression"
    otherwise: "Expression"
    span: Span = field(eq=False)


Expression: TypeAlias = "Constant | Name | Attribute | Call | ListOf | Operation | Comparison | Choice"

_NODES = (Constant, Name, Attribute, Call, ListOf, Operation, Comparison, Choice)


@frozen
class Template:
    """Text with `{{ }}` in it. A template that is a single expression keeps that expression's type."""

    pieces: "tuple[str | Expression, ...]"

    @property
    def whole(self) -> "Expression | None":
        only = self.pieces[0]
        return None if len(self.pieces) > 1 or isinstance(only, str) else only


Tree: TypeAlias = "Expression | Template | str"


def walk(tree: Tree) -> "Iterator[Expression]":
    """Every node of a tree, from the top down."""
    pending: list[object] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, tuple):
            pending.extend(node)
        elif isinstance(node, Template):
            pending.append(node.pieces)
        elif isinstance(node, _NODES):
            yield node
            pending.extend(getattr(node, attribute.name) for attribute in fields(type(node)))
