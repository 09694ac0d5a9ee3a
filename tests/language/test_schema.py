"""The refusals of the schemas have our own messages, with place and remedy; the schemas agree with the providers."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converge.diagnostics import Diagnostic, Mark, Report
from converge.errors import ConvergeError
from converge.language import schema
from converge.language.document import parse
from converge.model import OnAdopt, OnUserChange, Value
from converge.providers import registry as providers
from converge.providers.protocol import field_names

SCHEMAS = Path(__file__).parents[2] / "schemas"
HEAD = "converge: 1\nproduct: school\n"


def check(text: str) -> list[Diagnostic]:
    report = Report()
    document = parse(text, "school.yaml", report)
    assert document is not None
    schema.check_manifest(document, report)
    return list(report)


def underlined(text: str, found: Diagnostic) -> tuple[int, str]:
    """The line, and the part of it, that a diagnostic points to."""
    assert found.mark is not None
    line = text.split("\n")[found.mark.line - 1]
    same = found.mark.line == found.mark.end_line
    return found.mark.line, line[found.mark.column - 1 : found.mark.end_column - 1 if same else None]


def resource(type_: str, with_: str, *more: str) -> str:
    """A manifest of one resource, with `with` on line 7."""
    lines = ["resources:", "  x:", f"    type: {type_}", "    apply: once", f"    with: {{{with_}}}"]
    return HEAD + "\n".join([*lines, *(f"    {line}" for line in more)]) + "\n"


@pytest.mark.parametrize(
    ("with_", "at", "code", "message", "hint"),
    [
        (
            "colection_id: a.b",
            "colection_id",
            "unknown-parameter",
            "flatpak-remote has no parameter 'col",
            "'collection_id'",
        ),
        ("needs: [a]", "needs", "unknown-parameter", "flatpak-remote has no parameter 'needs'", "put it beside `with`"),
        ("title: 3.20", "3.20", "not-text", "'title' must be text, but 3.20 is a number", 'quote it: "3.20"'),
        ("title: 0644", "0644", "not-text", "'title' must be text, but 0644 is a number", 'quote it: "0644"'),
        ("title: true", "true", "not-text", "'title' must be text, but true is a boolean", 'quote it: "true"'),
        ("title: null", "null", "wrong-type", "'title' must be text, but has no value", "for example `title: Flathub`"),
        ("title: [a]", "[a]", "wrong-type", "'title' must be text, not a list", "for example `title: Flathub`"),
        (
            "verify: yes",
            "yes",
            "wrong-type",
            "'verify' must be true or false, not the text 'yes'",
            "write true or false",
        ),
        (
            "priority: '5'",
            "5",
            "wrong-type",
            "'priority' must be a whole number, not the text '5'",
            "remove the quotes",
        ),
        ("priority: 1.5", "1.5", "wrong-type", "'priority' must be a whole number, not 1.5", "`priority: 2`"),
        ("priority: -1", "-1", "bad-value", "'priority' must be at least 0, not -1", "write 0 or more"),
        ("ensure: presnt", "presnt", "bad-value", "'ensure' must be present or absent, not 'presnt'", "'present'?"),
        ("url: a.org", "a.org", "bad-value", "'url' must be a URL, such as https", "for example `url: https"),
        ("host: a", "with", "missing-parameter", "'host' of flatpak-remote requires 'with_host'", "`with_host: "),
        ("host: a, with_host: b, url: x://y", "host", "bad-value", "'host' and 'url' exclude each other", "remove one"),
    ],
)
def test_parameter_refused(with_: str, at: str, code: str, message: str, hint: str) -> None:
    text = resource("flatpak-remote", f"name: n, {with_}")
    (found,) = check(text)
    assert (found.code, underlined(text, found)) == (code, (7, at))
    assert message in found.message
    assert hint in str(found.hint)


@pytest.mark.parametrize(
    ("text", "at", "code", "message", "hint"),
    [
        ("tittle: x", (3, "tittle"), "unknown-key", "a manifest has no key 'tittle'", "did you mean 'title'?"),
        ("extends: base", (3, "base"), "wrong-type", "'extends' must be a list, not the text 'base'", "write [base]"),
        ("without: [a, a]", (3, "a"), "bad-value", "'without' contains 'a' twice", "remove one of them"),
        ("without: [3]", (3, "3"), "not-text", "entry 1 of 'without' must be text, but 3 is a number", 'quote it: "3"'),
        (
            "resources: {A b: {type: file}}",
            (3, "A b"),
            "bad-value",
            "'A b' must be a name of lowercase letters",
            "rename it",
        ),
        ("resources: {a: 5}", (3, "5"), "wrong-type", "'a' must be a map, not 5", "write its `type`, `apply`"),
        ("resources: {a: null}", (3, "null"), "wrong-type", "'a' must be a map, but has no value", "write its `type`"),
        ("resources: [a]", (3, "[a]"), "wrong-type", "'resources' must be a map, not a list", "`id: {type: …"),
        (f"title: [{'x' * 90}]", (3, f"[{'x' * 90}]"), "wrong-type", "must be text, not a list", "School edition"),
        (f"resources: {'x' * 90}", (3, "x" * 90), "wrong-type", f"not the text '{'x' * 39}…'", "`id: {type: …"),
        ("parameters: {a: {typ: text, type: size}}", (3, "typ"), "unknown-key", "a parameter has no key", "'type'?"),
        ("parameters: {a: {}}", (3, "a"), "missing-key", "'a' requires 'type'", "`type: size`"),
        ("parameters: {a: {type: x, default: 1}}", (3, "x"), "bad-value", "'type' must be text, integer", "write text"),
        ("parameters: {a: {type: text, default: 3.8}}", (3, "3.8"), "not-text", "but 3.8 is a number", '"3.8"'),
        ("override: {a: {apply: onec}}", (3, "onec"), "unknown-policy", "there is no policy 'onec'", "'once'?"),
        ("override: {a: {aply: once}}", (3, "aply"), "unknown-key", "a resource has no key 'aply'", "'apply'?"),
        ("override: {a: null}", (3, "null"), "wrong-type", "'a' must be a map, but has no value", "`without`"),
    ],
)
def test_manifest_refused(text: str, at: tuple[int, str], code: str, message: str, hint: str) -> None:
    found = next(found for found in check(HEAD + text + "\n") if found.code == code)
    assert underlined(HEAD + text, found) == at
    assert message in found.message
    assert hint in str(found.hint)


@pytest.mark.parametrize(
    ("key", "at", "code", "message", "hint"),
    [
        ("url: x", "url", "unknown-key", "a resource has no key 'url'", "put it inside `with`"),
        ("events: [upgrad]", "upgrad", "bad-value", "entry 1 of 'events' must be install, upgrade", "'upgrade'?"),
        ("events: []", "events", "bad-value", "'events' must not be empty", "give it a value"),
        ("revision: 0", "0", "bad-value", "'revision' must be at least 1, not 0", "write 1 or more"),
        ("needs: flathub", "flathub", "wrong-type", "'needs' must be a list", "write [flathub]"),
        ("on_adopt: aply", "aply", "bad-value", "'on_adopt' must be apply or settle", "'apply'?"),
        ("only_if: {ur: x}", "ur", "unknown-key", "flatpak-remote has no state field 'ur'", "'url'?"),
        ("only_if: [{url: x}, {priority: y}]", "y", "wrong-type", "'priority' must be a whole number", "`priority: 1`"),
        ("only_if: {}", "only_if", "bad-value", "'only_if' must not be empty", "give it a value"),
    ],
)
def test_resource_key_refused(key: str, at: str, code: str, message: str, hint: str) -> None:
    text = resource("flatpak-remote", "name: n", key)
    (found,) = check(text)
    assert (found.code, underlined(text, found)) == (code, (8, at))
    assert message in found.message
    assert hint in str(found.hint)


def test_parameter_that_may_be_secret_refused_without_value() -> None:
    text = resource("command", "argv: [a], domain: machine, creates: /x, stdin: 5")
    assert [(found.code, found.hint) for found in check(text)] == [("wrong-type", "write text in quotes")]
    text = resource("command", "argv: [a], domain: machine, creates: /x, secrets: {A: b}")
    assert [found.code for found in check(text)] == ["written-out-secret"]


@pytest.mark.parametrize("keys", ["aply: once, with: {path: /x}", "apply: once, path: /x", "aplly: once, path: /x"])
def test_misspelt_or_misplaced_key_is_not_reported_missing(keys: str) -> None:
    found = check(f"{HEAD}resources: {{a: {{type: file, {keys}}}}}\n")
    assert {diagnostic.code for diagnostic in found} == {"unknown-key"}


@pytest.mark.parametrize(("text", "hint"), [("", "converge: 1"), ("hello\n", "converge: 1"), ("[a]\n", "converge: 1")])
def test_file_that_is_not_a_manifest_refused(text: str, hint: str) -> None:
    (found,) = check(text)
    assert found.code == "wrong-type"
    assert hint in str(found.hint)


def test_missing_key_named_with_example() -> None:
    text = (
        "resources:\n  a: {type: flatpak-remote, with: {}}\n  b: {type: flatpak-app, apply: once, with: {remote: x}}\n"
    )
    reported = [(found.code, underlined(text, found)[0], found.message, found.hint) for found in check(text)]
    assert reported == [
        ("missing-key", 1, "a manifest requires 'converge'", "for example `converge: 1`"),
        ("missing-key", 1, "a manifest requires 'product'", "for example `product: school`"),
        ("missing-key", 2, "'a' requires 'apply'", "for example `apply: once`"),
        ("missing-parameter", 2, "flatpak-remote requires 'name'", "for example `name: flathub`"),
        ("missing-parameter", 3, "flatpak-app requires 'app' or 'runtime'", "for example `app: org.gimp.GIMP`"),
    ]


def test_unknown_type_refused() -> None:
    text = resource("flatpak-remot", "name: n, foo: 1")
    (found,) = check(text)
    assert (found.code, underlined(text, found)) == ("unknown-type", (5, "flatpak-remot"))
    assert found.hint == "did you mean 'flatpak-remote'?"


def test_all_typing_errors_reported_in_one_run() -> None:
    text = """\
