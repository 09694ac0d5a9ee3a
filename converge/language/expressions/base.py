"""What parsing, checking and evaluating share: the tree, the types, the scope, and how an expression fails."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from attrs import field, fields, frozen

from converge.errors import ConvergeError
from converge.model import Secret, Unknown, Version

MAX_TEXT = 64 * 1024
"""The longest text, in characters, that an expression may make."""
MAX_ITEMS = 10_000

Found: TypeAlias = "str | int | bool | Sequence[Found] | Mapping[str, Found] | Version | Secret | Unknown | None"
"""What an expression comes to: a Value, in which there may also be versions, secrets, and unknown ones."""


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
    """Where a node stands in the text: from `start` to before `end`, in characters. No part of what a node means."""

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
    """One field of the record that a probe finds."""

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
class Not:
    of: "Expression"
    span: Span = field(eq=False)


@frozen
class Negative:
    of: "Expression"
    span: Span = field(eq=False)


@frozen
class Logic:
    operator: Literal["and", "or"]
    left: "Expression"
    right: "Expression"
    span: Span = field(eq=False)


@frozen
class Binary:
    operator: Literal["+", "-", "*", "//", "%", "~"]
    left: "Expression"
    right: "Expression"
    span: Span = field(eq=False)


@frozen
class Comparison:
    """`a < b <= c`: the first operand, and each operator with the operand after it."""

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


Expression: TypeAlias = (
    "Constant | Name | Attribute | Call | ListOf | Not | Negative | Logic | Binary | Comparison | Choice"
)


@frozen
class Template:
    """Text with `{{ }}` in it. One that is a single expression keeps that expression's type."""

    pieces: "tuple[str | Expression, ...]"

    @property
    def whole(self) -> "Expression | None":
        only = self.pieces[0]
        return None if len(self.pieces) > 1 or isinstance(only, str) else only


Tree: TypeAlias = "Expression | Template | str"

NODES = (Constant, Name, Attribute, Call, ListOf, Not, Negative, Logic, Binary, Comparison, Choice)


def walk(tree: Tree) -> "Iterator[Expression]":
    """Every node of a tree, from the top down."""
    pending: list[object] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, tuple):
            pending.extend(node)
        elif isinstance(node, Template):
            pending.append(node.pieces)
        elif isinstance(node, NODES):
            yield node
            pending.extend(getattr(node, attribute.name) for attribute in fields(type(node)))


Kind: TypeAlias = Literal[
    "any", "boolean", "integer", "list", "map", "null", "record", "secret", "size", "text", "version"
]


@frozen
class Type:
    """The type of an expression. `of`: a list's or map's items; `optional`: it may be unset."""

    kind: Kind
    of: "Type | None" = None
    fields: "Mapping[str, Type]" = field(factory=dict)
    optional: bool = False

    def __str__(self) -> str:
        return f"list of {self.of}" if self.kind == "list" and self.of else self.kind

    @property
    def described(self) -> str:
        """The type with its article: `an integer`, `text`."""
        return described(str(self))

    @property
    def is_number(self) -> bool:
        return self.kind in ("integer", "size")

    @property
    def json_type(self) -> str | None:
        """The JSON Schema type that values have once evaluated; None where it cannot be said."""
        return _JSON_TYPES.get(self.kind)


_JSON_TYPES: Mapping[Kind, str] = {
    "boolean": "boolean",
    "integer": "integer",
    "list": "array",
    "map": "object",
    "null": "null",
    "record": "object",
    "secret": "string",
    "size": "integer",
    "text": "string",
    "version": "string",
}


def described(noun: str) -> str:
    if noun in ("text", "null", "any"):
        return {"null": "unset"}.get(noun, noun)
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


ANY = Type("any")
BOOLEAN = Type("boolean")
INTEGER = Type("integer")
NULL = Type("null")
SECRET = Type("secret")
SIZE = Type("size")
TEXT = Type("text")
VERSION = Type("version")
TEXTS = Type("list", of=TEXT)


def record(**fields: Type) -> Type:
    return Type("record", fields=fields)


def optional(type_: Type) -> Type:
    """The same type, but it may be unset."""
    return Type(type_.kind, type_.of, type_.fields, optional=True)


def required(type_: Type) -> Type:
    """The same type, but it is always set."""
    return Type(type_.kind, type_.of, type_.fields)


def unify(left: Type, right: Type) -> Type | None:
    """The one type that both are, unset or not; None where there is none."""
    if left.kind == "any" or right.kind == "null":
        return optional(right if left.kind == "any" else left) if "null" in (left.kind, right.kind) else right
    if right.kind == "any" or left.kind == "null":
        return optional(right) if left.kind == "null" else left
    kinds = {left.kind, right.kind}
    if kinds == {"integer", "size"}:
        joined: Type | None = SIZE
    elif kinds == {"list"}:
        item = unify(left.of or ANY, right.of or ANY)
        joined = Type("list", of=item) if item else None
    else:
        joined = required(left) if required(left) == required(right) else None
    return optional(joined) if joined and (left.optional or right.optional) else joined


class Mismatch(Exception):
    """The arguments of a function do not fit; `argument` counts from 0, None is the call as a whole."""

    def __init__(self, message: str, *, hint: str | None = None, argument: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.argument = argument


Rule: TypeAlias = Callable[[Sequence[Type]], Type]
"""From the types of the arguments to the type of the result; raises Mismatch."""


@frozen
class Function:
    """A function that is also a filter or, where `run` is None, a probe, which the environment answers.

    `strict`: an unknown argument makes the result unknown.
    """

    signature: str
    doc: str
    rule: Rule = field(eq=False)
    run: Callable[..., Found] | None = field(default=None, eq=False)
    strict: bool = True


@frozen
class Scope:
    """What an expression may name: facts by their dotted names, parameters, constants, `item`; probes and functions."""

    names: Mapping[str, Type]
    functions: Mapping[str, Function]


@frozen
class Problem:
    """A finding of the static check; `offset` and `length` count characters of the whole text."""

    code: str
    message: str
    hint: str | None
    offset: int
    length: int


@frozen
class Checked:
    """The type of an expression, and what is wrong with it."""

    type: Type
    problems: tuple[Problem, ...] = ()


class Environment(Protocol):
    """What facts, parameters and `item` are, and what probes find."""

    def name(self, path: tuple[str, ...]) -> Found:
        """The value of a dotted name."""

    def call(self, name: str, arguments: Sequence[Found]) -> Found:
        """What a probe finds."""
