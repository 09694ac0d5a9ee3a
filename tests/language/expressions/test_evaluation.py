from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.diagnostics import Mark
from converge.language.expressions import (
    ExpressionError,
    check,
    evaluate,
    parameter_value,
    parse_expression,
    parse_template,
)
from converge.model import Parameter, Unknown, Version
from tests.language.expressions.world import SCOPE, VALUES, World

GIB = 1 << 30


def value(text: str, **changed: Any) -> Any:
    return evaluate(parse_expression(text), World({**VALUES, **changed}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("not machine.live and disk.size >= 64 * GiB", True),
        ("[memory.total, swap_ceiling] | min", 2 * GIB),
        ("max(memory.total, 4 * GiB)", 4 * GIB),
        ("memory.total * 3 // 2", 3 * GIB),
        ("7 % 4 - -1", 4),
        ("1 < 2 < 2", False),
        ("1 <= 1 < 2", True),
        ("installed.version < '3.8'", False),
        ("installed.version == '3.010.1'", True),
        ("installed.version in ['3.8', '3.10.1']", True),
        ("installed.version not in ['3.8']", True),
        ("'3.9' < installed.version", True),
        ("version('3.10') > version('3.9')", True),
        ("['3.9' | version, installed.version] | max == '3.10.1'", True),
        ("machine.vendor == none", True),
        ("machine.vendor == 'LENOVO'", False),
        ("machine.vendor | default('none')", "none"),
        ("name | default('none')", "school"),
        ("'quiet' in kernel.arguments", True),
        ("'plymouth' not in kernel.arguments", True),
        ("'cho' in name", True),
        ("flatpak('org.gimp.GIMP').installed and not flatpak('a').installed", True),
        ("flatpak('a').origin", None),
        ("item.key ~ '-' ~ item.value", "a-7"),
        ("'a' if machine.live else 'b'", "b"),
        ("['a', 'b'] == ['a', 'b']", True),
        ("['a'] == ['b']", False),
        ("size('8GiB')", 8 * GIB),
        ("'12' | int + 1", 13),
        ("'Ab' | lower ~ 'Ab' | upper", "abAB"),
        ("'a-b-c' | replace('-', '')", "abc"),
        ("'a b  c' | split | join(',')", "a,b,c"),
        ("'a,b' | split(',')", ("a", "b")),
        ("[1, 2] | join('-')", "1-2"),
        ("'abc' | length + ['a'] | length", 4),
        ("kernel.arguments | length", 2),
        ("basename('/etc/flatpak/eos-sdk.flatpakrepo')", "eos-sdk.flatpakrepo"),
        ("stem('/etc/flatpak/eos-sdk.flatpakrepo')", "eos-sdk"),
        ("stem('.bashrc') ~ stem('a.tar.gz') ~ stem('x')", ".bashrca.tarx"),
        ("basename('/a/b/') ~ basename('/') ~ basename('c')", "b/c"),
        ("[dirname('/a/b'), dirname('/a'), dirname('a'), dirname('/'), dirname('a/b/')] | join(' ')", "/a / . / a"),
    ],
)
def test_expression_value(text: str, expected: object) -> None:
    assert check(parse_expression(text), SCOPE).problems == ()
    assert value(text) == expected


LOGIC = {"t": True, "f": False, "u": Unknown("")}


@pytest.mark.parametrize(
    ("operator", "table"),
    [
        ("and", "tt=t tf=f tu=u ft=f ff=f fu=f ut=u uf=f uu=u"),
        ("or", "tt=t tf=t tu=t ft=t ff=f fu=u ut=t uf=u uu=u"),
    ],
)
def test_logic_is_three_valued(operator: str, table: str) -> None:
    for row in table.split():
        facts = {"machine.live": LOGIC[row[0]], "network.online": LOGIC[row[1]]}
        assert value(f"machine.live {operator} network.online", **facts) == LOGIC[row[3]], row


@pytest.mark.parametrize(
    "text",
    [
        "not network.online",
        "network.online == true",
        "1 if network.online else 2",
        "[network.online]",
        "true in [network.online]",
        "1 < count < memory.total",
        "memory.total + 1",
        "-memory.total",
        "min(memory.total, 1)",
        "memory.total | default(1)",
        "memory.total ~ 'x'",
        "flatpak('x' ~ memory.total).installed",
    ],
)
def test_unknown_operand_makes_result_unknown(text: str) -> None:
    unknown = Unknown("no facts here")
    assert value(text, **{"network.online": unknown, "memory.total": unknown}) == unknown


