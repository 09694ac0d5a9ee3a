"""One run reports all faults of all manifests, and none of them twice."""

from pathlib import Path

import pytest

from converge.checks import validate
from converge.diagnostics import Report
from tests.manifests import Desk

PRODUCTS = Path(__file__).parent.parent.parent / "products"


def test_shipped_products_have_no_findings() -> None:
    report = Report()
    products = validate([str(PRODUCTS)], [], report)
    assert list(report) == []
    assert {product.name for product in products} >= {"base", "desktop", "school"}


def test_shipped_products_use_main_types() -> None:
    (school,) = validate([str(PRODUCTS / "school.yaml")], [], Report())
    types = {resource.type for resource in school.resources.values()}
    assert types >= {"collection-id", "file", "flatpak-app", "flatpak-remote", "permissions"}
    assert "games" not in school.resources
    assert school.resources["wallpaper"].mark_of("with", "source").filename.endswith("school.yaml")


def test_fault_of_shared_parent_reported_once(desk: Desk) -> None:
    desk.put("base", "resources: {f: {type: file, apply: once, needs: [g], with: {path: '/{{ nme }}'}}}")
    desk.put("left", "extends: [base]")
    desk.put("right", "extends: [base, left]")
    desk.validate()
    assert len(desk.report.errors) == 2


def test_product_not_found_by_its_name_warned(desk: Desk) -> None:
    desk.put("school", "")
    (desk.folder / "school.yaml").rename(desk.folder / "schule.yaml")
    desk.validate()
    assert desk.found() == [("misnamed-product", "school")]


def test_folder_named_in_two_ways_reported_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put("base", "resources: {f: {type: file, apply: once, with: {path: '/{{ nme }}'}}}")
    desk.put("school", "extends: [base]")
    monkeypatch.chdir(desk.folder)
    desk.validate([".", "school.yaml", "./school.yaml"])
    assert [str(error.mark) for error in desk.report.errors] == ["base.yaml:3:60"]


def test_all_typing_errors_reported_in_one_run(desk: Desk) -> None:
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


def test_folder_means_manifests_directly_in_it(desk: Desk) -> None:
    desk.put("base", "")
    (desk.folder / "files").mkdir()
    (desk.folder / "files" / "data.yaml").write_text("no: manifest")
    assert [product.name for product in desk.validate()] == ["base"]
    assert desk.found() == []


def test_empty_folder_and_missing_path_reported(desk: Desk) -> None:
    desk.validate([str(desk.folder), str(desk.folder / "no.yaml")])
    assert [code for code, _ in desk.found()] == ["unreadable", "unreadable"]


def test_site_file_checked_against_site_schema(desk: Desk) -> None:
    (desk.folder / "site.yaml").write_text("product: school\nresources: {}\n")
    assert desk.validate() == []
    assert desk.found() == [("unknown-key", "resources")]


def test_product_may_have_name_site(desk: Desk) -> None:
    desk.put("base", "parameters: {psk: {type: secret}}")
    desk.put("site", "extends: [base]\nparameters: {room: {type: text, default: R1}}\ntittle: x")
    assert [product.name for product in desk.validate()] == ["base", "site"]
    assert desk.found() == [("unknown-key", "tittle")]


def test_site_file_similar_to_manifest_is_a_site(desk: Desk) -> None:
    (desk.folder / "site.yaml").write_text("converge: 1\nproduct: site\nparameters: {psk: hunter2}\n")
    assert desk.validate() == []
    assert desk.found() == [("unknown-key", "converge")]
    assert "hunter2" not in repr(list(desk.report))
