"""The house: who may import whom. Each test lists all offenders at once."""

import ast
from collections.abc import Iterator
from pathlib import Path

from converge.language import schema
from converge.providers.registry import module_of

HOUSE = Path(__file__).parent.parent / "converge"

LAYERS = (
    "errors",
    "diagnostics",
    "model",
    "values",
    "formats",
    "language",
    "system",
    "facts",
    "providers",
    "checks",
    "engine",
    "render",
    "testing",
    "cli",
    "__main__",
)
"""From the bottom up: a module imports only from its own layer and those before it. A folder is one layer."""

HEAVY = {"jinja2", "jsonschema", "rich", "difflib"}
"""Slow to import, and a run with nothing to do does not need them."""


def dotted(path: Path) -> str:
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {dotted(path): path for path in HOUSE.rglob("*.py") if path != HOUSE / "__init__.py"}


def imported(module: str, *, at_start: bool = False) -> Iterator[str]:
    """Every module of converge that a module imports; `at_start`: only those that it imports when it is loaded."""
    tree = ast.parse(MODULES[module].read_text())
    for node in tree.body if at_start else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield from [name] if name in MODULES else [node.module] if node.module in MODULES else []


def layer(module: str) -> str:
    return module.split(".")[1]


def type_of(module: str) -> str | None:
    """The module of the resource type that a module belongs to; None where it belongs to none."""
    name = ".".join(module.split(".")[:4])
    return name if name in TYPES else None


def topic_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[2] if parts[1] == "providers" and (HOUSE / "providers" / parts[2]).is_dir() else None


TYPES = {module_of(type_) for type_ in schema.types()}


def test_every_module_has_a_layer() -> None:
    assert [module for module in MODULES if layer(module) not in LAYERS] == []


def test_every_type_is_a_module() -> None:
    assert set(MODULES) >= TYPES


def test_imports_go_down() -> None:
    up = [
        (module, name)
        for module in MODULES
        for name in imported(module)
        if LAYERS.index(layer(name)) > LAYERS.index(layer(module))
    ]
    assert up == []


def test_imports_at_start_have_no_circle() -> None:
    """Modules are taken away as long as one imports none of those that are left."""
    left = {module: set(imported(module, at_start=True)) - {module} for module in MODULES}
    while free := [module for module, names in left.items() if not names & left.keys()]:
        for module in free:
            del left[module]
    assert left == {}


def test_topics_do_not_import_each_other() -> None:
    others = [
        (module, name)
        for module in MODULES
        for name in imported(module)
        if None not in (topic_of(module), topic_of(name)) and topic_of(module) != topic_of(name)
    ]
    assert others == []


def test_types_do_not_import_each_other() -> None:
    others = [
        (module, name)
        for module in MODULES
        for name in imported(module)
        if layer(module) == "providers" and type_of(name) not in (None, type_of(module))
    ]
    assert others == []


def test_no_heavy_library_is_loaded_at_start() -> None:
    """Nothing that a device runs at each boot may import these when it is itself imported."""
    offenders = []
    for module, path in MODULES.items():
        if layer(module) in ("render", "testing", "cli"):
            continue
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            offenders += [(module, name) for name in names if name.split(".")[0] in HEAVY]
    assert offenders == []
