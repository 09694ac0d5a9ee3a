"""What providers, files and other resources have to say of values that are known without a machine."""

import pytest

from tests.manifests import Desk


def test_a_file_that_is_not_there(desk: Desk) -> None:
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


def test_an_overridden_file_stands_beside_the_manifest_that_names_it(desk: Desk) -> None:
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
def test_two_that_always_apply_may_not_want_different_values(desk: Desk, one: str, other: str, conflict: bool) -> None:
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


def test_the_same_value_wanted_twice_is_no_conflict(desk: Desk) -> None:
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
def test_of_a_map_each_part_is_wanted_by_itself(desk: Desk, other: str, found: list[tuple[str, str]]) -> None:
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
def test_what_one_appends_another_may_not_delete(desk: Desk, other: str, conflict: bool) -> None:
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


def test_parameters_that_the_provider_refuses(desk: Desk) -> None:
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
def test_an_absence_that_keep_would_never_bring_about(desk: Desk, keys: str, codes: list[str]) -> None:
    desk.put(
        "base", f"resources: {{a: {{type: flatpak-app, apply: once, {keys} with: {{ensure: absent, app: org.a.A}}}}}}"
    )
    desk.validate()
    assert [code for code, _ in desk.found()] == codes
    assert desk.report.errors == ()


def test_what_a_site_has_still_to_say_is_no_fault(desk: Desk) -> None:
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


def test_a_resource_with_a_secret_is_still_shown_to_its_provider(desk: Desk) -> None:
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
