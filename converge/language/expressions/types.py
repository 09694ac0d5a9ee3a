"""The types of expressions, the functions and names that an expression may use, and the results of its check."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from attrs import field, frozen

from converge.model import Secret, Unknown, Version

MANUAL = "see: converge explain expressions"
"""The hint for a mistake that has no nearer one."""
MAX_TEXT = 64 * 1024
"""The longest text, in characters, that an expression may produce."""
TOO_LONG = f"the text is longer than {MAX_TEXT} characters"
MAX_ITEMS = 10_000

Found: TypeAlias = "str | int | bool | Sequence[Found] | Mapping[str, Found] | Version | Secret | Unknown | None"
"""The value of an expression: a Value that may contain versions, secrets and unknown values."""

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
        """The JSON Schema type of the values after evaluation; None for `any`."""
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
    """The common type of both, unset or not; None if they have none."""
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
    """The arguments of a function or the operands of an operator do not fit.

    `argument` counts from 0; None is the call as a whole. `code`: that of the finding about an operator.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, argument: int | None = None, code: str = "wrong-type"
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.argument = argument
        self.code = code


Rule: TypeAlias = Callable[[Sequence[Type]], Type]
"""From the types of the arguments to the type of the result; raises Mismatch."""


@frozen
class Function:
    """A function that is also a filter or, if `run` is None, a probe, which the environment calls.

    `strict`: no argument may be unset, and an unknown argument makes the result unknown.
    """

    signature: str
    doc: str
    rule: Rule = field(eq=False)
    run: Callable[..., Found] | None = field(default=None, eq=False)
    strict: bool = True


@frozen
class Scope:
    """The names of an expression: facts by their dotted names, parameters, constants, `item`; probes and functions."""

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
    """The type of an expression, and its problems."""

    type: Type
    problems: tuple[Problem, ...] = ()


class Environment(Protocol):
    """The values of facts, parameters and `item`, and the results of probes."""

    def name(self, path: tuple[str, ...]) -> Found:
        """The value of a dotted name."""

    def call(self, name: str, arguments: Sequence[Found]) -> Found:
        """The result of a probe."""
