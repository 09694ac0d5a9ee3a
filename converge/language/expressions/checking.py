"""The static check: the type of an expression, and everything that is wrong with it, without a machine."""

from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from converge.diagnostics import did_you_mean
from converge.language.expressions.base import (
    ANY,
    BOOLEAN,
    INTEGER,
    NULL,
    SIZE,
    TEXT,
    Attribute,
    Binary,
    Call,
    Checked,
    Choice,
    Comparison,
    Constant,
    Expression,
    ListOf,
    Logic,
    Mismatch,
    Name,
    Negative,
    Not,
    Problem,
    Scope,
    Span,
    Template,
    Tree,
    Type,
    optional,
    required,
    unify,
)

_IN_TEXT = ("any", "boolean", "integer", "size", "text", "version")
_ORDERED = ("integer", "size", "version")
_REMEDIES = {"boolean": "compare it with something", "integer": "write a number"}
_MANUAL = "see: converge explain expressions"


def check(tree: Tree, scope: Scope) -> Checked:
    """Find the type of a tree and its problems; what is wrong in one place hides nothing elsewhere."""
    checking = _Checking(scope)
    if isinstance(tree, str):
        return Checked(TEXT)
    if not isinstance(tree, Template):
        type_ = checking.type_of(tree)
    elif tree.whole is not None:
        type_ = checking.type_of(tree.whole)
    else:
        checking.pieces(tree)
        type_ = TEXT
    return Checked(type_, tuple(sorted(checking.problems, key=lambda problem: problem.offset)))


@frozen
class _Checking:
    scope: Scope
    problems: list[Problem] = field(factory=list)

    def type_of(self, node: Expression) -> Type:
        """The type of a node; `any` where it cannot be told, so that one mistake is reported once."""
        return _RULES[type(node)](self, node)

    def set_type_of(self, node: Expression) -> Type:
        """The type of a node that has to be set."""
        type_ = self.type_of(node)
        if type_.optional or type_.kind == "null":
            hint = "say what holds then: | default(...)"
            self.report("may-be-unset", node.span, "this may be unset", hint)
            return required(type_) if type_.optional else ANY
        return type_

    def require(self, node: Expression, kind: str, message: str) -> None:
        found = self.set_type_of(node)
        if found.kind not in (kind, "any"):
            self.report("wrong-type", node.span, f"{message}, not {found.described}", _REMEDIES.get(kind))

    def pieces(self, template: Template) -> None:
        for piece in template.pieces:
            if isinstance(piece, str):
                continue
            self.in_text(piece)

    def in_text(self, node: Expression) -> None:
        found = self.set_type_of(node)
        if found.kind not in _IN_TEXT:
            hint = "use | join(...)" if found.kind == "list" else _listed("name a field of it:", list(found.fields))
            self.report("wrong-type", node.span, f"{found.described} cannot become part of a text", hint)

    def report(self, code: str, span: Span, message: str, hint: str | None = None) -> Type:
        self.problems.append(Problem(code, message, hint, span.start, span.end - span.start))
        return ANY


def _constant(_: _Checking, node: Constant) -> Type:
    if isinstance(node.value, bool):
        return BOOLEAN
    if isinstance(node.value, int):
        return INTEGER
    return TEXT if isinstance(node.value, str) else NULL


def _name(checking: _Checking, node: Name) -> Type:
    names = checking.scope.names
    for length in range(len(node.path), 0, -1):
        if found := names.get(".".join(node.path[:length])):
            return _fields(checking, node, found, node.path[length:])
    return _unknown_name(checking, node)


def _fields(checking: _Checking, node: Name | Attribute, type_: Type, path: tuple[str, ...]) -> Type:
    for name in path:
        if type_.kind == "any":
            return ANY
        if name not in type_.fields:
            hint = did_you_mean(name, list(type_.fields)) or _listed("it has", list(type_.fields)) or "it has none"
            return checking.report("unknown-field", node.span, f"{type_.described} has no field '{name}'", hint)
        type_ = type_.fields[name]
    return type_


