"""A document keeps the values of a file and their places, also if the file has faults."""

from itertools import pairwise

import pytest

from converge.diagnostics import Mark, Report
from converge.errors import ConvergeError
from converge.language.document import Document, Float, load, parse, stretch
from converge.language.document.events import events, pure_events


def read(text: str) -> tuple[Document | None, list[tuple[str, int, int, int]]]:
    """The document, and the code, line, column and end column of each finding."""
    report = Report()
    document = parse(text, "school.yaml", report)
    marks = [(finding.code, finding.mark) for finding in report]
    return document, [(code, mark.line, mark.column, mark.end_column) for code, mark in marks if mark]


def good(text: str) -> Document:
    document, findings = read(text)
    assert not findings
    assert document is not None
    return document


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("12", 12),
        ("-3", -3),
        ("0x1F", 31),
        ("0o17", 15),
        ("0644", 644),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("8GiB", "8GiB"),
        ("'12'", "12"),
        ('"a\\tb"', "a\tb"),
        ("!!str 12", "12"),
        ("12345678901234567890", "12345678901234567890"),
    ],
)
def test_scalar_read_by_yaml_1_2(written: str, value: object) -> None:
    data = good(f"key: {written}\n").data
    assert data == {"key": value}
    assert isinstance(data, dict)
    assert type(data["key"]) is type(value) or isinstance(data["key"], Float)


@pytest.mark.parametrize("written", ["3.20", "1e3", ".5", "-1.", ".inf", ".nan", "123456789012345678901"])
def test_fraction_keeps_text_and_is_float(written: str) -> None:
    data = good(f"key: {written}\n").data
    assert isinstance(data, dict)
    assert isinstance(data["key"], Float)
    assert data["key"] == written


TEXT = """\
title: "School"  # comment
list:
  - one
  - {two: 'zwei'}
block: |
  a {{ b }}

more: plain text
"""


def test_values_and_keys_have_places() -> None:
    document = good(TEXT)
    assert document.data == {
        "title": "School",
        "list": ["one", {"two": "zwei"}],
        "block": "a {{ b }}\n",
        "more": "plain text",
    }
    assert document.marks["title",] == Mark("school.yaml", 1, 9, 1, 15)
    assert document.key_marks["title",] == Mark("school.yaml", 1, 1, 1, 6)
    assert document.marks["list",] == Mark("school.yaml", 3, 3, 4, 18)
    assert document.marks["list", 1, "two"] == Mark("school.yaml", 4, 12, 4, 16)
    assert document.key_mark(("list", 1, "two")) == Mark("school.yaml", 4, 6, 4, 9)
    assert document.mark(("list", 0, "beyond")) == document.marks["list", 0]
    assert document.key_mark(("more", "beyond")) == document.marks["more",]


def test_url_in_brackets_needs_no_quotes() -> None:
    document, found = read("a: {url: https://x.org/, b: {{ c }}}\nd: [a:b]\ne: {{ f }}\n")
    assert document is not None
    assert document.data == {"a": {"url": "https://x.org/", "b": "{{ c }}"}, "d": ["a:b"], "e": "{{ f }}"}
    assert document.marks["a", "url"] == Mark("school.yaml", 1, 10, 1, 24)
    assert found == [("unquoted-expression", 1, 29, 36), ("unquoted-expression", 3, 4, 11)]


def test_source_of_value() -> None:
    document = good("mode: 0644\ntext: 'a'\nmap: {a: 1}\n")
    assert [document.source((key,)) for key in ("mode", "text", "map")] == ["0644", "a", "{a: 1}"]


def test_stretch_of_text_found_without_escapes() -> None:
    document = good("""plain: a == b\nquoted: "a == b"\nescaped: "a\\t== b"\n""")
    texts = {"plain": "a == b", "quoted": "a == b", "escaped": "a\t== b"}
    assert document.data == texts
    marks = [stretch(document.marks[key,], text, 2, 2) for key, text in texts.items()]
    assert marks[0] == Mark("school.yaml", 1, 10, 1, 12)
    assert marks[1] == Mark("school.yaml", 2, 12, 2, 14)
    assert marks[2] == document.marks["escaped",]


