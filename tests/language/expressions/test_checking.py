import pytest

from converge.language.expressions import (
    ANY,
    INTEGER,
    TEXT,
    TEXTS,
    Problem,
    Type,
    check,
    element_type,
    parse_expression,
    parse_template,
    record,
    type_of_value,
)
from converge.model import Value
from tests.language.expressions.world import SCOPE


def problems(text: str) -> tuple[Problem, ...]:
    return check(parse_expression(text), SCOPE).problems


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("not machine.live and disk.size >= 64 * GiB", "boolean"),
        ("[memory.total, swap_ceiling] | min", "size"),
        ("max(memory.total, 4 * GiB)", "size"),
        ("memory.total * 3 // 2", "size"),
        ("disk.size // GiB", "integer"),
        ("disk.size % GiB", "size"),
        ("count + 1 - -2", "integer"),
        ("installed.version < '3.8'", "boolean"),
        ("installed.version in ['3.8', '3.9']", "boolean"),
        ("version(name) >= installed.version", "boolean"),
        ("[installed.version, version('3.8')] | max", "version"),
        ("machine.vendor == 'LENOVO'", "boolean"),
        ("machine.vendor == none", "boolean"),
        ("machine.vendor in ['LENOVO', 'Dell']", "boolean"),
        ("machine.vendor | default('none') | upper", "text"),
        ("'quiet' in kernel.arguments", "boolean"),
        ("'oo' in name", "boolean"),
        ("flatpak('org.gimp.GIMP').installed", "boolean"),
        ("flatpak(name ~ '.A').origin", "text"),
        ("item.key ~ '-' ~ item.value", "text"),
        ("name | split('-') | join(':')", "text"),
        ("kernel.arguments | length", "integer"),
        ("size('8GiB') if machine.live else memory.total", "size"),
        ("name | replace('a', 'b') | basename", "text"),
        ("1 < count <= 5", "boolean"),
        ("[]", "list of any"),
        ("kernel.arguments", "list of text"),
    ],
)
def test_expression_type(text: str, type_: str) -> None:
    checked = check(parse_expression(text), SCOPE)
    assert checked.problems == ()
    assert str(checked.type) == type_


@pytest.mark.parametrize(
    ("text", "code", "at", "hint"),
    [
        ("machine.liv", "unknown-fact", "machine.liv", "'machine.live'"),
        ("machin.live", "unknown-fact", "machin.live", "'machine.live'"),
        ("machine", "unknown-fact", "machine", "machine.live, machine.vendor"),
        ("swap_celing > 1", "unknown-name", "swap_celing", "'swap_ceiling'"),
        ("flatpack('a').installed", "unknown-function", "flatpack", "'flatpak'"),
        ("name | uper", "unknown-function", "uper", "'upper'"),
        ("lipsum()", "unknown-function", "lipsum", "explain"),
        ("flatpak", "unknown-name", "flatpak", "flatpak(ref)"),
        ("flatpak('a').orign == none", "unknown-field", "flatpak('a').orign", "'origin'"),
        ("item.name", "unknown-field", "item.name", "key, value"),
        ("name.first", "unknown-field", "name.first", None),
        ("memory.total == '8GiB'", "wrong-type", "memory.total == '8GiB'", 'size("8GiB")'),
        ("memory.total > name", "wrong-type", "memory.total > name", 'size("8GiB")'),
        ("count == '3'", "wrong-type", "count == '3'", "| int"),
        ("installed.version == name", "wrong-type", "installed.version == name", "| version"),
        ("installed.version < 3", "wrong-type", "installed.version < 3", None),
        ("name < '3.8'", "wrong-type", "name < '3.8'", "| version"),
        ("machine.live < true", "wrong-type", "machine.live < true", None),
        ("name == none", "wrong-type", "name", None),
        ("name + 'a'", "wrong-type", "name", '"~"'),
        ("count + machine.live", "wrong-type", "machine.live", None),
        ("name * 3", "unbounded-repetition", "name * 3", None),
        ("3 * [name]", "unbounded-repetition", "3 * [name]", None),
        ("memory.total * disk.size", "wrong-type", "memory.total * disk.size", None),
        ("count // 0", "wrong-type", "0", None),
        ("count and machine.live", "wrong-type", "count", None),
        ("not name", "wrong-type", "name", None),
        ("1 if count else 2", "wrong-type", "count", None),
        ("1 if machine.live else 'a'", "wrong-type", "1 if machine.live else 'a'", None),
        ("[1, 'a']", "wrong-type", "'a'", None),
        ("count in ['a']", "wrong-type", "count in ['a']", None),
        ("count in name", "wrong-type", "count in name", None),
        ("machine.vendor | upper", "may-be-unset", "machine.vendor", "default"),
        ("machine.vendor ~ 'a'", "may-be-unset", "machine.vendor", "default"),
        ("min(count)", "wrong-arguments", "count", "min(list)"),
        ("min(name, 'a')", "wrong-arguments", "min", "version("),
        ("replace(name, 'a')", "wrong-arguments", "replace", "replace(text, old, new)"),
        ("size(machine.live)", "wrong-arguments", "machine.live", None),
        ("flatpak(3).installed", "wrong-arguments", "3", "flatpak(ref)"),
        ("default(count, 'a')", "wrong-arguments", "'a'", None),
        ("[machine.live] | join", "wrong-arguments", "[machine.live]", None),
        ("-memory.total", "wrong-type", "memory.total", None),
    ],
)
def test_mistake_found_at_its_place(text: str, code: str, at: str, hint: str | None) -> None:
    (problem,) = problems(text)
    assert problem.code == code
    assert text[problem.offset : problem.offset + problem.length] == at
    assert problem.hint
    assert (hint or "") in problem.hint


