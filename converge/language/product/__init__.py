"""Manifests become a product: `extends`, `without`, `override`, parameters, site.yaml and `--set`.

A product's manifests are read depth first, left to right, each once. Each can drop and override inherited resources,
and declare more. Every value keeps the file and line of its origin.
"""

import os
from collections.abc import Callable, Mapping, Sequence

from converge.diagnostics import Report, did_you_mean
from converge.language import document, schema
from converge.language.document import Document
from converge.language.product import parameters, references, resources
from converge.language.product.compose import Composition, compose, site_words
from converge.language.product.draft import SUFFIX, Lineage, section
from converge.language.product.sources import Library, is_site
from converge.model import Parameter, Product, Resource

__all__ = ["SITE", "Library", "is_site", "load", "read_site", "resolve"]

SITE = "/etc/converge/site.yaml"


def load(
    name_or_path: str,
    search: Sequence[str],
    *,
    site: str | None,
    settings: Mapping[str, str],
    report: Report,
    real: Callable[[str], str] = str,
) -> Product | None:
    """The product of a path, or of a name: `<folder>/<name>.yaml` in `search`, in which a later folder wins.

    `site` is the path of the administrator's site.yaml, which need not exist; `settings` are those of `--set`; `real`
    resolves a path. None if an error was reported.
    """
    errors = len(report.errors)
    library = Library(search, report, real)
    path = _path(name_or_path, library)
    decided = read_site(site, report) if site is not None else None
    product = resolve(path, library, decided, settings) if path is not None else None
    return product if len(report.errors) == errors else None


def read_site(path: str, report: Report) -> Document | None:
    """The administrator's site.yaml, checked against its schema; None if it does not exist or cannot be read."""
    if not os.path.exists(path):
        return None
    found = document.load(path, report, confidential=True)
    if found is not None:
        schema.check_site(found, report)
    return found


def resolve(
    path: str, library: Library, site: Document | None = None, settings: Mapping[str, str] | None = None
) -> Product | None:
    """Compose the product of the manifest at `path` as far as its errors allow, so that one run reports all of them.

    `settings` None composes the product without a machine: parameters need no value.
    """
    lineage = library.lineage(path)
    if lineage is None:
        return None
    report = library.report
    composition = compose(lineage.sources, site, partial=not lineage.complete, report=report)
    made = {id_: resources.build(id_, draft, report) for id_, draft in composition.resources.items()}
    built = {id_: resource for id_, resource in made.items() if resource is not None}
    references.check(built, composition.dropped, report)
    own = lineage.own.document
    return Product(
        name=lineage.own.name,
        title=str(section(own, "title") or lineage.own.name),
        mark=own.mark(("product",)),
        parameters=_parameters(lineage, site, settings, report),
        resources=built,
        overridden=_elements(composition, built, report),
        dropped=frozenset(name for name in composition.dropped if references.base_id(name) != name),
        from_site=site_words(site) if site is not None else (),
        files=(*(source.filename for source in lineage.sources), *((site.filename,) if site is not None else ())),
    )


def _path(name_or_path: str, library: Library) -> str | None:
    if "/" in name_or_path or name_or_path.endswith(SUFFIX):
        return library.real(os.path.normpath(name_or_path))
    path = library.find(name_or_path)
    if path is None:
        searched = ", ".join(library.search) or "nowhere"
        remedy = f"name its folder with --products, or give its path (searched: {searched})"
        hint = did_you_mean(name_or_path, library.names()) or remedy
        library.report.error("unknown-product", f"there is no product '{name_or_path}'", hint=hint)
    return path


def _elements(
    composition: Composition, built: Mapping[str, Resource], report: Report
) -> dict[str, Mapping[str, Resource]]:
    made: dict[str, Mapping[str, Resource]] = {}
    for id_, drafts in composition.elements.items():
        elements = {key: resources.build(id_, draft, report) for key, draft in drafts.items()}
        if id_ in built and elements:
            made[id_] = {key: resource for key, resource in elements.items() if resource is not None}
    return made


def _parameters(
    lineage: Lineage, site: Document | None, settings: Mapping[str, str] | None, report: Report
) -> dict[str, Parameter]:
    known: dict[str, parameters.Declared] = {}
    for source in lineage.sources:
        known = parameters.declare(known, source.document, source.ancestors, report)
    if site is not None:
        known = parameters.apply_site(known, site, report)
    if settings is not None:
        known = parameters.apply_settings(known, settings, report)
        parameters.require_values(known, report)
    return {name: declared.parameter for name, declared in known.items()}
