"""Manifests drop, override and declare resources, and every value keeps its place."""

import pytest

from converge.diagnostics import Severity
from converge.model import OnAdopt, OnUserChange, Policy, WhenFalse
from tests.manifests import Shelf

BASE = """
    resources:
      motd:
        type: file
        apply: once
        with: {path: /etc/motd, content: hello, mode: "0644"}
      apps:
        type: flatpak-app
        apply: once
        for_each: [org.a.A, org.b.B]
        with: {remote: flathub, app: "{{ item }}", branch: stable}
"""


def test_child_has_resources_of_parents_in_order(shelf: Shelf) -> None:
    shelf.put("base", BASE)
    shelf.put("mixin", "resources: {tmp: {type: file, apply: always, with: {path: /tmp/x, content: x}}}")
    shelf.put("desktop", "extends: [base, mixin]")
    assert list(shelf.product("desktop").resources) == ["motd", "apps", "tmp"]


def test_manifest_reached_twice_is_applied_once(shelf: Shelf) -> None:
    shelf.put("base", BASE)
    shelf.put("left", "extends: [base]\noverride: {motd: {with: {content: left}}}")
    shelf.put("right", "extends: [base]\noverride: {motd: {with: {content: right}}}")
    shelf.put("both", "extends: [left, right]")
    product = shelf.product("both")
    assert product.resources["motd"].with_["content"] == "right"
    assert [path.rpartition("/")[2] for path in product.files] == ["base.yaml", "left.yaml", "right.yaml", "both.yaml"]


def test_override_merges_replaces_and_deletes(shelf: Shelf) -> None:
    shelf.put("base", BASE)
    shelf.put("desktop", "extends: [base]\noverride: {motd: {apply: always, with: {content: new, mode: null}}}")
    motd = shelf.product("desktop").resources["motd"]
    assert motd.apply is Policy.ALWAYS
    assert motd.with_ == {"path": "/etc/motd", "content": "new"}


def test_override_null_in_only_if_means_unset(shelf: Shelf) -> None:
    shelf.put("base", "resources: {f: {type: file, apply: always, only_if: {mode: '0600'}, with: {path: /f}}}")
    shelf.put("desktop", "extends: [base]\noverride: {f: {only_if: {owner: null}}}")
    assert shelf.product("desktop").resources["f"].only_if == ({"owner": None},)


def test_values_keep_their_places(shelf: Shelf) -> None:
    shelf.put("base", BASE)
    shelf.put("desktop", "extends: [base]\noverride:\n  motd:\n    with:\n      content: new\n      owner: root")
    motd = shelf.product("desktop").resources["motd"]
    where = {name: motd.mark_of("with", name) for name in ("path", "content", "mode", "owner")}
    places = {name: f"{mark.filename.rpartition('/')[2]}:{mark.line}" for name, mark in where.items()}
    assert places == {
        "path": "base.yaml:8",
        "mode": "base.yaml:8",
        "content": "desktop.yaml:8",
        "owner": "desktop.yaml:9",
    }
    assert motd.mark.line == 5


def test_element_overridden_and_another_dropped(shelf: Shelf) -> None:
    shelf.put("base", BASE)
    shelf.put(
        "desktop",
        """
        extends: [base]
        without: ["apps[org.b.B]"]
        override: {"apps[org.a.A]": {with: {branch: beta}}}
        """,
    )
    shelf.put("school", "extends: [desktop]\noverride: {apps: {with: {remote: school}}}")
    product = shelf.product("school")
    assert product.dropped == {"apps[org.b.B]"}
    assert product.resources["apps"].with_["branch"] == "stable"
    element = product.overridden["apps"]["org.a.A"]
    assert (element.id, element.with_["branch"], element.with_["remote"]) == ("apps", "beta", "school")
    assert element.mark_of("with", "branch").filename.endswith("desktop.yaml")


def test_dropped_id_declared_with_another_type(shelf: Shelf) -> None:
    shelf.put("base", BASE)
    shelf.put(
        "desktop",
        """
        extends: [base]
        without: [motd]
        resources: {motd: {type: permissions, apply: once, with: {path: /etc/motd, mode: "0600"}}}
        """,
    )
    assert shelf.product("desktop").resources["motd"].type == "permissions"


