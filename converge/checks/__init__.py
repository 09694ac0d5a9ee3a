"""Everything that can be known of a product without a machine: what `converge validate` says."""

import os
from collections.abc import Iterable, Iterator, Sequence

from converge.checks import literals, words
from converge.diagnostics import Diagnostic, Mark, Report
from converge.language.product import Library, is_site, read_site, resolve
from converge.model import Product

SUFFIX = ".yaml"


def check(product: Product, report: Report) -> None:
    """Report what is wrong with a composed product: expressions, what providers refuse, files, claims."""
    _check(product, report)


def validate(paths: Sequence[str], search: Sequence[str], report: Report) -> list[Product]:
    """Compose and check the products of files and folders, all errors in one run, none of them twice.

    A folder stands for the manifests right in it. `search` are the layers in which products to extend are looked up,
    besides each manifest's own folder. A file called site.yaml is an administrator's, and held against the
    schema for those, unless it is the manifest of a product `site`.
    """
    library = Library(search, report)
    products: list[Product] = []
    used: set[Mark] = set()
    for path in _manifests(paths, report):
        if is_site(path):
            read_site(path, report)
        elif (product := resolve(path, library)) is not None:
            products.append(product)
            used |= _check(product, report)
    if not report.errors:
        _report_unused(products, used, report)
        _report_misnamed(products, report)
    report.diagnostics[:] = sorted(dict.fromkeys(report.diagnostics), key=_place)
    return products


def _check(product: Product, report: Report) -> set[Mark]:
    """Returns the places of the parameters that are used."""
    names = words.check(product, report)
    literals.check(product, report)
    return {parameter.mark for name, parameter in product.parameters.items() if name in names}


def _place(diagnostic: Diagnostic) -> tuple[str, int, int]:
    mark = diagnostic.mark
    return (mark.filename, mark.line, mark.column) if mark else ("", 0, 0)


def _report_unused(products: Iterable[Product], used: set[Mark], report: Report) -> None:
    for product in products:
        for parameter in product.parameters.values():
            if parameter.mark not in used:
                message = f"nothing uses the parameter '{parameter.name}'"
                report.warning("unused-parameter", message, parameter.mark, hint="remove it")


def _report_misnamed(products: Iterable[Product], report: Report) -> None:
    """A machine remembers its product by name, and finds it again by the name of its file."""
    for product in products:
        file = os.path.basename(product.mark.filename)
        if file != product.name + SUFFIX:
            message = f"the product '{product.name}' is in a file called {file}, where its name does not find it"
            report.warning("misnamed-product", message, product.mark, hint=f"call the file {product.name}{SUFFIX}")


def _manifests(paths: Iterable[str], report: Report) -> Iterator[str]:
    for path in map(os.path.normpath, paths):
        if not os.path.isdir(path):
            yield path
            continue
        names = sorted(name for name in os.listdir(path) if name.endswith(SUFFIX))
        yield from (os.path.normpath(os.path.join(path, name)) for name in names)
        if not names:
            report.error("unreadable", f"there is no manifest in {path}", hint=f"manifests end in {SUFFIX}")
