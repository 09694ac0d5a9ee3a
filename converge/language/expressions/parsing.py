"""From text to our own tree. Jinja2 parses the text; only the nodes listed here are accepted."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import frozen

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
)
from converge.language.expressions.types import MANUAL
from converge.values import LARGEST

if TYPE_CHECKING:  # importing Jinja2 takes as long as seven interpreter starts
    from jinja2 import Environment, TemplateSyntaxError, nodes
    from jinja2.lexer import Token

MAX_LENGTH = 4096
"""The longest expression, in characters."""
MAX_DEPTH = 80
"""How deep an expression may nest, so that it cannot exhaust the interpreter's stack."""

OPEN, CLOSE = "{{", "}}"
UNIT = re.compile("[KMGT](i?B)?")

GRAMMAR = f"quote texts; {MANUAL}"
_SPLIT = "split it: move parts of it into parameters"

_SIGNS = {"Div": "/", "Pow": "**", "Test": "is", "Getitem": "["}
_REFUSED: dict[str, tuple[str, str]] = {
    "Div": ("'/' is not allowed: sizes and integers have no fractions", 'use "//"'),
    "Pow": ("'**' is not allowed: its result can be too large", "write the number out, or use KiB, MiB, GiB or TiB"),
    "Test": ("'is' is not allowed", "compare with '==', or use '| default(...)' for a value that may be unset"),
    "Getitem": ("[...] after a value is not allowed", "name a field with a dot, such as item.key"),
    "Dict": ("a map is not allowed in an expression", "write the map in YAML"),
    "Tuple": ("a tuple is not allowed", "write a list: [a, b]"),
}


@frozen
class _Piece:
    """A token and its place."""

    span: Span
    type: str
    text: str


@cache
def _jinja() -> "Environment":
    from jinja2 import Environment

    return Environment(autoescape=False)  # noqa: S701  (nothing is rendered: it only parses)


def expression(text: str) -> Expression:
    """Parse a whole text, such as that of `when`."""
    if text.lstrip().startswith(OPEN):
        raise ExpressionError("`when` takes an expression without braces", hint="remove the braces", length=len(OPEN))
    pieces, end = _tokens(text, 0)
    if end is not None:
        hint = "remove it: `when` has no braces"
        raise ExpressionError("'}}' has no matching '{{'", hint=hint, offset=end.start, length=2)
    return _parse(text, pieces, 0)


def template(text: str) -> Template:
    """Parse text that contains `{{`; the parts in braces become expressions, the rest stays text."""
    pieces: list[str | Expression] = []
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        pieces.append(text[position:start])
        tokens, end = _tokens(text, start + len(OPEN))
        if end is None:
            raise ExpressionError("'{{' is not closed", hint="close it with '}}'", offset=start, length=2)
        pieces.append(_parse(text, tokens, start))
        position = end.end
    pieces.append(text[position:])
    return Template(tuple(piece for piece in pieces if piece != ""))


def _tokens(text: str, start: int) -> tuple[list[_Piece], Span | None]:
    """The tokens of the expression that begins at `start`, and the place of the closing braces, if it has them."""
    from jinja2 import TemplateSyntaxError

    found: list[_Piece] = []
    position = start
    try:
        for _, type_, value in _jinja().lexer.tokeniter(text[start:], None, state="variable"):
            span = Span(position, position + len(value))
            if type_ == "variable_end":
                return found, _plain_end(span, value)
            position = span.end
            if type_ != "whitespace":
                found.append(_Piece(span, type_, value))
            if position - start > MAX_LENGTH:
                message = f"the expression is longer than {MAX_LENGTH} characters"
                raise ExpressionError(message, hint=_SPLIT, offset=start)
    except TemplateSyntaxError as error:
        raise ExpressionError(_message(error), hint=GRAMMAR, offset=position) from error
    return found, None


def _plain_end(span: Span, value: str) -> Span:
    if value != CLOSE:
        raise ExpressionError("'-}}' is not allowed", hint="write '}}'", offset=span.start, length=3)
    return span


