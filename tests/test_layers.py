"""The house: a module imports only what stands above it, and siblings in a folder do not know each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "converge"

ORDER = (
    "errors",
    "diagnostics",
    "model",
    "values",
    "document",
    "schema",
    "product",
    "expressions",
    "system",
    "facts",
    "providers",
    "check",
    "expand",
    "policy",
    "ledger",
    "occasion",
    "plan",
    "decide",
    "planner",
    "request",
    "saved",
    "engine",
    "status",
    "render",
    "cli",
    "__main__",
)
"""From the top down. A folder stands for all of its modules."""

SHARED = "base"
"""The module of a folder that its siblings may import."""

ENTRIES = {"converge.cli.app": "the command line imports its verbs"}
"""Modules, besides a folder's own `__init__`, that import their folder."""

MODULES = sorted(path for path in HOUSE.rglob("*.py") if path != HOUSE / "__init__.py")


def dotted(path: Path) -> str:
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(path: Path) -> Iterator[str]:
    """Every module of converge that a module imports, wherever in it the import stands."""
    known = {dotted(module) for module in MODULES}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield from [name] if name in known else [node.module] if node.module in known else []


def layer(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_every_module_has_a_place_in_the_house(path: Path) -> None:
    assert layer(dotted(path)) in ORDER


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_go_downhill(path: Path) -> None:
    importer = dotted(path)
    uphill = [name for name in imported(path) if ORDER.index(layer(name)) > ORDER.index(layer(importer))]
    assert not uphill


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_siblings_do_not_import_each_other(path: Path) -> None:
    importer = dotted(path)
    if path.name == "__init__.py" or importer in ENTRIES:
        return
    folder = importer.rpartition(".")[0]
    siblings = [name for name in imported(path) if folder != "converge" and name.startswith(f"{folder}.")]
    assert [name for name in siblings if name != f"{folder}.{SHARED}"] == []


def test_a_no_op_run_has_no_use_for_heavy_libraries() -> None:
    """Nothing that a device runs at each boot may import these when it is itself imported."""
    heavy = {"jinja2", "jsonschema", "rich", "difflib"}
    for path in MODULES:
        if layer(dotted(path)) in ("render", "cli"):
            continue
        top = ast.parse(path.read_text()).body
        names = {alias.name.split(".")[0] for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module.split(".")[0] for node in top if isinstance(node, ast.ImportFrom) and node.module}
        assert not names & heavy, dotted(path)
