"""What makes up a built-in resource type: its schema, provider, specimens and example, and what is generated of it."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from converge.language import schema
from converge.providers.registry import module_of
from tests.laws.workshop import ELSEWHERE

TOP = Path(__file__).parents[1]
EXAMPLES = "".join(path.read_text() for path in (TOP / "examples").glob("*.yaml"))


def test_every_schema_has_a_provider() -> None:
    missing = [module_of(type_) for type_ in schema.types() if find_spec(module_of(type_)) is None]
    assert missing == [], f"missing modules: {missing}"


def test_every_provider_has_a_schema() -> None:
    """A module that names `traits` is a provider."""
    folder = TOP / "converge/providers"
    found = {
        ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__")
        for path in folder.rglob("*.py")
        if "\ntraits = " in path.read_text()
    }
    without = found - {module_of(type_) for type_ in schema.types()}
    assert without == set(), f"providers without a schema in schemas/resources/TOPIC/TYPE.json: {without}"


def test_every_type_has_specimens() -> None:
    modules = {
        type_: module_of(type_).replace("converge.providers", "tests.laws.specimens") for type_ in schema.types()
    }
    missing = [name for type_, name in modules.items() if type_ not in ELSEWHERE and find_spec(name) is None]
    assert missing == [], f"missing modules: {missing}"


def test_every_type_has_an_example() -> None:
    missing = [type_ for type_ in schema.types() if f"type: {type_}\n" not in EXAMPLES]
    assert missing == [], f"missing in examples/*.yaml: {missing}"


def test_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(TOP / ".ci/generate"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