def _parse(text: str, pieces: list[_Piece], start: int) -> Expression:
    from jinja2 import TemplateSyntaxError
    from jinja2.lexer import TokenStream
    from jinja2.parser import Parser

    if not pieces:
        raise ExpressionError("the expression is empty", hint="write one, or remove it", offset=start, length=2)
    if pieces[0].text == "-" and pieces[0].span.start == start + len(OPEN) and text.startswith(OPEN, start):
        raise ExpressionError("'{{-' is not allowed", hint="write '{{ '", offset=start, length=3)
    parser = Parser(_jinja(), "")
    # Jinja2 knows only lines. Each token gets its offset as its line, so that every node has its place.
    numbered = ((piece.span.start, piece.type, piece.text) for piece in pieces)
    parser.stream = TokenStream(_jinja().lexer.wrap(numbered), None, None)
    try:
        tree = parser.parse_expression()
        _require_end(parser.stream.current)
    except TemplateSyntaxError as error:
        raise ExpressionError(_message(error), hint=GRAMMAR, offset=error.lineno) from error
    except RecursionError:
        raise _too_deep(start) from None
    _require_shallow(tree, start)
    return _Converter(pieces).convert(tree)


def _require_shallow(tree: "nodes.Node", offset: int) -> None:
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return
    raise _too_deep(offset)


def _require_end(token: "Token") -> None:
    if token.type != "eof":
        shown = str(token.value)
        message = f"'{shown}' is not expected here"
        raise ExpressionError(message, hint=_continuation(shown), offset=token.lineno, length=len(shown))


def _continuation(found: str) -> str:
    """The remedy for a token after the end of an expression."""
    if found == "=":
        return "write '==' to compare"
    if UNIT.fullmatch(found):
        return "write a size as 64 * GiB"
    return "put an operator before it, or remove it"


def _message(error: "TemplateSyntaxError") -> str:
    message = re.sub(r" at [0-9]+$", "", error.message or "it cannot be read").rstrip(".")
    message = message.replace("'end of template'", "end").replace("end of template", "end")
    return f"this is not an expression: {message[0].lower()}{message[1:]}"


def _too_deep(offset: int) -> ExpressionError:
    return ExpressionError("the expression is nested too deeply", hint=_SPLIT, offset=offset)


class _Converter:
    """Turns the whitelisted nodes of one expression into ours."""

    def __init__(self, pieces: Sequence[_Piece]) -> None:
        self._pieces = pieces
        self._at = {piece.span.start: index for index, piece in enumerate(pieces)}

    def convert(self, node: "nodes.Node") -> Expression:
        rule = _RULES.get(type(node).__name__)
        if rule is not None:
            return rule(self, node)
        message, hint = _REFUSED.get(type(node).__name__, ("this is not allowed in an expression", MANUAL))
        raise _not_allowed(message, self._blamed(node), hint=hint)

    def all(self, found: "Sequence[nodes.Node]") -> tuple[Expression, ...]:
        return tuple(self.convert(node) for node in found)

    def span(self, offset: int) -> Span:
        return self._pieces[self._at[offset]].span

    def after(self, offset: int) -> Span:
        return self._pieces[self._at[offset] + 1].span

    def closed(self, offset: int) -> Span:
        """The closing bracket of the one at `offset`."""
        depth = 0
        for piece in self._pieces[self._at[offset] :]:
            depth += (piece.text in ("(", "[")) - (piece.text in (")", "]"))
            if depth == 0:
                return piece.span
        return self._pieces[-1].span

    def _blamed(self, node: "nodes.Node") -> Span:
        """The place to show for a refused node: its sign if it has one, otherwise its beginning."""
        sign = _SIGNS.get(type(node).__name__)
        later = self._pieces[self._at[node.lineno] :]
        return next((piece.span for piece in later if piece.text == sign), later[0].span)


def _not_allowed(message: str, span: Span, *, hint: str = MANUAL) -> ExpressionError:
    return ExpressionError(message, hint=hint, offset=span.start, length=span.end - span.start, code="not-allowed")