def test_several_mistakes_found_at_once() -> None:
    assert [problem.code for problem in problems("machine.liv and (count or foo) and name > 1")] == [
        "unknown-fact",
        "wrong-type",
        "unknown-name",
        "wrong-type",
    ]


def test_item_without_for_each_refused() -> None:
    names = {name: type_ for name, type_ in SCOPE.names.items() if name != "item"}
    (problem,) = check(parse_expression("item.key"), type(SCOPE)(names, SCOPE.functions)).problems
    assert problem.hint is not None
    assert "for_each" in problem.hint


@pytest.mark.parametrize(
    ("text", "kind", "json_type"),
    [
        ("{{ count }}", "integer", "integer"),
        ("{{ memory.total }}", "size", "integer"),
        ("{{ installed.version }}", "version", "string"),
        ("{{ kernel.arguments }}", "list", "array"),
        ("{{ machine.live }}", "boolean", "boolean"),
        ("a{{ count }}", "text", "string"),
        ("{{ count }}{{ name }}", "text", "string"),
        ("plain", "text", "string"),
    ],
)
def test_template_whole_expression_keeps_type(text: str, kind: str, json_type: str) -> None:
    checked = check(parse_template(text), SCOPE)
    assert checked.problems == ()
    assert (checked.type.kind, checked.type.json_type) == (kind, json_type)


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("a {{ kernel.arguments }}", "wrong-type", "kernel.arguments"),
        ("a {{ machine.vendor }}", "may-be-unset", "machine.vendor"),
        ("one\ntwo {{ nam }}", "unknown-name", "nam"),
    ],
)
def test_template_value_that_is_not_text_refused(text: str, code: str, at: str) -> None:
    (problem,) = check(parse_template(text), SCOPE).problems
    assert (problem.code, text[problem.offset : problem.offset + problem.length]) == (code, at)


@pytest.mark.parametrize(
    ("value", "item"),
    [
        (["a", "b"], TEXT),
        ([], TEXT),
        ([1], None),
        ({"a": 1, "b": 2}, record(key=TEXT, value=INTEGER)),
        ({"a": 1, "b": "x"}, record(key=TEXT, value=ANY)),
        ({"a": ["x"]}, record(key=TEXT, value=TEXTS)),
        ("text", None),
    ],
)
def test_item_type(value: Value, item: Type | None) -> None:
    assert element_type(type_of_value(value)) == item
