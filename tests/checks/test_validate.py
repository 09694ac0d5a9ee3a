"""One run says everything about all manifests, and nothing twice."""

from pathlib import Path

import pytest

from converge.checks import validate
from converge.diagnostics import Report
from tests.manifests import Desk

PRODUCTS = Path(__file__).parent.parent.parent / "products"


def test_the_products_that_we_ship_are_without_fault() -> None:
    report = Report()
    products = validate([str(PRODUCTS)], [], report)
    assert list(report) == []
    assert {product.name for product in products} >= {"base", "desktop", "school"}


def test_the_products_that_we_ship_show_every_type() -> None:
    (school,) = validate([str(PRODUCTS / "school.yaml")], [], Report())
    types = {resource.type for resource in school.resources.values()}
    assert types >= {"collection-id", "file", "flatpak-app", "flatpak-remote", "permissions"}
    assert "games" not in school.resources
    assert school.resources["wallpaper"].mark_of("with", "source").filename.endswith("school.yaml")


def test_a_fault_of_a_shared_parent_is_reported_once(desk: Desk) -> None:
    desk.put("base", "resources: {f: {type: file, apply: once, needs: [g], with: {path: '/{{ nme }}'}}}")
    desk.put("left", "extends: [base]")
    desk.put("right", "extends: [base, left]")
    desk.validate()
    assert len(desk.report.errors) == 2


def test_a_product_whose_name_does_not_find_its_file(desk: Desk) -> None:
    desk.put("school", "")
    (desk.folder / "school.yaml").rename(desk.folder / "schule.yaml")
    desk.validate()
    assert desk.found() == [("misnamed-product", "school")]


def test_a_folder_named_in_two_ways_is_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put("base", "resources: {f: {type: file, apply: once, with: {path: '/{{ nme }}'}}}")
    desk.put("school", "extends: [base]")
    monkeypatch.chdir(desk.folder)
    desk.validate([".", "school.yaml", "./school.yaml"])
    assert [str(error.mark) for error in desk.report.errors] == ["base.yaml:3:60"]


def test_a_run_reports_every_kind_of_typing_error(desk: Desk) -> None:
    desk.put("base", "resources: {motd: {type: file, apply: once, with: {path: /etc/motd}}}")
    desk.put(
        "school",
        """
        extends: [bsae]
        resources:
          a: {type: file, aply: once, apply: once, with: {path: /a}}
          b: {type: fiel, apply: once, with: {path: /b}}
          c: {type: file, apply: once, with: {path: /c, contnt: c}}
          d: {type: file, apply: once, when: machin.live, with: {path: /d}}
          e: {type: file, apply: once, needs: [aa], with: {path: /e}}
          f: {type: file, apply: onec, with: {path: /f}}
          g: {type: file, apply: once, with: {path: /g, mode: 0644}}
          h: {type: flatpak-app, apply: once, with: {remote: r, app: org.a.A, branch: 3.20}}
          i:
            type: file
            apply: once
            with: {path: /i, content: {{ os.version }}}
          j: {type: file, apply: once, with: {path: /j}, apply: always}
        """,
    )
    desk.validate()
    assert {found.mark.line for found in desk.report.errors if found.mark} == {3, 5, 6, 7, 8, 9, 10, 11, 12, 16, 17}
    assert all(found.hint and found.mark for found in desk.report.errors)


def test_a_folder_stands_for_its_manifests_alone(desk: Desk) -> None:
    desk.put("base", "")
    (desk.folder / "files").mkdir()
    (desk.folder / "files" / "data.yaml").write_text("no: manifest")
    assert [product.name for product in desk.validate()] == ["base"]
    assert desk.found() == []


def test_an_empty_folder_and_a_path_that_does_not_exist(desk: Desk) -> None:
    desk.validate([str(desk.folder), str(desk.folder / "no.yaml")])
    assert [code for code, _ in desk.found()] == ["unreadable", "unreadable"]


def test_a_site_file_is_held_against_its_own_schema(desk: Desk) -> None:
    (desk.folder / "site.yaml").write_text("product: school\nresources: {}\n")
    assert desk.validate() == []
    assert desk.found() == [("unknown-key", "resources")]


def test_a_product_may_be_called_site(desk: Desk) -> None:
    desk.put("base", "parameters: {psk: {type: secret}}")
    desk.put("site", "extends: [base]\nparameters: {room: {type: text, default: R1}}\ntittle: x")
    assert [product.name for product in desk.validate()] == ["base", "site"]
    assert desk.found() == [("unknown-key", "tittle")]


def test_a_site_file_that_only_looks_like_a_manifest_is_none(desk: Desk) -> None:
    (desk.folder / "site.yaml").write_text("converge: 1\nproduct: site\nparameters: {psk: hunter2}\n")
    assert desk.validate() == []
    assert desk.found() == [("unknown-key", "converge")]
    assert "hunter2" not in repr(list(desk.report))
