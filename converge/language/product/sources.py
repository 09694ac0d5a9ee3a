"""The manifests of a product: found in their layers and put in order."""

import os
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field, frozen

from converge.diagnostics import Mark, Related, Report, did_you_mean
from converge.errors import ConvergeError
from converge.language import document, schema
from converge.language.document import Document
from converge.language.product.draft import SUFFIX, Lineage, Source, section, stem, texts

SITE_NAME = "site.yaml"


def is_site(path: str) -> bool:
    """Whether a file is an administrator's site.yaml, and not the manifest of a product `site`.

    A manifest declares parameters; a site sets them, and a value that is set may be a secret.
    """
    if os.path.basename(path) != SITE_NAME or not os.path.isfile(path):
        return False
    found = document.load(path, Report(), confidential=True)
    data = found.data if found and isinstance(found.data, Mapping) else {}
    parameters = data.get("parameters", {})
    declares = isinstance(parameters, Mapping) and all(isinstance(each, Mapping) for each in parameters.values())
    return not ("converge" in data and declares)


@define
class Library:
    """Manifests by name in `search` (folders, a later one wins), each read and checked against the schema once.

    `real` resolves a path.
    """

    search: Sequence[str]
    report: Report
    real: Callable[[str], str] = str
    _documents: dict[str, Document | None] = field(factory=dict, init=False)
    _cycles: set[frozenset[str]] = field(factory=set, init=False)

    def find(self, name: str, beside: str = "") -> str | None:
        """The path of a product's manifest; `beside` is a manifest whose folder counts as the last layer."""
        folders = reversed(self._folders(beside))
        paths = (self.real(os.path.normpath(os.path.join(folder, name + SUFFIX))) for folder in folders)
        return next((path for path in paths if os.path.isfile(path)), None)

    def names(self, beside: str = "") -> list[str]:
        folders = (folder for folder in self._folders(beside) if os.path.isdir(folder))
        files = (name for folder in folders for name in os.listdir(folder))
        return sorted({stem(name) for name in files if name.endswith(SUFFIX)})

    def _folders(self, beside: str) -> list[str]:
        folders = [self.real(os.path.normpath(folder)) for folder in self.search]
        own = os.path.normpath(os.path.dirname(beside)) if beside else None
        return folders if own is None or own in folders else [*folders, own]

    def read(self, path: str) -> Document | None:
        """The manifest at `path`; None, and an error in the report, if it cannot be read."""
        if path not in self._documents:
            self._documents[path] = self._read(path)
        return self._documents[path]

    def _read(self, path: str) -> Document | None:
        try:
            if is_site(path):
                message = f"{path} is an administrator's site.yaml, not a manifest"
                self.report.error("not-a-manifest", message, hint="name the product or its manifest instead")
                return None
            found = document.load(path, self.report)
        except ConvergeError as error:
            self.report.error("unreadable", error.message, hint=error.hint)
            return None
        if found is not None:
            schema.check_manifest(found, self.report)
        return found

    def lineage(self, path: str) -> Lineage | None:
        """The manifest at `path` after all that it extends; None if it cannot be read."""
        visit = _Visit(self)
        visit.manifest(path, ())
        sources = tuple(visit.found.values())
        return Lineage(sources, visit.complete) if sources and sources[-1].filename == path else None

    def report_cycle(self, trail: "tuple[_Link, ...]") -> None:
        files = frozenset(link.path for link in trail)
        if files in self._cycles:
            return
        self._cycles.add(files)
        names = " extends ".join(stem(link.path) for link in (trail[-1], *trail))
        self.report.error(
            "extends-cycle",
            f"a product cannot extend itself: {names}",
            trail[-1].mark,
            hint="remove one of these from `extends`",
            related=tuple(Related("this is part of the cycle", link.mark) for link in trail[:-1] if link.mark),
        )


@frozen
class _Link:
    """A manifest on the way from the product to its ancestors, and the entry of `extends` that names it."""

    path: str
    mark: Mark | None


@define
class _Visit:
    """Depth first, left to right; a manifest that is reached twice keeps its first position."""

    library: Library
    found: dict[str, Source] = field(factory=dict)
    complete: bool = True

    def manifest(self, path: str, trail: tuple[_Link, ...]) -> frozenset[str]:
        """Add a manifest and what it extends; returns the files of both."""
        if path in self.found:
            return self.found[path].ancestors | {path}
        read = self.library.read(path)
        if read is None:
            self.complete = False
            return frozenset()
        ancestors: frozenset[str] = frozenset()
        for index, name in enumerate(texts(section(read, "extends"))):
            ancestors |= self._parent(read, name, read.mark(("extends", index)), trail or (_Link(path, None),))
        self.found[path] = Source(read, ancestors)
        return ancestors | {path}

    def _parent(self, child: Document, name: str, mark: Mark, trail: tuple[_Link, ...]) -> frozenset[str]:
        path = self.library.find(name, child.filename)
        if path is None:
            self.complete = False
            self._report_unknown(child, name, mark)
            return frozenset()
        link = _Link(path, mark)
        before = next((index for index, passed in enumerate(trail) if passed.path == path), None)
        if before is not None:
            self.complete = False
            self.library.report_cycle((*trail[before + 1 :], link))
            return frozenset()
        return self.manifest(path, (*trail, link))

    def _report_unknown(self, child: Document, name: str, mark: Mark) -> None:
        self.library.report.error(
            "unknown-product",
            f"there is no product '{name}' to extend",
            mark,
            hint=did_you_mean(name, self.library.names(child.filename))
            or f"put {name}{SUFFIX} beside this manifest, or name its folder with --products",
        )
