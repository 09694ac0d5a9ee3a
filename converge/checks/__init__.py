"""Everything that can be checked in a product without a machine: the findings of `converge validate`."""

import os
from collections.abc import Iterable, Iterator, Sequence

from converge.checks import expressions, resources
from converge.diagnostics import Diagnostic, Mark, Report
from converge.language.product import Library, is_site, read_site, resolve
from converge.model import Product

SUFFIX = ".yaml"


def check(product: Product, report: Report) -> set[Mark]:
    """Report the faults of a composed product in expressions, parameters, files and claims.

    Returns the marks of the parameters that are used.
    """
    names = expressions.check(product, report)
    resources.check(product, report)
    return {parameter.mark for name, parameter in product.parameters.items() if name in names}


def validate(paths: Sequence[str], search: Sequence[str], report: Report) -> list[Product]:
    """Compose and check the products of files and folders; report all errors in one run, none of them twice.

    A folder means the manifests directly in it. Products to extend are looked up in the layers of `search`, and in
    each manifest's own folder. A file with the name site.yaml is an administrator's and is checked against the schema
    of these files, unless it is the manifest of a product `site`.
    """
    library = Library(search, report)
    products: list[Product] = []
    used: set[Mark] = set()
    for path in _manifests(paths, report):
        if is_site(path):
            read_site(path, report)
        elif (product := resolve(path, library)) is not None:
            products.append(product)
            used |= check(product, report)
    if not report.errors:
        _report_unused(products, used, report)
        _report_misnamed(products, report)
    report.diagnostics[:] = sorted(dict.fromkeys(report.diagnostics), key=_place)
    return products


def _place(diagnostic: Diagnostic) -> tuple[str, int, int]:
    mark = diagnostic.mark
    return (mark.filename, mark.line, mark.column) if mark else ("", 0, 0)


def _report_unused(products: Iterable[Product], used: set[Mark], report: Report) -> None:
    for product in products:
        for parameter in product.parameters.values():
            if parameter.mark not in used:
                message = f"the parameter '{parameter.name}' is not used"
                report.warning("unused-parameter", message, parameter.mark, hint="remove it")


def _report_misnamed(products: Iterable[Product], report: Report) -> None:
    """A machine remembers its product by name, and finds it by the name of its file."""
    for product in products:
        file = os.path.basename(product.mark.filename)
        if file != product.name + SUFFIX:
            message = f"the product '{product.name}' is in {file}: a machine cannot find it by its name"
            report.warning("misnamed-product", message, product.mark, hint=f"rename {file} to {product.name}{SUFFIX}")


def _manifests(paths: Iterable[str], report: Report) -> Iterator[str]:
    for path in map(os.path.normpath, paths):
        if not os.path.isdir(path):
            yield path
            continue
        names = sorted(name for name in os.listdir(path) if name.endswith(SUFFIX))
        yield from (os.path.normpath(os.path.join(path, name)) for name in names)
        if not names:
            report.error("unreadable", f"{path} contains no manifest", hint=f"name a folder with {SUFFIX} files")
