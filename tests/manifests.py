"""Folders of manifests for one test: `Shelf` loads products from them, `Desk` validates them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent

from attrs import define, field

from converge.checks import validate
from converge.diagnostics import Diagnostic, Mark, Report
from converge.language import product
from converge.model import Product


@define
class Shelf:
    folder: Path
    report: Report = field(factory=Report)

    def put(self, name: str, body: str) -> None:
        """Write a manifest; its body begins on line 4."""
        text = f"converge: 1\nproduct: {name}\ntitle: {name}\n{dedent(body).lstrip()}"
        (self.folder / f"{name}.yaml").write_text(text)

    def put_site(self, body: str) -> None:
        (self.folder / "etc").mkdir(exist_ok=True)
        (self.folder / "etc" / "site.yaml").write_text(dedent(body).lstrip())

    def load(self, name: str, settings: Mapping[str, str] | None = None) -> Product | None:
        site = str(self.folder / "etc" / "site.yaml")
        return product.load(name, [str(self.folder)], site=site, settings=settings or {}, report=self.report)

    def product(self, name: str, settings: Mapping[str, str] | None = None) -> Product:
        """Load a product without errors."""
        found = self.load(name, settings)
        assert found is not None, self.findings()
        return found

    def findings(self) -> list[tuple[str, str]]:
        """The code and the place of each error."""
        return [(error.code, place(error.mark)) for error in self.report.errors]

    def related(self) -> list[str]:
        return [place(related.mark) for error in self.report.errors for related in error.related]


@define
class Desk:
    folder: Path
    report: Report = field(factory=Report)

    def put(self, name: str, body: str) -> None:
        """Write a manifest; its body begins on line 3."""
        (self.folder / f"{name}.yaml").write_text(f"converge: 1\nproduct: {name}\n{dedent(body).lstrip()}")

    def validate(self, paths: Sequence[str] = ()) -> list[Product]:
        return validate([*paths] or [str(self.folder)], [], self.report)

    def found(self) -> list[tuple[str, str]]:
        """The code and the stretch of each finding."""
        return [(found.code, stretch(found)) for found in self.report]


def place(mark: Mark | None) -> str:
    return f"{Path(mark.filename).name}:{mark.line}" if mark else ""


def stretch(found: Diagnostic) -> str:
    """The text that a finding marks."""
    if found.mark is None or found.mark.line != found.mark.end_line:
        return ""
    line = Path(found.mark.filename).read_text().splitlines()[found.mark.line - 1]
    return line[found.mark.column - 1 : found.mark.end_column - 1]