def _unknown_name(checking: _Checking, node: Name) -> Type:
    scope, dotted = checking.scope, node.dotted
    if function := scope.functions.get(dotted):
        return checking.report("unknown-name", node.span, f"'{dotted}' must be called", f"write {function.signature}")
    if node.path[0] == "item":
        return checking.report("unknown-name", node.span, "there is no `item` here", "it exists beside `for_each` only")
    siblings = [name for name in scope.names if name.startswith(f"{node.path[0]}.")]
    hint = did_you_mean(dotted, list(scope.names)) or _listed("there are", siblings)
    if len(node.path) > 1:
        return checking.report("unknown-fact", node.span, f"there is no fact '{dotted}'", hint or _MANUAL)
    if siblings:
        return checking.report("unknown-fact", node.span, f"'{dotted}' is a group of facts", _listed("name", siblings))
    hint = hint or f"declare it in `parameters`; {_MANUAL}"
    return checking.report("unknown-name", node.span, f"there is no parameter or constant '{dotted}'", hint)


def _listed(words: str, names: list[str]) -> str | None:
    return f"{words} {', '.join(names)}" if names else None


def _attribute(checking: _Checking, node: Attribute) -> Type:
    return _fields(checking, node, checking.type_of(node.of), (node.name,))


def _call(checking: _Checking, node: Call) -> Type:
    function = checking.scope.functions.get(node.name)
    if function is None:
        for argument in node.arguments:
            checking.type_of(argument)
        hint = did_you_mean(node.name, list(checking.scope.functions)) or _MANUAL
        return checking.report("unknown-function", node.place, f"there is no function or probe '{node.name}'", hint)
    type_of = checking.set_type_of if function.strict else checking.type_of
    types = [type_of(argument) for argument in node.arguments]
    try:
        return function.rule(types)
    except Mismatch as error:
        span = node.place if error.argument is None else node.arguments[error.argument].span
        hint = error.hint or f"write {function.signature}"
        return checking.report("wrong-arguments", span, f"{node.name} {error.message}", hint)


def _list(checking: _Checking, node: ListOf) -> Type:
    of = ANY
    for item in node.items:
        found = checking.set_type_of(item)
        joined = unify(of, found)
        if joined is None:
            message = f"the items of a list are of one type: {found.described} beside {of.described}"
            checking.report("wrong-type", item.span, message, "take it out, or convert it")
        else:
            of = joined
    return Type("list", of=of)


def _not(checking: _Checking, node: Not) -> Type:
    checking.require(node.of, "boolean", "'not' wants a boolean")
    return BOOLEAN


def _logic(checking: _Checking, node: Logic) -> Type:
    for side in (node.left, node.right):
        checking.require(side, "boolean", f"'{node.operator}' wants booleans")
    return BOOLEAN


def _negative(checking: _Checking, node: Negative) -> Type:
    checking.require(node.of, "integer", "'-' wants an integer")
    return INTEGER


def _choice(checking: _Checking, node: Choice) -> Type:
    checking.require(node.test, "boolean", "'if' wants a boolean")
    then, otherwise = checking.type_of(node.then), checking.type_of(node.otherwise)
    found = unify(then, otherwise)
    if found is None:
        message = f"'if' and 'else' must give one type: {then.described} and {otherwise.described}"
        return checking.report("wrong-type", node.span, message, "convert one of them")
    return found


def _binary(checking: _Checking, node: Binary) -> Type:
    if node.operator == "~":
        for side in (node.left, node.right):
            checking.in_text(side)
        return TEXT
    left, right = checking.set_type_of(node.left), checking.set_type_of(node.right)
    if "any" in (left.kind, right.kind):
        return ANY
    if node.operator == "*" and not (left.is_number and right.is_number):
        return _repetition(checking, node, left, right)
    for side, found in ((node.left, left), (node.right, right)):
        if not found.is_number:
            message = f"'{node.operator}' wants integers or sizes, not {found.described}"
            return checking.report("wrong-type", side.span, message, _number_hint(node, side, found))
    if node.operator in ("//", "%") and isinstance(node.right, Constant) and node.right.value == 0:
        return checking.report("wrong-type", node.right.span, "nothing can be divided by 0", "write another number")
    return _arithmetic(checking, node, left, right)


def _repetition(checking: _Checking, node: Binary, left: Type, right: Type) -> Type:
    repeated = left if not left.is_number else right
    if repeated.kind in ("text", "list"):
        message = f"'*' cannot repeat {repeated.described}"
        return checking.report("unbounded-repetition", node.span, message, "write it out")
    message = f"'*' wants integers or sizes, not {repeated.described}"
    return checking.report("wrong-type", node.span, message, "multiply numbers only")


def _number_hint(node: Binary, side: Expression, found: Type) -> str:
    if found.kind != "text":
        return _REMEDIES["integer"]
    size = _size_of(side)
    return f'join text with "~"; a size in text is {size}' if node.operator == "+" else f"write {size}"