@pytest.mark.parametrize(
    ("body", "finding", "related"),
    [
        ("without: [moth]", ("unknown-id", "desktop.yaml:5"), []),
        ("without: ['motd[x]']", ("unknown-id", "desktop.yaml:5"), []),
        ("without: ['apps[org.c.C]']", ("unknown-id", "desktop.yaml:5"), []),
        ("override: {moth: {why: x}}", ("override-of-nothing", "desktop.yaml:5"), []),
        ("override: {'apps[org.c.C]': {why: x}}", ("override-of-nothing", "desktop.yaml:5"), []),
        ("without: [motd]\noverride: {motd: {why: x}}", ("override-of-nothing", "desktop.yaml:6"), ["desktop.yaml:5"]),
        ("override: {motd: {type: permissions}}", ("type-changed", "desktop.yaml:5"), ["base.yaml:5"]),
        ("override: {motd: {apply: null}}", ("missing-key", "base.yaml:5"), []),
        (
            "resources: {motd: {type: file, apply: once, with: {path: /x}}}",
            ("duplicate-id", "desktop.yaml:5"),
            ["base.yaml:5"],
        ),
    ],
)
def test_composition_errors_name_places(shelf: Shelf, body: str, finding: tuple[str, str], related: list[str]) -> None:
    shelf.put("base", BASE)
    shelf.put("desktop", "extends: [base]\n" + body)
    assert shelf.load("desktop") is None
    assert shelf.findings() == [finding]
    assert shelf.related() == related
    assert all(error.hint for error in shelf.report.errors)


def test_override_of_unrelated_parent_refused(shelf: Shelf) -> None:
    shelf.put("base", BASE)
    shelf.put("mixin", "override: {motd: {with: {content: x}}}")
    shelf.put("desktop", "extends: [base, mixin]")
    shelf.load("desktop")
    assert shelf.findings() == [("override-of-nothing", "mixin.yaml:4")]
    assert shelf.report.errors[0].hint == "name a resource that a manifest in `extends` declares"


def test_override_checked_against_schema(shelf: Shelf) -> None:
    shelf.put("base", BASE)
    shelf.put("desktop", "extends: [base]\noverride: {motd: {with: {path: null, contents: x}}}")
    shelf.load("desktop")
    assert {code for code, _ in shelf.findings()} == {"missing-parameter", "unknown-parameter"}


@pytest.mark.parametrize(
    ("keys", "finding"),
    [
        ("apply: always, revision: 2", "revision-without-once"),
        ("apply: install-only, revision: 2", "revision-without-once"),
        ("apply: always, when: machine.live, when_false: final", "final-with-always"),
        ("apply: once, for_each: [a, b, a]", "duplicate-element"),
    ],
)
def test_contradicting_keys_refused(shelf: Shelf, keys: str, finding: str) -> None:
    shelf.put("base", f"resources: {{f: {{type: file, {keys}, with: {{path: /f}}}}}}")
    shelf.load("base")
    assert shelf.findings() == [(finding, "base.yaml:4")]


def test_scope_user_refused(shelf: Shelf) -> None:
    shelf.put("base", "resources: {a: {type: flatpak-app, apply: once, with: {scope: user, remote: r, app: org.a.A}}}")
    shelf.load("base")
    assert ("reserved-scope", "base.yaml:4") in shelf.findings()


def test_scope_user_beside_with_refused(shelf: Shelf) -> None:
    shelf.put("base", "resources: {a: {type: file, apply: once, scope: user, with: {path: /x}}}")
    shelf.load("base")
    assert shelf.findings() == [("reserved-scope", "base.yaml:4")]


def test_type_defaults_come_from_schema(shelf: Shelf) -> None:
    shelf.put("base", BASE)
    resources = shelf.product("base").resources
    assert (resources["motd"].on_user_change, resources["motd"].on_adopt) == (OnUserChange.OVERWRITE, OnAdopt.APPLY)
    assert (resources["apps"].on_user_change, resources["apps"].on_adopt) == (OnUserChange.KEEP, OnAdopt.SETTLE)
    assert resources["motd"].when_false is WhenFalse.ASK_AGAIN


def test_site_applied_last_and_listed_in_product(shelf: Shelf) -> None:
    shelf.put("base", "    parameters: {who: {type: text, default: all, description: Who.}}" + BASE)
    shelf.put_site("parameters: {who: some}\nwithout: [apps]\noverride: {motd: {with: {content: site}}}")
    product = shelf.product("base")
    assert list(product.resources) == ["motd"]
    assert product.resources["motd"].with_["content"] == "site"
    assert product.from_site == ("value of parameter 'who'", "without 'apps'", "override of 'motd'")
    assert product.files[-1].endswith("site.yaml")


def test_correct_product_has_no_errors(shelf: Shelf) -> None:
    shelf.put("base", BASE)
    shelf.product("base")
    assert [found for found in shelf.report if found.severity is Severity.ERROR] == []


def test_with_as_one_expression_refused(shelf: Shelf) -> None:
    shelf.put("base", 'resources: {f: {type: file, apply: once, with: "{{ everything }}"}}')
    shelf.load("base")
    assert ("wrong-type", "base.yaml:4") in shelf.findings()
