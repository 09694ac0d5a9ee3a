"""The parts of a product: its manifests, and drafts, which are resources as written, with the place of every value."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen

from converge.diagnostics import Mark, Path
from converge.language.document import Document
from converge.model import Value

SUFFIX = ".yaml"
_ELEMENT = re.compile(r"(?P<id>[^\[\]]+)\[(?P<key>.*)\]", re.DOTALL)
_REPLACED_WHOLE: tuple[Path, ...] = (("only_if",),)
"""In a condition null is a value (unset), so an override must not delete the key."""


@frozen
class Draft:
    """A resource, or an override of one, as written; paths are relative to it and `mark` is that of its id."""

    data: Mapping[str, Value]
    mark: Mark
    marks: Mapping[Path, Mark] = field(factory=dict)
    key_marks: Mapping[Path, Mark] = field(factory=dict)
    overridden: bool = False

    def mark_of(self, *path: str | int) -> Mark:
        return self.marks.get(path, self.mark)


@frozen
class Source:
    """One manifest of a product. `ancestors` are the files that it extends, directly or not."""

    document: Document
    ancestors: frozenset[str]

    @property
    def filename(self) -> str:
        return self.document.filename

    @property
    def name(self) -> str:
        declared = section(self.document, "product")
        return declared if isinstance(declared, str) else stem(self.filename)


@frozen
class Lineage:
    """The manifests of a product, the most basic one first; not `complete` if one of them could not be found."""

    sources: tuple[Source, ...]
    complete: bool

    @property
    def own(self) -> Source:
        return self.sources[-1]


def stem(path: str) -> str:
    """The product name under which the manifest at `path` is found."""
    return os.path.basename(path).removesuffix(SUFFIX)


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a map; otherwise an empty map, because the schema has already reported it."""
    return value if isinstance(value, Mapping) else {}


def texts(value: object) -> tuple[str, ...]:
    """The texts of a list; the schema has already reported anything else."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()


def section(document: Document, key: str) -> Any:  # noqa: ANN401  (any value that an author can write)
    """The value of the top-level `key` of a document."""
    return mapping(document.data).get(key)


def drafts(document: Document, key: str) -> dict[str, Draft]:
    """The maps below the top-level `key`, each with its marks."""
    marks = _by_name(document.marks, key)
    key_marks = _by_name(document.key_marks, key)
    return {
        name: Draft(data, document.key_mark((key, name)), marks.get(name, {}), key_marks.get(name, {}))
        for name, data in mapping(section(document, key)).items()
        if isinstance(data, Mapping)
    }


def _by_name(marks: Mapping[Path, Mark], key: str) -> dict[str | int, dict[Path, Mark]]:
    result: dict[str | int, dict[Path, Mark]] = {}
    for path, mark in marks.items():
        if path[:1] == (key,) and len(path) > 2:
            result.setdefault(path[1], {})[path[2:]] = mark
    return result


def merge(below: Draft, above: Draft) -> Draft:
    """Apply an override to a resource: maps merge, lists replace, null deletes; every value keeps its own place."""
    replaced = frozenset(_replaced(below.data, above.data, ()))
    return evolve(
        below,
        data=_merged(below.data, above.data, ()),
        marks=_merged_marks(below.marks, above.marks, replaced),
        key_marks=_merged_marks(below.key_marks, above.key_marks, replaced),
        overridden=True,
    )


def _merged(below: Mapping[str, Value], above: Mapping[str, Value], path: Path) -> dict[str, Value]:
    result = dict(below)
    for name, value in above.items():
        here = (*path, name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping) and here not in _REPLACED_WHOLE:
            result[name] = _merged(mapping(below.get(name)), value, here)
        else:
            result[name] = value
    return result


def _replaced(below: Mapping[str, Value], above: Mapping[str, Value], path: Path) -> Iterator[Path]:
    for name, value in above.items():
        here, old = (*path, name), below.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping) and here not in _REPLACED_WHOLE:
            yield from _replaced(old, value, here)
        else:
            yield here


def _merged_marks(
    below: Mapping[Path, Mark], above: Mapping[Path, Mark], replaced: frozenset[Path]
) -> dict[Path, Mark]:
    kept = {path: mark for path, mark in below.items() if not _is_under(path, replaced)}
    return kept | {path: mark for path, mark in above.items() if _is_under(path, replaced)}


def _is_under(path: Path, roots: frozenset[Path]) -> bool:
    return any(path[:length] in roots for length in range(1, len(path) + 1))


def split_element(name: str) -> tuple[str, str] | None:
    """`id[key]` as its id and key; None for a plain id."""
    match = _ELEMENT.fullmatch(name)
    return (match["id"], match["key"]) if match else None


def literal_keys(for_each: Value) -> tuple[str, ...] | None:
    """The keys of a `for_each` that is a list or a map; None if only a machine knows them."""
    if isinstance(for_each, Mapping):
        return tuple(for_each)
    return texts(for_each) if isinstance(for_each, list | tuple) else None