@pytest.mark.parametrize(
    ("text", "data", "findings"),
    [
        ("s: {{ x }}\n", {"s": "{{ x }}"}, [(1, 4, 11)]),
        ("s: {{ [a, b] | min }}\nb: 1\n", {"s": "{{ [a, b] | min }}", "b": 1}, [(1, 4, 22)]),
        ("s: {{ a }} MiB  # why\n", {"s": "{{ a }} MiB"}, [(1, 4, 15)]),
        ("s: http://{{ h }}/x\n", {"s": "http://{{ h }}/x"}, [(1, 4, 20)]),
        ('s: {{ a }} == "x: y"\n', {"s": '{{ a }} == "x: y"'}, [(1, 4, 21)]),
        ("s: {a: {{ x }}/k, b: 2}\n", {"s": {"a": "{{ x }}/k", "b": 2}}, [(1, 8, 17)]),
        ("s: {a: {{ [a] | min }}, b: 2}\n", {"s": {"a": "{{ [a] | min }}", "b": 2}}, [(1, 8, 23)]),
        ("- {{ item | upper }} x\n- {{ y }}\n", ["{{ item | upper }} x", "{{ y }}"], [(1, 3, 23), (2, 3, 10)]),
        ("s: [{{ x }}, b]\n", {"s": ["{{ x }}", "b"]}, [(1, 5, 12)]),
        ("s: {{ a\n  | min }}\nb: 1\n", {"s": "{{ a | min }}", "b": 1}, [(1, 4, 11)]),
        ("s: {{ a\nb: 1\n", {"s": "{{ a", "b": 1}, [(1, 4, 8)]),
        ("{{ k }}: v\n", {"{{ k }}": "v"}, [(1, 1, 8)]),
    ],
)
def test_expression_without_quotes_reported_and_read(
    text: str, data: object, findings: list[tuple[int, int, int]]
) -> None:
    document, found = read(text)
    assert found == [("unquoted-expression", *place) for place in findings]
    assert document is not None
    assert document.data == data


def test_expression_without_quotes_hint_can_be_copied() -> None:
    report = Report()
    parse('a: {{ x }}\nb: {{ "x" }}\n', "f", report)
    assert [finding.hint for finding in report] == ['quote it: "{{ x }}"', "quote it: '{{ \"x\" }}'"]


@pytest.mark.parametrize(
    ("text", "data", "place"),
    [
        ("why: Note: this\nb: 1\n", {"why": "Note: this", "b": 1}, (1, 10)),
        ('when: a == "x: y"\nb: 1\n', {"when": 'a == "x: y"', "b": 1}, (1, 14)),
        ('a: "x\nb: 1\n', {"a": '"x', "b": 1}, (1, 4)),
        ('a: "x" y\nb: 1\n', {"a": '"x" y', "b": 1}, (1, 8)),
        ("a: [b, c\nb: 1\n", {"a": "[b, c", "b": 1}, (1, 4)),
        ("a: @x # y\nb: 1\n", {"a": "@x", "b": 1}, (1, 4)),
        ("- a\n- b: c: d\n", ["a", {"b": "c: d"}], (2, 7)),
    ],
)
def test_syntax_fault_in_value_does_not_hide_the_rest(text: str, data: object, place: tuple[int, int]) -> None:
    document, found = read(text)
    assert [(code, line, column) for code, line, column, _ in found] == [("syntax", *place)]
    assert document is not None
    assert document.data == data
    assert len(document.unread) == 1


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a:\n\tb: 1\n", ("syntax", 2, 1, 2)),
        ("a: 1\nfoo\nb: 2\n", ("syntax", 2, 1, 2)),
        ("- a\nb: 1\n", ("syntax", 2, 1, 2)),
        ("a: \x07\n", ("syntax", 1, 4, 5)),
        ("a: \u2028\n", ("syntax", 1, 4, 5)),
        ("a: 1\n---\nb: 2\n", ("several-documents", 2, 1, 4)),
        ("[" * 100_000, ("too-large", 1, 34, 35)),
        ("? " + "[" * 100_000, ("not-text", 1, 3, 4)),
        ("a: " + "x" * (1 << 20), ("too-large", 1, 1, 1)),
    ],
)
def test_unreadable_text_reported(text: str, finding: tuple[str, int, int, int]) -> None:
    document, found = read(text)
    assert document is None
    assert found[0] == finding


