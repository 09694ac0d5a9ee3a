"""Expressions are checked in their places, against the type that the place takes."""

import pytest

from converge.render import diagnostics as text
from converge.render.base import Sources, plain
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
def test_wrong_expression_is_underlined(desk: Desk, keys: str, code: str | None, underlined: str | None) -> None:
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
def test_correct_expression_accepted(desk: Desk, type_: str, keys: str) -> None:
    desk.put("base", manifest(keys, type_))
    desk.validate()
    assert desk.report.errors == ()


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("priority", "{{ branch }}"), ("enumerate", "{{ count }}"), ("priority", "1{{ count }}"), ("title", "{{ apps }}")],
)
def test_expression_of_another_type_refused(desk: Desk, parameter: str, value: str) -> None:
    keys = f"with: {{name: a, url: 'https://a.example.org/', {parameter}: '{value}'}}"
    desk.put("base", manifest(keys, "flatpak-remote"))
    desk.validate()
    assert desk.found()[0] == ("wrong-type", value)


@pytest.mark.parametrize(
    ("size", "found"),
    [
        ("4GiB", []),
        ("'4 GiB'", []),
        ("4294967296", []),
        ("'{{ room }}'", []),
        ("'{{ [memory.total // 2, 4 * GiB] | min }}'", []),
        ("'{{ branch }}'", ["wrong-type"]),
        ("'{{ count > 1 }}'", ["wrong-type"]),
        ("'{{ count }}GiB'", ["wrong-type"]),
        ("4GB", ["bad-value"]),
        ("'4.5GiB'", ["bad-value"]),
        ("0", ["bad-value"]),
        ("-1", ["bad-value"]),
        ("true", ["wrong-type"]),
    ],
)
def test_parameter_that_is_a_size(desk: Desk, size: str, found: list[str]) -> None:
    desk.put("base", manifest(f"with: {{path: /swapfile, size: {size}}}", "swap"))
    desk.validate()
    assert [error.code for error in desk.report.errors] == found
    assert all("size" in f"{error.message} {error.hint}" for error in desk.report.errors), desk.report.errors


def test_override_of_element_is_checked(desk: Desk) -> None:
    desk.put("base", "resources: {f: {type: file, apply: once, for_each: [a, b], with: {path: '/{{ item }}'}}}")
    desk.put("school", "extends: [base]\noverride: {'f[a]': {with: {owner: '{{ itm }}'}}}")
    desk.validate()
    assert [text for _, text in desk.found()] == ["itm"]


def test_parameter_with_name_of_fact_refused(desk: Desk) -> None:
    desk.put("base", manifest("with: {path: '/{{ machine.arch }}'}", parameters="parameters: {machine: {type: text}}"))
    desk.validate()
    assert ("reserved-name", "machine") in desk.found()


def test_unused_parameter_warned(desk: Desk) -> None:
    desk.put("base", "parameters: {used: {type: text}, idle: {type: text}}")
    desk.put(
        "school",
        "extends: [base]\nresources: {f: {type: file, apply: once, with: {path: /f, content: '{{ used }}'}}}",
    )
    desk.validate()
    assert desk.found() == [("unused-parameter", "idle")]


SECRETS = """
parameters:
  psk: {type: secret}
  name: {type: text, default: Wifi}
"""
WIFI = "name: W, type: wifi, ssid: W, security: wpa2-psk"


def wifi(with_: str, keys: str = "") -> str:
    resource = f"  thing: {{type: network-connection, apply: once, {keys} with: {{{WIFI}, {with_}}}}}"
    return f"{SECRETS.strip()}\nresources:\n{resource}\n"


@pytest.mark.parametrize(
    ("with_", "keys"),
    [
        ("psk: '{{ psk }}'", ""),
        ("psk: '{{psk}}'", "when: machine.live,"),
        ("psk: '{{ psk }}', groups: {vpn-secrets: {password: '{{ psk }}', other: written}}", ""),
        ("psk: '{{ psk }}', interface: '{{ item }}'", "for_each: [a, b],"),
    ],
)
def test_secret_in_its_place_accepted(desk: Desk, with_: str, keys: str) -> None:
    desk.put("base", wifi(with_, keys))
    desk.validate()
    assert desk.report.errors == ()