def test_comparison_chain_decided_by_known_part() -> None:
    assert value("5 < count < memory.total", **{"memory.total": Unknown("")}) is False


def test_default_unused_fallback_may_be_unknown() -> None:
    assert value("name | default(machine.vendor)", **{"machine.vendor": Unknown("")}) == "school"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ memory.total }}", 2 * GIB),
        ("{{ machine.live }}", False),
        ("{{ kernel.arguments }}", ("quiet", "splash")),
        ("{{ installed.version }}", "3.10.1"),
        ("a {{ count }} {{ machine.live }} {{ installed.version }}\n", "a 3 false 3.10.1\n"),
        ("plain", "plain"),
        ("{{ count }}{{ network.online }}", Unknown("no network facts here")),
    ],
)
def test_template_value(text: str, expected: object) -> None:
    assert evaluate(parse_template(text), World()) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size(name)", "a size is"),
        ("int(name)", "not an integer"),
        ("count // (count - 3)", "divisor must not be 0"),
        ("disk.size * 999999999999", "too large"),
        ("[] | min", "empty"),
        ("split(name, '')", "separator"),
        ("(name | replace('', 'x' | replace('x', name | replace('s', name)))) | length", None),
    ],
)
def test_evaluation_error_has_place(text: str, message: str | None) -> None:
    if message is None:
        assert isinstance(value(text), int)
        return
    with pytest.raises(ExpressionError, match=message) as caught:
        value(text)
    assert text[caught.value.offset : caught.value.offset + caught.value.length] in text


@pytest.mark.parametrize(
    "text", ["name ~ name", "name | replace('a', name)", "[name, name] | join(name)", "name | upper"]
)
def test_text_too_long_fails(text: str) -> None:
    with pytest.raises(ExpressionError, match="longer than"):
        value(text, name="aß" * 32_000)


def test_lowest_version_in_text_fails() -> None:
    with pytest.raises(ExpressionError, match="this version is unknown"):
        evaluate(parse_template("{{ installed.version }}"), World({"installed.version": Version(None)}))


def test_parameter_of_type_version_compares_as_version() -> None:
    here = Mark("base.yaml", 1, 1, 1, 1)
    values = {kind: parameter_value(Parameter("name", kind, "3.10", "", here)) for kind in ("version", "text")}
    assert values == {"version": Version("3.10"), "text": "3.10"}
    assert value("name > '3.9'", name=values["version"]) is True


LEAVES = [
    *VALUES,
    *["1", "0", "'a'", "'3.8'", "true", "none", "[]", "[1, count]", "['a']", "flatpak('a').origin"],
]
SHAPES = [
    *["not {0}", "-{0}", "({0})", "[{0}, {1}]", "{0} if {1} else {2}", "flatpak({0}).installed", "{0} < {1} <= {2}"],
    *(f"{{0}} {sign} {{1}}" for sign in ["+", "-", "*", "//", "%", "~", "and", "or", "==", "!=", "<", "in", "not in"]),
    *(f"{{0}} | {name}" for name in ["min", "max", "int", "lower", "upper", "join", "split", "length", "stem", "size"]),
    *["{0} | version", "{0} | default({1})", "replace({0}, {1}, {2})", "min({0}, {1})", "{0} | dirname | basename"],
]


VALUES_ARE_WRONG = ("size:", "int:", "min: the list", "max: the list", "the divisor", "the number is too large")


def texts() -> st.SearchStrategy[str]:
    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        parts = st.tuples(inner, inner, inner)
        return st.tuples(st.sampled_from(SHAPES), parts).map(lambda drawn: f"({drawn[0].format(*drawn[1])})")

    return st.recursive(st.sampled_from(LEAVES), grown, max_leaves=6)


@given(texts())
def test_checked_expression_never_fails_for_types(text: str) -> None:
    """The check is sound: afterwards only values can be wrong, and the result has the checked type."""
    tree = parse_expression(text)
    checked = check(tree, SCOPE)
    if checked.problems:
        return
    try:
        found = evaluate(tree, World())
    except ExpressionError as error:
        found = error.message
    if isinstance(found, str) and found.startswith(VALUES_ARE_WRONG):
        return
    kinds = {"boolean": bool, "integer": int, "size": int, "text": str, "version": Version, "list": tuple}
    if checked.type.kind in kinds and not isinstance(found, Unknown) and not (checked.type.optional and found is None):
        assert isinstance(found, kinds[checked.type.kind])