@pytest.mark.parametrize(
    ("text", "finding", "data"),
    [
        ("a: !foo 1\n", ("unknown-tag", 1, 4, 10), {"a": "1"}),
        ("a: !!int 1\n", ("unknown-tag", 1, 4, 11), {"a": "1"}),
        ("a: &x [*x]\n", ("recursive-alias", 1, 8, 10), {"a": [None]}),
        ("a: *x\n", ("unknown-alias", 1, 4, 6), {"a": None}),
        ("b: 1\n<<: {a: 1}\n", ("merge-key", 2, 1, 3), {"b": 1}),
        ("1: a\n", ("not-text", 1, 1, 2), {"1": "a"}),
        ("3.5: a\n", ("not-text", 1, 1, 4), {"3.5": "a"}),
        ("true: a\n", ("not-text", 1, 1, 5), {"true": "a"}),
        ("~: a\n", ("not-text", 1, 1, 2), {}),
        ("? [a]\n: b\n", ("not-text", 1, 3, 4), {}),
    ],
)
def test_strict_yaml_refuses_and_skips(text: str, finding: tuple[str, int, int, int], data: object) -> None:
    document, found = read(text)
    assert found == [finding]
    assert document is not None
    assert document.data == data


def test_duplicate_key_reported_and_first_value_used() -> None:
    report = Report()
    document = parse("a: 1\nb:\n  c: 2\n  'c': {d: [{{ x }}]}\ne: 3\n", "f", report)
    assert document is not None
    assert document.data == {"a": 1, "b": {"c": 2}, "e": 3}
    duplicate, unquoted = report
    assert (duplicate.code, duplicate.mark) == ("duplicate-key", Mark("f", 4, 4, 4, 5))
    assert [related.mark for related in duplicate.related] == [Mark("f", 3, 3, 3, 4)]
    assert unquoted.code == "unquoted-expression"


def test_alias_is_copy_with_original_places() -> None:
    document = good("a: &x {k: [v]}\nb: *x\n")
    assert document.data == {"a": {"k": ["v"]}, "b": {"k": ["v"]}}
    assert document.marks["b",] == Mark("school.yaml", 2, 4, 2, 6)
    assert document.marks["b", "k", 0] == document.marks["a", "k", 0]
    assert document.key_marks["b", "k"] == document.key_marks["a", "k"]


def test_aliases_are_limited() -> None:
    names = "abcdefgh"
    text = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairwise(names))
    document, found = read(text)
    assert document is None
    assert found[0][0] == "too-large"


def test_line_ends_and_byte_order_mark_keep_places() -> None:
    document = good("\ufeffa: 1\r\nb: x\r\n")
    assert document.data == {"a": 1, "b": "x"}
    assert document.marks["b",] == Mark("school.yaml", 2, 4, 2, 5)


def test_findings_sorted_by_place() -> None:
    _, found = read("a: 1\na: 2\nb: {{ x }}\nc: d: e\n1: f\n")
    assert [line for _, line, _, _ in found] == [2, 3, 4, 5]


def test_file_not_utf_8_reported_with_place(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("latin") / "x.yaml"
    path.write_bytes("a: 1\nb: ü\n".encode("latin-1"))
    report = Report()
    assert load(str(path), report) is None
    assert [(finding.code, str(finding.mark)) for finding in report] == [("syntax", f"{path}:2:4")]


def test_missing_file_is_error() -> None:
    with pytest.raises(ConvergeError, match="No such file"):
        load("/nowhere/x.yaml", Report())


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a:\n\tb: 1\n", "a tab is not allowed in the indentation", "indent with spaces"),
        ("a: @b\n", "a value cannot begin with this character", "quote the value"),
        ("a: [\n", "a value is missing", "write it, or close the bracket before it"),
    ],
)
def test_syntax_fault_message_and_hint(text: str, message: str, hint: str) -> None:
    report = Report()
    parse(text, "a.yaml", report)
    assert [(found.message, found.hint) for found in report] == [(message, hint)]


def test_bad_alias_value_is_unread() -> None:
    document = parse("a: &x {b: *x, c: *y}\n", "a.yaml", Report())
    assert document is not None
    assert document.unread == {("a", "b"), ("a", "c")}


@pytest.mark.parametrize("text", [TEXT, "a: &x {k: [v]}\nb: *x\n", "a: 'b'\nc: !!str 1\n", "- - a\n  - b\n"])
def test_both_ruamel_parsers_agree(text: str) -> None:
    def shown(event: object) -> tuple[object, ...]:
        start, end = event.start_mark, event.end_mark  # type: ignore[attr-defined]  # every event has them
        value = getattr(event, "value", None)
        return type(event).__name__, value, (start.line, start.column), (end.line, end.column)

    assert [shown(event) for event in events(text)][1:] == [shown(event) for event in pure_events(text)][1:]
