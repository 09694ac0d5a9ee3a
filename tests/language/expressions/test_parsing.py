import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.language.expressions import (
    ExpressionError,
    Template,
    Tree,
    calls_probe,
    names_in,
    parse_expression,
    parse_template,
)


def refused(text: str, *, template: bool = False) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse_template(text) if template else parse_expression(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "code", "at", "hint"),
    [
        ("memory.total / 2", "not-allowed", "/", 'use "//"'),
        ("size('a/b') + memory.total / 2", "not-allowed", "/", 'use "//"'),
        ("2 ** 64", "not-allowed", "**", "write the number out"),
        ("a is defined", "not-allowed", "is", "'=='"),
        ("a[0]", "not-allowed", "[", "dot"),
        ("a[1:2]", "not-allowed", "[", "dot"),
        ("{'a': 1}", "not-allowed", "{", "YAML"),
        ("(1, 2)", "not-allowed", None, "[a, b]"),
        ("1.5 > x", "not-allowed", "1.5", "quote it"),
        ("99999999999999999999", "not-allowed", "99999999999999999999", None),
        ("'a'.upper()", "not-allowed", "'a'.upper", None),
        ("[1].x", "not-allowed", "[1].x", None),
        ("f(a=1)", "not-allowed", "(", "order"),
        ("f(*a)", "not-allowed", "(", "order"),
        ("a | f(**b)", "not-allowed", "f", "order"),
        ("f(1)(2)", "not-allowed", "f(1)", None),
        ("a if b", "not-allowed", "a if b", "else"),
        ("a b", "bad-expression", "b", None),
        ("a and", "bad-expression", "and", None),
        ("(a", "bad-expression", None, None),
        ("a }} b", "bad-expression", "}}", "no braces"),
        ("{{ a }}", "bad-expression", "{{", "braces"),
        ("a @ b", "bad-expression", "@", None),
        ("'open", "bad-expression", "'", None),
        ("", "bad-expression", None, None),
        ("(" * 500, "bad-expression", None, "split"),
        ("not " * 200 + "a", "bad-expression", None, "split"),
        ("+".join("1" * 200), "bad-expression", None, "split"),
        ("a" * 5000, "bad-expression", None, None),
    ],
)
def test_expression_unlisted_syntax_refused(text: str, code: str, at: str | None, hint: str | None) -> None:
    error = refused(text)
    assert error.code == code
    if at is not None:
        assert text[error.offset :].startswith(at)
        assert error.length in (1, len(at))
    assert error.hint
    assert (hint or "") in error.hint


@pytest.mark.parametrize(
    ("text", "at", "hint"),
    [
        ("a {{ b", "{{", "}}"),
        ("{{ a }} {{", "{{", "}}"),
        ("{{- a }}", "{{-", "{{ "),
        ("{{ a -}}", "-}}", "}}"),
        ("x {{ }}", "{{", None),
        ("one\n{{ a / 2 }}", "/", "//"),
    ],
)
def test_template_mismatched_braces_refused(text: str, at: str, hint: str | None) -> None:
    error = refused(text, template=True)
    assert text[error.offset :].startswith(at)
    assert error.hint
    assert (hint or "") in error.hint


@pytest.mark.parametrize("text", ["", "plain", "}}", "${#array} {% if %} {# no comment #}", "{ {"])
def test_template_without_braces_is_text(text: str) -> None:
    assert parse_template(text) == text


def test_template_text_outside_braces_kept() -> None:
    template = parse_template("{# kept #}{% kept %}{{ name }} '}}' {{ '}}' }}\n")
    assert isinstance(template, Template)
    assert [piece for piece in template.pieces if isinstance(piece, str)] == ["{# kept #}{% kept %}", " '}}' ", "\n"]
    assert template.whole is None


def test_template_single_expression_is_whole() -> None:
    template = parse_template("{{ name }}")
    assert isinstance(template, Template)
    assert template.whole == parse_expression("name")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[a, b] | min", "min([a, b])"),
        ("a | default(1) | int", "int(default(a, 1))"),
        ("a  ==  b", "(a == b)"),
        ("a - b - c", "(a - b) - c"),
        ("not a in b", "not (a in b)"),
    ],
)
def test_trees_of_equivalent_texts_are_equal(one: str, other: str) -> None:
    assert parse_expression(one) == parse_expression(other)


@pytest.mark.parametrize("text", ["f(a.b, [1, 'x']).c", "a if b < c <= 2 else not d", "{{ a }}-{{ b ~ c }}"])
def test_trees_can_be_pickled(text: str) -> None:
    tree: Tree = parse_template(text) if "{{" in text else parse_expression(text)
    assert pickle.loads(pickle.dumps(tree)) == tree


def test_names_in_tree() -> None:
    tree = parse_template("{{ a.b + f(item.key).x }} {{ [c] | min }}")
    assert names_in(tree) == {"a.b", "f", "item.key", "c"}
    assert calls_probe(tree)
    assert not calls_probe(parse_expression("min(a, b)"))


@given(st.text(alphabet=" ab.()[]{}|,+-*/%~'\"=<>!0123\\\n_@#", max_size=40))
def test_any_text_is_expression_or_error_inside_it(text: str) -> None:
    for parse in (parse_expression, parse_template):
        assert 0 <= offset_of_error(parse, text) <= len(text)


def offset_of_error(parse: Callable[[str], object], text: str) -> int:
    try:
        parse(text)
    except ExpressionError as error:
        return error.offset
    return 0
