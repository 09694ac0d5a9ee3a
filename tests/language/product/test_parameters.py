"""Parameters: their types, their defaults, and the ways to set them."""

import pytest

from converge.model import Secret, Value
from converge.render import diagnostics as text
from converge.render.base import Sources, plain
from tests.manifests import Shelf, place

GIB = 1 << 30


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        ("size", "8GiB", 8 * GIB),
        ("size", "8 GiB", 8 * GIB),
        ("size", "512", 512),
        ("text", "https://x.example.org/", "https://x.example.org/"),
        ("boolean", "true", True),
        ("integer", "-3", -3),
        ("version", "3.8", "3.8"),
        ("list", "a, b", ("a", "b")),
        ("list", "", ()),
    ],
)
def test_setting_read_as_parameter_type(shelf: Shelf, type_: str, written: str, value: Value) -> None:
    default = {"size": "1GiB", "boolean": "false", "integer": "1", "list": "[]"}.get(type_, "'1'")
    shelf.put("base", f"parameters: {{p: {{type: {type_}, default: {default}, description: P.}}}}")
    assert shelf.product("base", {"p": written}).parameters["p"].value == value


@pytest.mark.parametrize(
    ("type_", "written"),
    [("size", "8GB"), ("size", "-1"), ("size", "1.5GiB"), ("boolean", "yes"), ("integer", "1.0"), ("text", "{{ x }}")],
)
def test_setting_of_another_type_refused(shelf: Shelf, type_: str, written: str) -> None:
    default = {"size": "1GiB", "boolean": "false", "integer": "1"}.get(type_, "'1'")
    shelf.put("base", f"parameters: {{p: {{type: {type_}, default: {default}, description: P.}}}}")
    shelf.load("base", {"p": written})
    assert shelf.findings() == [("wrong-type", "")]


def test_default_of_another_type_refused(shelf: Shelf) -> None:
    shelf.put("base", "parameters:\n  p: {type: size, default: 8GB, description: P.}")
    shelf.load("base")
    assert shelf.findings() == [("wrong-type", "base.yaml:5")]


def test_child_changes_default(shelf: Shelf) -> None:
    shelf.put("base", "parameters: {p: {type: size, default: 8GiB, description: P.}}")
    shelf.put("school", "extends: [base]\nparameters: {p: {type: size, default: 4GiB, description: P.}}")
    parameter = shelf.product("school").parameters["p"]
    assert parameter.value == 4 * GIB
    assert parameter.mark.filename.endswith("school.yaml")


def test_child_changing_type_refused(shelf: Shelf) -> None:
    shelf.put("base", "parameters: {p: {type: size, default: 8GiB, description: P.}}")
    shelf.put("school", "extends: [base]\nparameters: {p: {type: text, default: a, description: P.}}")
    shelf.load("school")
    assert shelf.findings() == [("type-changed", "school.yaml:5")]
    assert shelf.related() == ["base.yaml:4"]


def test_parameter_declared_in_unrelated_manifests_refused(shelf: Shelf) -> None:
    for name in ("a", "b"):
        shelf.put(name, "parameters: {p: {type: text, default: x, description: P.}}")
    shelf.put("c", "extends: [a, b]")
    shelf.load("c")
    assert shelf.findings() == [("duplicate-parameter", "b.yaml:4")]
    assert shelf.related() == ["a.yaml:4"]


def test_set_overrides_site_and_site_overrides_default(shelf: Shelf) -> None:
    shelf.put(
        "base",
        """
        parameters:
          p: {type: size, default: 1GiB, description: P.}
          q: {type: size, default: 1GiB, description: Q.}
        """,
    )
    shelf.put_site("parameters: {p: 2GiB, q: 2GiB}")
    parameters = shelf.product("base", {"q": "3GiB"}).parameters
    assert (parameters["p"].value, parameters["q"].value) == (2 * GIB, 3 * GIB)
    assert parameters["p"].mark.filename.endswith("site.yaml")


def test_setting_of_unknown_parameter_refused(shelf: Shelf) -> None:
    shelf.put("base", "parameters: {url: {type: text, default: x, description: P.}}")
    shelf.put_site("parameters: {ulr: x}")
    shelf.load("base", {"uri": "x"})
    assert shelf.findings() == [("unknown-parameter-setting", "site.yaml:1"), ("unknown-parameter-setting", "")]
    assert [error.hint for error in shelf.report.errors] == ["did you mean 'url'?"] * 2


SECRET = "parameters: {psk: {type: secret}}"


def test_secret_set_by_site_or_command_line(shelf: Shelf) -> None:
    shelf.put("base", SECRET)
    shelf.put_site("parameters: {psk: hunter2}")
    assert shelf.product("base").parameters["psk"].value == Secret("hunter2")
    product = shelf.product("base", {"psk": "{{ 1234 }}"})
    assert product.parameters["psk"].value == Secret("{{ 1234 }}")  # the value of a secret is never an expression
    assert "1234" not in repr(product)


@pytest.mark.parametrize("written", ["12345678", "1234.5678", "true", "[hunter2]", "''", "null"])
def test_secret_that_is_not_text_refused(shelf: Shelf, written: str) -> None:
    shelf.put("base", SECRET)
    shelf.put_site(f"parameters: {{psk: {written}}}")
    assert shelf.load("base") is None
    assert {code for code, _ in shelf.findings()} == {"wrong-type"}
    reported = "".join(f"{error.message} {error.hint}" for error in shelf.report.errors)
    assert "1234" not in reported
    assert "hunter2" not in reported


def test_secret_without_value_is_missing(shelf: Shelf) -> None:
    shelf.put("base", SECRET)
    assert shelf.load("base", {"psk": ""}) is None
    assert shelf.load("base") is None
    assert [code for code, _ in shelf.findings()] == ["wrong-type", "missing-value"]


@pytest.mark.parametrize("written", ["hunter2", "12345678", "1234.5678", "[hunter2]", "{a: hunter2}"])
def test_secret_with_default_refused(shelf: Shelf, written: str) -> None:
    shelf.put("base", f"parameters:\n  psk: {{type: secret, default: {written}}}")
    shelf.load("base")
    (found,) = shelf.report.errors
    assert (found.code, place(found.mark)) == ("written-out-secret", "base.yaml:5")
    lines = "".join(map(plain, text.diagnostics([found], Sources(shelf.report.hidden))))
    assert "psk: {type: secret, default: •" in lines
    assert "hunter2" not in lines
    assert "1234" not in lines


def test_child_changing_text_to_secret_refused(shelf: Shelf) -> None:
    shelf.put("base", "parameters: {psk: {type: text, default: hunter2}}")
    shelf.put("school", "extends: [base]\nparameters: {psk: {type: secret}}")
    shelf.load("school")
    assert [code for code, _ in shelf.findings()] == ["type-changed"]