def _constant(at: _Converter, node: "nodes.Const") -> Expression:
    span, value = at.span(node.lineno), node.value
    if isinstance(value, float):
        raise _not_allowed("fractions are not allowed", span, hint='quote it if it is a version or text: "3.8"')
    if isinstance(value, int) and value > LARGEST:
        raise _not_allowed("the number is too large", span)
    return Constant(value, span)


def _name(at: _Converter, node: "nodes.Name") -> Expression:
    return Name((node.name,), at.span(node.lineno))


def _attribute(at: _Converter, node: "nodes.Getattr") -> Expression:
    of = at.convert(node.node)
    span = of.span.to(at.after(node.lineno))
    if isinstance(of, Name):
        return Name((*of.path, node.attr), span)
    if isinstance(of, Attribute | Call):
        return Attribute(of, node.attr, span)
    raise _not_allowed("only facts, `item` and results of probes have fields", span)


def _call(at: _Converter, node: "nodes.Call") -> Expression:
    called = at.convert(node.node)
    if not isinstance(called, Name):
        raise _not_allowed("this cannot be called", called.span)
    _require_plain(at, node)
    span = called.span.to(at.closed(node.lineno))
    return Call(called.dotted, at.all(node.args), span, called.span)


def _filter(at: _Converter, node: "nodes.Filter") -> Expression:
    place = at.span(node.lineno)
    if node.node is None:
        raise _not_allowed("a filter requires a value before it", place)
    _require_plain(at, node)
    subject = at.convert(node.node)
    end = at.closed(at.after(place.start).start) if node.args else place
    return Call(node.name, (subject, *at.all(node.args)), subject.span.to(end), place)


def _require_plain(at: _Converter, node: "nodes.Call | nodes.Filter") -> None:
    if node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
        hint = "give the arguments in order, without names or '*'"
        raise _not_allowed("named arguments are not allowed", at.span(node.lineno), hint=hint)


def _list(at: _Converter, node: "nodes.List") -> Expression:
    return ListOf(at.all(node.items), at.span(node.lineno).to(at.closed(node.lineno)))


def _unary(at: _Converter, node: "nodes.UnaryExpr") -> Expression:
    of = at.convert(node.node)
    return Operation(type(node).__name__, (of,), at.span(node.lineno).to(of.span))


def _binary(at: _Converter, node: "nodes.BinExpr") -> Expression:
    left, right = at.convert(node.left), at.convert(node.right)
    return Operation(type(node).__name__, (left, right), left.span.to(right.span))


def _joined(at: _Converter, node: "nodes.Concat") -> Expression:
    first, *rest = at.all(node.nodes)
    for right in rest:
        first = Operation("Concat", (first, right), first.span.to(right.span))
    return first


def _comparison(at: _Converter, node: "nodes.Compare") -> Expression:
    first = at.convert(node.expr)
    rest = tuple((operand.op, at.convert(operand.expr)) for operand in node.ops)
    return Comparison(first, rest, first.span.to(rest[-1][1].span))


def _choice(at: _Converter, node: "nodes.CondExpr") -> Expression:
    then, test = at.convert(node.expr1), at.convert(node.test)
    if node.expr2 is None:
        raise _not_allowed("'if' requires 'else'", then.span.to(test.span), hint="write: a if test else b")
    otherwise = at.convert(node.expr2)
    return Choice(test, then, otherwise, then.span.to(otherwise.span))


_RULES: dict[str, Callable[[_Converter, Any], Expression]] = {
    "Add": _binary,
    "And": _binary,
    "Call": _call,
    "Compare": _comparison,
    "Concat": _joined,
    "CondExpr": _choice,
    "Const": _constant,
    "Filter": _filter,
    "FloorDiv": _binary,
    "Getattr": _attribute,
    "List": _list,
    "Mod": _binary,
    "Mul": _binary,
    "Name": _name,
    "Neg": _unary,
    "Not": _unary,
    "Or": _binary,
    "Sub": _binary,
}
