"""The static check: the type of an expression and all its problems, without a machine."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import field, frozen

from converge.diagnostics import did_you_mean
from converge.language.expressions.operators import OPERATORS, Check, Operand, booleans, in_text, may_be_unset
from converge.language.expressions.tree import (
    Attribute,
    Call,
    Choice,
    Comparison,
    Constant,
    Expression,
    ListOf,
    Name,
    Operation,
    Span,
    Template,
    Tree,
)
from converge.language.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    MANUAL,
    NULL,
    TEXT,
    Checked,
    Mismatch,
    Problem,
    Scope,
    Type,
    required,
    unify,
)


def check(tree: Tree, scope: Scope) -> Checked:
    """Find the type of a tree and its problems; one problem does not hide another."""
    checking = _Checking(scope)
    if isinstance(tree, str):
        return Checked(TEXT)
    if not isinstance(tree, Template):
        type_ = checking.type_of(tree)
    elif tree.whole is not None:
        type_ = checking.type_of(tree.whole)
    else:
        for piece in tree.pieces:
            if not isinstance(piece, str):
                checking.require(in_text, "", [checking.operand(piece)], piece.span)
        type_ = TEXT
    return Checked(type_, tuple(sorted(checking.problems, key=lambda problem: problem.offset)))


@frozen
class _Checking:
    scope: Scope
    problems: list[Problem] = field(factory=list)

    def type_of(self, node: Expression) -> Type:
        """The type of a node; `any` after a problem, so that one mistake is reported once."""
        return _RULES[type(node)](self, node)

    def set_type_of(self, node: Expression) -> Type:
        """The type of a node that must be set."""
        type_ = self.type_of(node)
        if type_.optional or type_.kind == "null":
            self.report_mismatch(may_be_unset(), node.span)
            return required(type_) if type_.optional else ANY
        return type_

    def operand(self, node: Expression) -> Operand:
        return Operand(self.set_type_of(node), node)

    def require(self, check: Check, name: str, operands: Sequence[Operand], span: Span) -> bool:
        """Report the mismatches; returns whether there are none."""
        found = list(check(name, operands))
        for mismatch in found:
            at = span if mismatch.argument is None else operands[mismatch.argument].node.span
            self.report_mismatch(mismatch, at)
        return not found

    def report_mismatch(self, mismatch: Mismatch, span: Span) -> None:
        self.report(mismatch.code, span, mismatch.message, mismatch.hint)

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
            known = list(type_.fields)
            hint = did_you_mean(name, known) or _listed("name one of its fields:", known) or "remove the field"
            return checking.report("unknown-field", node.span, f"{type_.described} has no field '{name}'", hint)
        type_ = type_.fields[name]
    return type_


def _unknown_name(checking: _Checking, node: Name) -> Type:
    scope, dotted = checking.scope, node.dotted
    if function := scope.functions.get(dotted):
        return checking.report("unknown-name", node.span, f"'{dotted}' must be called", f"write {function.signature}")
    if node.path[0] == "item":
        return checking.report(
            "unknown-name", node.span, "`item` requires `for_each`", "add `for_each` to the resource"
        )
    siblings = [name for name in scope.names if name.startswith(f"{node.path[0]}.")]
    hint = did_you_mean(dotted, list(scope.names)) or _listed("name one of", siblings)
    if len(node.path) > 1:
        return checking.report("unknown-fact", node.span, f"there is no fact '{dotted}'", hint or MANUAL)
    if siblings:
        hint = _listed("name one of", siblings)
        return checking.report("unknown-fact", node.span, f"'{dotted}' is a group of facts", hint)
    hint = hint or f"declare it in `parameters`; {MANUAL}"
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
        hint = did_you_mean(node.name, list(checking.scope.functions)) or MANUAL
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
            message = f"the items of a list must be of one type, not {of.described} and {found.described}"
            checking.report("wrong-type", item.span, message, "convert it, or remove it")
        else:
            of = joined
    return Type("list", of=of)


def _operation(checking: _Checking, node: Operation) -> Type:
    operator = OPERATORS[node.operator]
    operands = [checking.operand(each) for each in node.operands]
    fits = checking.require(operator.check, operator.name, operands, node.span)
    if isinstance(operator.result, Type):
        return operator.result
    types = [each.type for each in operands]
    return operator.result(*types) if fits and ANY not in types else ANY


def _comparison(checking: _Checking, node: Comparison) -> Type:
    left = Operand(checking.type_of(node.first), node.first)
    for name, each in node.rest:
        right = Operand(checking.type_of(each), each)
        operator = OPERATORS[name]
        checking.require(operator.check, operator.name, (left, right), left.node.span.to(each.span))
        left = right
    return BOOLEAN


def _choice(checking: _Checking, node: Choice) -> Type:
    checking.require(booleans, "if", [checking.operand(node.test)], node.test.span)
    then, otherwise = checking.type_of(node.then), checking.type_of(node.otherwise)
    found = unify(then, otherwise)
    if found is None:
        message = f"'if' and 'else' must have the same type, not {then.described} and {otherwise.described}"
        return checking.report("wrong-type", node.span, message, "convert one of them")
    return found


_RULES: dict[type, Callable[[_Checking, Any], Type]] = {
    Attribute: _attribute,
    Call: _call,
    Choice: _choice,
    Comparison: _comparison,
    Constant: _constant,
    ListOf: _list,
    Name: _name,
    Operation: _operation,
}
