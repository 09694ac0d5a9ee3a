"""Expressions are checked where they stand, and against what their place takes."""

import pytest

from tests.manifests import Desk

PARAMETERS = """
parameters:
  room: {type: size, default: 8GiB}
  branch: {type: text, default: stable}
  count: {type: integer, default: 2}
  apps: {type: list, default: [org.a.A.B]}
"""


def manifest(keys: str, type_: str = "file", parameters: str = PARAMETERS) -> str:
    return f"{parameters.strip()}\nresources:\n  thing: {{type: {type_}, apply: once, {keys}}}\n"


@pytest.mark.parametrize(
    ("keys", "code", "underlined"),
    [
        ("when: machine.liv, with: {path: /x}", None, "machine.liv"),
        ("when: room, with: {path: /x}", "wrong-type", "room"),
        ("when: room > 'big', with: {path: /x}", None, None),
        ("when: room / 2 > 1, with: {path: /x}", None, None),
        ("when: 'machine.live and', with: {path: /x}", None, None),
        ("with: {path: '/a/{{ brnch }}'}", None, "brnch"),
        ("with: {path: '/a/{{ branch'}", None, "{{"),
        ("with: {path: '{{ count }}'}", "wrong-type", "{{ count }}"),
        ("for_each: branch, with: {path: '/{{ item }}'}", "wrong-type", "branch"),
        ("for_each: '{{ branch }}', with: {path: '/{{ item }}'}", "wrong-type", "{{ branch }}"),
        ("for_each: {a: b}, with: {path: '/{{ item.name }}'}", None, None),
        ("with: {path: '/{{ item }}'}", None, "item"),
        ("only_if: {owner: '{{ branch }}'}, with: {path: /x}", "not-allowed", "{{ branch }}"),
    ],
)
def test_a_wrong_expression_is_underlined(desk: Desk, keys: str, code: str | None, underlined: str | None) -> None:
    desk.put("base", manifest(keys))
    desk.validate()
    (finding,) = desk.report.errors
    found = dict(desk.found())
    assert code in (None, finding.code)
    assert underlined in (None, found[finding.code])
    assert finding.mark is not None
    assert finding.mark.line == 9


@pytest.mark.parametrize(
    ("type_", "keys"),
    [
        ("file", "when: room > 4 * GiB and installed.version < '3.8', with: {path: '/{{ branch }}/{{ count }}'}"),
        ("file", "for_each: '{{ apps }}', with: {path: '/{{ item }}'}"),
        ("file", "for_each: {a: '1', b: '2'}, with: {path: '/{{ item.key }}', content: '{{ item.value }}'}"),
        ("file", "when: true, with: {path: /a, content: '{{ os.version }}'}"),
        ("flatpak-remote", "with: {name: a, url: 'https://a.example.org/', priority: '{{ count }}'}"),
        ("flatpak-remote", "with: {name: a, url: 'https://a.example.org/', enumerate: '{{ count > 1 }}'}"),
        ("permissions", "with: {path: /a, mode: '0700', exclude: '{{ apps }}'}"),
    ],
)
def test_a_good_expression_is_fine(desk: Desk, type_: str, keys: str) -> None:
    desk.put("base", manifest(keys, type_))
    desk.validate()
    assert desk.report.errors == ()


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("priority", "{{ branch }}"), ("enumerate", "{{ count }}"), ("priority", "1{{ count }}"), ("title", "{{ apps }}")],
)
def test_the_type_of_a_value_must_be_that_of_its_parameter(desk: Desk, parameter: str, value: str) -> None:
    keys = f"with: {{name: a, url: 'https://a.example.org/', {parameter}: '{value}'}}"
    desk.put("base", manifest(keys, "flatpak-remote"))
    desk.validate()
    assert desk.found()[0] == ("wrong-type", value)


def test_the_override_of_an_element_is_checked_too(desk: Desk) -> None:
    desk.put("base", "resources: {f: {type: file, apply: once, for_each: [a, b], with: {path: '/{{ item }}'}}}")
    desk.put("school", "extends: [base]\noverride: {'f[a]': {with: {owner: '{{ itm }}'}}}")
    desk.validate()
    assert [text for _, text in desk.found()] == ["itm"]


def test_a_parameter_may_not_take_the_name_of_a_fact(desk: Desk) -> None:
    desk.put("base", manifest("with: {path: '/{{ machine.arch }}'}", parameters="parameters: {machine: {type: text}}"))
    desk.validate()
    assert ("reserved-name", "machine") in desk.found()


def test_a_parameter_that_nothing_uses(desk: Desk) -> None:
    desk.put("base", "parameters: {used: {type: text}, idle: {type: text}}")
    desk.put(
        "school",
        "extends: [base]\nresources: {f: {type: file, apply: once, with: {path: /f, content: '{{ used }}'}}}",
    )
    desk.validate()
    assert desk.found() == [("unused-parameter", "idle")]