converge: 1
product: school
tittle: x
resources:
  a:
    type: flatpak-ap
    apply: once
    with: {app: org.gimp.GIMP}
  b:
    type: flatpak-app
    apply: onec
    with: {remote: r, aap: org.gimp.GIMP, app: a.b.c, branch: 3.20}
  c:
    type: permissions
    apply: once
    with: {path: /x, mode: 0644, max_depth: {{ [1, 2] | min }}}
    apply: always
"""
    found = [(finding.code, *underlined(text, finding)) for finding in check(text)]
    assert sorted(found, key=lambda row: row[1:]) == [
        ("unknown-key", 3, "tittle"),
        ("unknown-type", 6, "flatpak-ap"),
        ("unknown-policy", 11, "onec"),
        ("not-text", 12, "3.20"),
        ("unknown-parameter", 12, "aap"),
        ("not-text", 16, "0644"),
        ("unquoted-expression", 16, "{{ [1, 2] | min }}"),
        ("duplicate-key", 17, "apply"),
    ]


@pytest.mark.parametrize(
    "with_",
    [
        'verify: "{{ a }}"',
        'priority: "{{ 1 + a }}"',
        'url: "https://{{ host }}/"',
        'ensure: "{{ a }}"',
        'default_branch: "3.20"',
    ],
)
def test_expression_accepted_for_any_parameter(with_: str) -> None:
    assert check(resource("flatpak-remote", f"name: n, {with_}")) == []


def test_value_hidden_by_syntax_fault_is_not_checked() -> None:
    assert [found.code for found in check(resource("file", "path: /x", "needs: [a"))] == ["syntax"]


@pytest.mark.parametrize(
    ("text", "message"), [("", "the file is empty"), ("- a\n", "the file must be a map, not a list")]
)
def test_manifest_that_is_not_a_map_refused(text: str, message: str) -> None:
    (found,) = check(text)
    assert (found.code, found.message) == ("wrong-type", message)


def test_site_with_resources_refused() -> None:
    report = Report()
    text = 'product: school\nparameters: {a: "3", b: [x]}\nwithout: [x]\noverride: {y: {when: null}}\nresources: {}\n'
    document = parse(text, "site.yaml", report)
    assert document is not None
    schema.check_site(document, report)
    (found,) = report
    assert (found.code, found.message) == ("unknown-key", "site.yaml has no key 'resources'")


def test_empty_site_accepted() -> None:
    report = Report()
    document = parse("# nothing here\n", "site.yaml", report)
    assert document is not None
    schema.check_site(document, report)
    assert list(report) == []


def test_composed_resource_reported_at_places_of_values() -> None:
    own, value, key = (Mark("a.yaml", line, 1, line, 9) for line in (1, 2, 3))
    data: dict[str, Value] = {"type": "file", "apply": "once", "with": {"path": "x", "moed": "0644"}}
    report = Report()
    for _ in range(2):  # the second check reports nothing new
        schema.check_resource(data, {("with", "path"): value}, {("with", "moed"): key}, own, report)
    assert [(found.code, found.mark) for found in report] == [("bad-value", value), ("unknown-parameter", key)]


def test_manifest_fault_not_repeated_after_composition() -> None:
    report = Report()
    document = parse(resource("file", "path: /x, mode: 0644, moed: a"), "school.yaml", report)
    assert document is not None
    schema.check_manifest(document, report)
    at = ("resources", "x")
    marks = {path[2:]: mark for path, mark in document.marks.items() if path[:2] == at}
    key_marks = {path[2:]: mark for path, mark in document.key_marks.items() if path[:2] == at}
    data: dict[str, Value] = {"type": "file", "apply": "once", "with": {"path": "/x", "mode": 644, "moed": "a"}}
    schema.check_resource(data, marks, key_marks, document.key_mark(at), report)
    assert [found.code for found in report] == ["not-text", "unknown-parameter"]


def install_shelf(folder: Path, monkeypatch: pytest.MonkeyPatch, schema_text: str, code: str = "") -> None:
    """A package of a third party, in a folder of Python's search path."""
    info = folder / "shelf-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[converge.providers]\nshelf = shelf.provider\n")
    (folder / "shelf").mkdir()
    (folder / "shelf" / "__init__.py").write_text(code)
    (folder / "shelf" / "provider.py").touch()
    (folder / "shelf" / "shelf.json").write_text(schema_text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "shelf", raising=False)


