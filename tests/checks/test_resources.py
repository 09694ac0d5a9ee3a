"""Values that are known without a machine are checked by providers, against files and against other resources."""

import pytest

from tests.manifests import Desk


def test_missing_file_reported(desk: Desk) -> None:
    desk.put(
        "base",
        """
        parameters: {look: {type: text, default: dark}}
        resources:
          a: {type: file, apply: once, with: {path: /a, source: files/a.txt}}
          b: {type: file, apply: once, with: {path: /b, source: "files/{{ look }}.txt"}}
          c: {type: file, apply: once, with: {path: /c, source: /usr/share/on-the-machine}}
          d: {type: file, apply: once, with: {path: /d, source: here.txt}}
        """,
    )
    (desk.folder / "here.txt").write_text("here")
    desk.validate()
    assert desk.found()[:2] == [("missing-file", "files/a.txt"), ("missing-file", "files/{{ look }}.txt")]
    assert {code for code, _ in desk.found()} == {"missing-file"}


def test_overridden_file_is_beside_overriding_manifest(desk: Desk) -> None:
    desk.put("base", "resources: {a: {type: file, apply: once, with: {path: /a, content: a}}}")
    (desk.folder / "other").mkdir()
    (desk.folder / "other" / "school.txt").write_text("school")
    (desk.folder / "other" / "school.yaml").write_text(
        "converge: 1\nproduct: school\nextends: [base]\noverride: {a: {with: {content: null, source: school.txt}}}\n"
    )
    desk.validate([str(desk.folder / "base.yaml")])
    assert desk.found() == []


CONFLICTS = [
    ("apply: always", "apply: always", True),
    ("apply: always", "apply: once", False),
    ("apply: always", "apply: always, when: machine.live", False),
    ("apply: always", "apply: always, only_if: {mode: '0600'}", False),
    ("apply: always, events: [install]", "apply: always, events: [upgrade]", False),
    ("apply: always, events: [install]", "apply: always, events: [install, upgrade]", True),
]


@pytest.mark.parametrize(("one", "other", "conflict"), CONFLICTS)
def test_conflict_of_resources_that_always_apply(desk: Desk, one: str, other: str, conflict: bool) -> None:
    desk.put(
        "base",
        f"""
        resources:
          one: {{type: file, {one}, with: {{path: /a, content: x, mode: "0644"}}}}
          other: {{type: permissions, {other}, with: {{path: /b, mode: "0600"}}}}
          third: {{type: file, {other}, with: {{path: /a, content: x, mode: "0600"}}}}
        """,
    )
    desk.validate()
    assert desk.found() == ([("claim-conflict", "0600")] if conflict else [])


def test_same_value_set_twice_is_not_a_conflict(desk: Desk) -> None:
    desk.put(
        "base",
        """
        resources:
          one: {type: file, apply: always, with: {path: /a, mode: "0600"}}
          other: {type: file, apply: always, with: {path: /a, mode: "0600"}}
        """,
    )
    desk.validate()
    assert desk.found() == []


@pytest.mark.parametrize(("other", "found"), [("b: y", []), ("a: x", []), ("a: y", [("claim-conflict", "{a: y}")])])
def test_parts_of_a_map_conflict_separately(desk: Desk, other: str, found: list[tuple[str, str]]) -> None:
    desk.put(
        "base",
        f"""
        resources:
          one: {{type: systemd-unit, apply: always, with: {{name: a.service, drop_ins: {{a: x}}}}}}
          other: {{type: systemd-unit, apply: always, with: {{name: a.service, drop_ins: {{{other}}}}}}}
        """,
    )
    desk.validate()
    assert desk.found() == found


@pytest.mark.parametrize(
    ("other", "conflict"),
    [
        ("append: [console=tty1, quiet]", False),
        ("delete: [console=tty1]", False),
        ("delete: [console=tty0]", True),
        ("delete: [console]", True),
        ("replace: {console: tty1}", True),
        ("delete: [quiet]", False),
    ],
)
def test_appended_argument_deleted_by_another_is_conflict(desk: Desk, other: str, conflict: bool) -> None:
    desk.put(
        "base",
        f"""
        resources:
          one: {{type: kernel-args, apply: always, with: {{append: [console=tty0, debug]}}}}
          other: {{type: kernel-args, apply: always, with: {{{other}}}}}
        """,
    )
    desk.validate()
    assert [code for code, _ in desk.found()] == (["claim-conflict"] if conflict else [])


def test_parameters_refused_by_provider_reported(desk: Desk) -> None:
    desk.put(
        "base",
        """
        resources:
          r:
            type: flatpak-remote
            apply: once
            with: {name: r, url: "https://r.example.org/", verify: false, collection_id: org.r.R}
        """,
    )
    desk.validate()
    assert [code for code, _ in desk.found()] == ["bad-parameters"]


@pytest.mark.parametrize(
    ("keys", "codes"),
    [
        ("", ["kept-absence"]),
        ("on_user_change: keep,", []),
        ("on_user_change: overwrite,", []),
    ],
)
def test_absence_with_default_keep_warned(desk: Desk, keys: str, codes: list[str]) -> None:
    desk.put(
        "base", f"resources: {{a: {{type: flatpak-app, apply: once, {keys} with: {{ensure: absent, app: org.a.A}}}}}}"
    )
    desk.validate()
    assert [code for code, _ in desk.found()] == codes
    assert desk.report.errors == ()


def test_parameter_without_value_is_accepted(desk: Desk) -> None:
    desk.put(
        "base",
        """
        parameters: {room: {type: text}, psk: {type: secret}}
        resources:
          a: {type: file, apply: always, with: {path: "/{{ room | lower }}", content: "{{ room }}"}}
          b:
            type: network-connection
            apply: always
            with: {name: B, type: wifi, ssid: B, security: wpa2-psk, psk: "{{ psk }}"}
        """,
    )
    desk.validate()
    assert desk.found() == []


def test_resource_with_secret_checked_by_provider(desk: Desk) -> None:
    desk.put(
        "base",
        """
        parameters: {psk: {type: secret}}
        resources:
          a: {type: network-connection, apply: always, with: {name: A, type: ethernet, psk: "{{ psk }}"}}
        """,
    )
    desk.validate()
    assert [code for code, _ in desk.found()] == ["bad-parameters"]