@pytest.mark.parametrize(
    ("with_", "keys", "underlined"),
    [
        ("identity: '{{ psk }}'", "", "{{ psk }}"),
        ("psk: '{{ psk }}x'", "", "psk"),
        ("psk: '{{ psk | upper }}'", "", "psk"),
        ("psk: '{{ psk ~ name }}'", "", "psk"),
        ("psk: '{{ psk if machine.live else psk }}'", "", "psk"),
        ("ipv4: {search: ['{{ psk }}']}", "", "{{ psk }}"),
        ("ipv4: {gateway: '{{ psk }}'}", "", "{{ psk }}"),
        ("psk: '{{ psk }}'", "when: psk == 'a',", "psk"),
        ("psk: '{{ psk }}'", "when: psk,", "psk"),
        ("psk: '{{ psk }}', interface: '{{ item }}'", "for_each: ['{{ psk }}'],", "{{ psk }}"),
        ("psk: '{{ psk }}', interface: '{{ item.value }}'", "for_each: {a: '{{ psk }}'},", "{{ psk }}"),
        ("psk: '{{ psk }}', interface: '{{ item }}'", "for_each: '{{ [psk] }}',", "psk"),
    ],
)
def test_secret_in_wrong_place_refused(desk: Desk, with_: str, keys: str, underlined: str) -> None:
    desk.put("base", wifi(with_, keys))
    desk.validate()
    assert ("secret-in-the-open", underlined) in desk.found()
    assert {code for code, _ in desk.found()} <= {
        "secret-in-the-open",
        "unused-parameter",
        "wrong-arguments",
        "wrong-type",
    }


def test_text_in_place_of_secret_refused(desk: Desk) -> None:
    desk.put("base", wifi("psk: '{{ name }}'"))
    desk.validate()
    assert desk.found() == [("wrong-type", "{{ name }}")]


WRITTEN_OUT = [
    ("psk: hunter2-hunter2", "written-out-secret"),
    ("psk: 12345678", "written-out-secret"),
    ("psk: 1234.5678", "written-out-secret"),
    ("psk: [hunter2-hunter2]", "written-out-secret"),
    ("psk: {a: hunter2-hunter2}", "written-out-secret"),
    ("psk: 'hunter2-hunter2{{ name }}'", "wrong-type"),
    ("pks: hunter2-hunter2", "unknown-parameter"),
    ("pks: 12345678, ssidd: x", "unknown-parameter"),
    ("groups: {vpn-secrets: {password: [hunter2-hunter2]}}", "wrong-type"),
    ("groups: {vpn-secrets: {password: 1234.5678}}", "wrong-type"),
]


@pytest.mark.parametrize(("with_", "code"), WRITTEN_OUT)
def test_written_out_secret_refused_and_not_repeated(desk: Desk, with_: str, code: str) -> None:
    desk.put("base", wifi(with_))
    desk.validate()
    assert code in [found.code for found in desk.report.errors]
    shown = [plain(line) for line in text.diagnostics(desk.report, Sources(desk.report.hidden))]
    reported = "".join((*shown, *map(repr, desk.report)))
    assert "hunter2" not in reported
    assert "1234" not in reported
    assert any("•" in line for line in shown)


def test_written_out_secret_in_override_not_repeated(desk: Desk) -> None:
    desk.put("base", wifi("psk: '{{ psk }}'"))
    desk.put(
        "school", "extends: [base]\noverride:\n  thing:\n    with:\n      psk: |\n        hunter2\n        hunter2\n"
    )
    desk.validate()
    assert [code for code, _ in desk.found()] == ["written-out-secret"]
    shown = [plain(line) for line in text.diagnostics(desk.report, Sources(desk.report.hidden))]
    assert "hunter2" not in "".join(shown)