@pytest.fixture
def forgetful() -> Iterator[None]:
    """The caches of third parties' types are cleared before and after a test."""
    forget()
    yield
    forget()


def forget() -> None:
    schema.find.cache_clear()
    schema._validator.cache_clear()


@pytest.mark.usefixtures("forgetful")
def test_third_party_schema_is_beside_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    level = {"type": "integer", "multipleOf": 2}
    parts = {"type": "object", "additionalProperties": False, "properties": {"level": level}}
    third = {"x-converge": {"on_user_change": "keep"}, "definitions": {"with": parts, "state": parts}}
    install_shelf(tmp_path, monkeypatch, json.dumps(third))

    found = check(resource("shelf", "level: 3, leevl: 2", "only_if: [{level: 2}, {level: a}]"))
    assert [(finding.code, finding.message) for finding in found] == [
        ("bad-value", "'level' does not match its schema"),
        ("unknown-parameter", "shelf has no parameter 'leevl'"),
        ("wrong-type", "'level' must be a whole number, not the text 'a'"),
    ]
    assert schema.defaults("shelf") == (OnUserChange.KEEP, OnAdopt.APPLY)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    ("schema_text", "code", "message"),
    [
        ("{", "", "cannot read the schema"),
        ("[]", "", "does not describe 'shelf'"),
        ('{"definitions": {"with": {"properties": {}}}}', "", "does not describe 'shelf'"),
        ("{}", "raise RuntimeError('too old')", "cannot import shelf.provider: too old"),
        (
            '{"definitions": {"with": {"type": "text", "properties": {}}, "state": {"properties": {}}}}',
            "",
            "the schema of 'shelf' is not a JSON schema: 'text' is not valid",
        ),
    ],
)
def test_unusable_third_party_type_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema_text: str, code: str, message: str
) -> None:
    install_shelf(tmp_path, monkeypatch, schema_text, code)
    text = resource("shelf", "level: 1") + "  y: {type: file, apply: onec, with: {path: /x}}\n"
    found = {diagnostic.code: diagnostic for diagnostic in check(text)}
    assert found.keys() == {"unusable-type", "unknown-policy"}
    assert underlined(text, found["unusable-type"]) == (5, "shelf")
    assert message in found["unusable-type"].message
    assert found["unusable-type"].hint
    assert schema.defaults("shelf") == (OnUserChange.OVERWRITE, OnAdopt.APPLY)


