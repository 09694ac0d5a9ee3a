"""Manifests are found in their layers; missing ones are reported."""

from pathlib import Path

from converge.diagnostics import Report
from converge.language import product
from tests.manifests import Shelf


def test_later_folder_wins(tmp_path: Path) -> None:
    for layer in ("vendor", "downloaded"):
        (tmp_path / layer).mkdir()
        (tmp_path / layer / "base.yaml").write_text(f"converge: 1\nproduct: base\ntitle: {layer}\n")
    (tmp_path / "vendor" / "school.yaml").write_text("converge: 1\nproduct: school\ntitle: s\nextends: [base]\n")
    search = [str(tmp_path / "vendor"), str(tmp_path / "downloaded")]
    found = product.load("school", search, site=None, settings={}, report=Report())
    assert found is not None
    assert [str(Path(path).relative_to(tmp_path)) for path in found.files] == [
        "downloaded/base.yaml",
        "vendor/school.yaml",
    ]


def test_parents_found_beside_manifest(shelf: Shelf) -> None:
    shelf.put("base", "")
    shelf.put("school", "extends: [base]")
    found = product.load(str(shelf.folder / "school.yaml"), [], site=None, settings={}, report=shelf.report)
    assert found is not None
    assert found.name == "school"


def test_extending_unknown_product_refused(shelf: Shelf) -> None:
    shelf.put("desktop", "")
    shelf.put("school", "extends: [desktpo]\nwithout: [whatever]")
    shelf.load("school")
    assert shelf.findings() == [("unknown-product", "school.yaml:4")]
    assert shelf.report.errors[0].hint == "did you mean 'desktop'?"


def test_loading_unknown_product_refused(shelf: Shelf) -> None:
    shelf.put("school", "")
    assert shelf.load("scholo") is None
    assert shelf.findings() == [("unknown-product", "")]


def test_extends_cycle_reported_with_places(shelf: Shelf) -> None:
    for name, parent in (("a", "b"), ("b", "c"), ("c", "a")):
        shelf.put(name, f"extends: [{parent}]")
    shelf.load("a")
    assert shelf.findings() == [("extends-cycle", "c.yaml:4")]
    assert shelf.related() == ["a.yaml:4", "b.yaml:4"]


def test_product_extending_itself_refused(shelf: Shelf) -> None:
    shelf.put("a", "extends: [a]")
    shelf.load("a")
    assert shelf.findings() == [("extends-cycle", "a.yaml:4")]


def test_unreadable_manifest_reported(shelf: Shelf) -> None:
    (shelf.folder / "a.yaml").mkdir()
    found = product.load(str(shelf.folder / "a.yaml"), [], site=None, settings={}, report=shelf.report)
    assert found is None
    assert [code for code, _ in shelf.findings()] == ["unreadable"]


def test_errors_of_all_manifests_reported(shelf: Shelf) -> None:
    shelf.put("base", "resources: {f: {type: file, apply: alway, with: {path: /f}}}")
    shelf.put("school", "extends: [base]\nwithout: [g]")
    shelf.load("school")
    assert [place for _, place in shelf.findings()] == ["school.yaml:5", "base.yaml:4"] or [
        place for _, place in shelf.findings()
    ] == ["base.yaml:4", "school.yaml:5"]