def _size_of(*nodes: Expression) -> str:
    """How a text becomes a size: the first of the nodes that is a literal, or else an example."""
    text = next((node.value for node in nodes if isinstance(node, Constant) and isinstance(node.value, str)), "8GiB")
    return f'size("{text}")'


def _arithmetic(checking: _Checking, node: Binary, left: Type, right: Type) -> Type:
    kinds = (left.kind, right.kind)
    if node.operator == "*" and kinds == ("size", "size"):
        return checking.report(
            "wrong-type", node.span, "a size times a size is no size", "one of them must be an integer"
        )
    if node.operator == "//":
        return SIZE if kinds == ("size", "integer") else INTEGER
    return SIZE if "size" in kinds else INTEGER


def _comparison(checking: _Checking, node: Comparison) -> Type:
    left, left_type = node.first, checking.type_of(node.first)
    for operator, right in node.rest:
        right_type = checking.type_of(right)
        if operator in ("in", "not in"):
            _membership(checking, left, left_type, right, right_type)
        elif operator in ("==", "!="):
            _equality(checking, left, left_type, right, right_type)
        else:
            _order(checking, left, left_type, right, right_type)
        left, left_type = right, right_type
    return BOOLEAN


def _equality(checking: _Checking, left: Expression, left_type: Type, right: Expression, right_type: Type) -> None:
    for one, other, other_node in ((left_type, right_type, right), (right_type, left_type, left)):
        if one.kind == "null" and not other.optional and other.kind not in ("any", "null"):
            checking.report("wrong-type", other_node.span, f"this {other} is never unset", "remove the comparison")
            return
    _require_alike(checking, left, left_type, right, right_type)


def _require_alike(checking: _Checking, left: Expression, left_type: Type, right: Expression, right_type: Type) -> None:
    if unify(left_type, right_type) is not None or _is_version(left, left_type, right, right_type):
        return
    message = f"{left_type.described} cannot be compared with {right_type.described}"
    hint = _comparison_hint(left_type, right_type, _size_of(left, right))
    checking.report("wrong-type", left.span.to(right.span), message, hint)


def _is_version(left: Expression, left_type: Type, right: Expression, right_type: Type) -> bool:
    """A literal text that is compared with a version is one."""
    return (left_type.kind == "version" and _is_literal(right)) or (right_type.kind == "version" and _is_literal(left))


def _is_literal(node: Expression) -> bool:
    return isinstance(node, Constant) and isinstance(node.value, str)


def _is_literal_list(node: Expression) -> bool:
    return isinstance(node, ListOf) and all(map(_is_literal, node.items))


def _comparison_hint(left: Type, right: Type, size: str) -> str:
    kinds = {left.kind, right.kind}
    if "text" not in kinds:
        return "compare what is of one type"
    hints = {"size": f"write {size}", "integer": "convert the text with | int", "version": "use | version"}
    return next((hint for kind, hint in hints.items() if kind in kinds), "compare what is of one type")


def _order(checking: _Checking, left: Expression, left_type: Type, right: Expression, right_type: Type) -> None:
    for node, found in ((left, left_type), (right, right_type)):
        if found.optional or found.kind == "null":
            checking.report("may-be-unset", node.span, "this may be unset", "say what holds then: | default(...)")
            return
    _require_alike(checking, left, left_type, right, right_type)
    kinds = {left_type.kind, right_type.kind}
    if not kinds & {"any", *_ORDERED}:
        message = f"{left_type.described} has no order"
        hint = "compare versions as versions: | version" if "text" in kinds else "compare with == or !="
        checking.report("wrong-type", left.span.to(right.span), message, hint)


def _membership(checking: _Checking, left: Expression, left_type: Type, right: Expression, right_type: Type) -> None:
    if right_type.kind == "list" and not right_type.optional:
        of = right_type.of or ANY
        if unify(optional(left_type), of) is None and not (left_type.kind == "version" and _is_literal_list(right)):
            message = f"{left_type.described} is never in {right_type.described}"
            hint = _comparison_hint(left_type, of, _size_of(left))
            checking.report("wrong-type", left.span.to(right.span), message, hint)
    elif {left_type.kind, right_type.kind} <= {"text", "any"} and not (left_type.optional or right_type.optional):
        return
    else:
        found = f"{left_type.described} in {right_type.described}"
        message = f"'in' looks for a value in a list or for text in text, not for {found}"
        checking.report("wrong-type", left.span.to(right.span), message, 'write a list, such as ["a", "b"]')


_RULES: dict[type, Callable[[_Checking, Any], Type]] = {
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