@pytest.mark.parametrize(
    ("type_", "defaults"),
    [
        ("file", (OnUserChange.OVERWRITE, OnAdopt.APPLY)),
        ("permissions", (OnUserChange.OVERWRITE, OnAdopt.APPLY)),
        ("collection-id", (OnUserChange.OVERWRITE, OnAdopt.APPLY)),
        ("flatpak-remote", (OnUserChange.OVERWRITE, OnAdopt.SETTLE)),
        ("flatpak-app", (OnUserChange.KEEP, OnAdopt.SETTLE)),
        ("nothing-known", (OnUserChange.OVERWRITE, OnAdopt.APPLY)),
    ],
)
def test_defaults_of_type(type_: str, defaults: tuple[OnUserChange, OnAdopt]) -> None:
    assert schema.defaults(type_) == defaults


def test_loading_unknown_type_is_error() -> None:
    with pytest.raises(ConvergeError, match="there is no resource type 'permisions'") as raised:
        schema.load("permisions")
    assert raised.value.hint == "did you mean 'permissions'?"


def test_manifest_schema_contains_every_type() -> None:
    manifest = schema.read("manifest.json")["definitions"]["resource"]
    types = sorted(schema.types())
    assert list(schema.types()) == types
    assert manifest["properties"]["type"]["enum"] == types
    assert [part["if"]["properties"]["type"]["const"] for part in manifest["allOf"]] == types


