"""The words of messages, comments and names: plain English, which people read who learned it at school."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]

BANNED = re.compile(
    r"(?<!\\)\b(told|heard|meant|anew|lest|mends?|mended|mending|whoever|nobody's|outright|foretold|foretells?)\b"
    r"|(?<!there )\b(is|are|was|were) no (?!longer\b)[a-z]|\bhas a say\b|\bof no (use|account)\b|\bhave a say\b",
    re.IGNORECASE,
)
"""Words for which there is a plainer one, and a negation that learners stumble over: write "is not a".

"There is no fact 'x'" counts facts, and is fine.
"""

ALLOWED = {
    "tests/test_english.py": "it names them",
    "examples/mend-at-upgrade.yaml": "the name of a product stays",
    "examples/inherited.yaml": "it extends that product",
    "tests/test_examples.py": "it runs that product",
}
"""Files that are left out, and why."""
SUFFIXES = (".py", ".json", ".yaml", ".md", ".toml")
NAME_LENGTH = 60


def files() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=False).stdout.split()
    for name in listed or map(str, (path.relative_to(TOP) for path in (TOP / "converge").rglob("*"))):
        path = TOP / name
        if path.suffix in SUFFIXES and path.is_file() and name not in ALLOWED and "/golden/" not in name:
            yield path


def words(text: str) -> str:
    """The text with names broken into their words."""
    return text.replace("_", " ")


@pytest.mark.parametrize("folder", ["converge", "schemas", "products", "examples", "tests", "."])
def test_no_banned_word_is_used(folder: str) -> None:
    found = [
        f"{path.relative_to(TOP)}:{number}: {line.strip()}"
        for path in files()
        if (path.parent == TOP if folder == "." else path.is_relative_to(TOP / folder))
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if BANNED.search(words(line))
    ]
    assert found == []


def test_names_of_tests_are_short() -> None:
    names = [
        f"{path.relative_to(TOP)}: {node.name}"
        for path in files()
        if path.name.startswith("test_")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and len(node.name) > NAME_LENGTH
    ]
    assert names == []