@pytest.mark.parametrize("type_", schema.types())
def test_schema_and_provider_agree(type_: str) -> None:
    provider: Any = providers.load(type_)
    parts = schema.load(type_)["definitions"]
    assert set(parts["with"]["properties"]) == set(field_names(provider.spec_type))
    assert set(parts["state"]["properties"]) == set(field_names(provider.state_type))


def properties(part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema, at any depth, with its name."""
    if not isinstance(part, dict):
        return
    described = part.get("properties", {})
    yield from ((name, value) for name, value in described.items() if "description" in value or "type" in value)
    for keyword in ("properties", "definitions"):
        for value in part.get(keyword, {}).values():
            yield from properties(value)


@pytest.mark.parametrize("path", sorted(SCHEMAS.rglob("*.json")), ids=lambda path: path.stem)
def test_schema_describes_itself(path: Path) -> None:
    from jsonschema import Draft7Validator

    text = json.loads(path.read_text())
    Draft7Validator.check_schema(text)
    assert text["$id"] == path.name
    for name, part in properties(text):
        assert part.get("description", "").endswith("."), name
        assert part.get("examples"), name
        assert "x-expected" in part or part.get("pattern") in (None, r"\{\{"), name
        if "$ref" in json.dumps(part):
            continue  # the parts that it refers to are checked separately
        for example in [*part["examples"], *([part["default"]] if "default" in part else [])]:
            assert Draft7Validator(part).is_valid(example), (name, example)
