"""What a schema refuses, in words that an author understands: the code, the message, the place and the remedy."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from attrs import frozen

from converge.diagnostics import Path, did_you_mean, nearest
from converge.language.document import Float
from converge.language.schema.base import EXPRESSION, Schema, read, third_party_types, usable
from converge.model import Value

LONGEST_QUOTE = 40
UNUSABLE = "x-unusable"
"""Stands for a keyword where a third party's type has no schema that can be used; the error is what it wants."""
KINDS: Mapping[str, str] = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
}


@frozen
class Subject:
    """What is checked: its data, what to call it, and how to find the resource and the source text of a path in it."""

    data: Value
    name: str
    source: Callable[[Path], str]
    is_confidential: Callable[[Path], bool] = lambda _: False
    """Whether no finding may repeat the value at a path: it may be a secret, or hold one."""

    def split(self, path: Path) -> tuple[Path, Path]:
        """A path as that of the resource or override it leads into, and the rest; where it leads into none, itself."""
        if self.is_resource(()):
            return (), path
        return (path[:2], path[2:]) if self.is_resource(path[:2]) else (path, ())

    def is_resource(self, path: Path) -> bool:
        """Whether a resource or an override stands at `path`."""
        return path == () if self.name == "a resource" else len(path) == 2 and path[0] in ("resources", "override")

    def at(self, path: Path) -> Any:  # noqa: ANN401  (whatever the author wrote there)
        value: Any = self.data
        for part in path:
            value = value[part]
        return value

    def type_of(self, path: Path) -> str | None:
        """The type of the resource that `path` leads into, where it is known."""
        resource = self.at(self.split(path)[0])
        type_ = resource.get("type") if isinstance(resource, Mapping) else None
        return type_ if isinstance(type_, str) else None


@frozen
class Refusal:
    """One keyword of a schema that a value does not satisfy."""

    keyword: str
    wants: Any
    """The keyword's value in the schema."""
    schema: Schema
    """What holds the keyword."""
    steps: tuple[str | int, ...]
    """The way to the keyword through the schemas."""
    value: Any
    path: Path


@frozen
class Finding:
    """One thing to report. `on_key`: the key at `path` is at fault, not its value. `hides`: none may show the value."""

    code: str
    message: str
    path: Path
    hint: str | None = None
    on_key: bool = False
    hides: bool = False


def explain(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    """The findings that a refusal amounts to."""
    if _is_default_of_secret(refusal, subject):
        return iter(())  # which it cannot have, as the product says
    if refusal.schema.get("x-secret") is True:
        return _written_out(refusal, subject)
    is_confidential = _may_be_secret(refusal) or subject.is_confidential(refusal.path)
    if is_confidential and refusal.keyword in _QUOTING:
        return _without_value(refusal, subject)
    if refusal.keyword == "pattern" and "propertyNames" in refusal.steps:
        return _name(refusal, subject)
    return EXPLANATIONS.get(refusal.keyword, _other)(refusal, subject)


def _written_out(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    """A secret in the manifest itself; its value is not repeated."""
    message = f"{_label(refusal.path)} is a secret, which must not be written out: whoever reads the manifest knows it"
    hint = 'declare a parameter with `type: secret` and write "{{ its_name }}"; a site sets it in site.yaml'
    yield Finding("written-out-secret", message, refusal.path, hint, hides=True)


def _is_default_of_secret(refusal: Refusal, subject: Subject) -> bool:
    path = refusal.path
    if len(path) < 3 or path[0] != "parameters" or path[2] != "default":
        return False
    declaration = subject.at(path[:2])
    return isinstance(declaration, Mapping) and declaration.get("type") == "secret"


_QUOTING = ("enum", "minimum", "pattern", "type", "uniqueItems")
"""The keywords whose findings quote the value."""


def _may_be_secret(refusal: Refusal) -> bool:
    """Where the schema says so, and where a manifest has a parameter's value in place of its declaration."""
    is_declaration = len(refusal.path) == len(("parameters", "its name")) and refusal.path[0] == "parameters"
    return bool(refusal.schema.get("x-secret")) or is_declaration


def _without_value(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    """What is refused where a value may be a secret, or a part of the key: `{NAME:VALUE}` is one without a value."""
    code, wanted = "bad-value", str(refusal.schema.get("x-expected", "as its schema says"))
    if refusal.keyword == "type":
        code, wanted = "wrong-type", _listed([KINDS[kind] for kind in _wanted(refusal)], "or", mark="")
    elif refusal.keyword == "enum":
        wanted = _listed([_shown(item) for item in refusal.wants], "or", mark="")
    hint = refusal.schema.get("x-hint", "quote what is text")
    label = _label(refusal.path)
    if refusal.path[:-1] == ("parameters",):
        label, hint = "a value in 'parameters'", "write NAME: VALUE, and quote what is text"
    yield Finding(code, f"{label} must be {wanted}", refusal.path, hint, hides=True)


def _unknown_keys(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    known = list(refusal.schema["properties"])
    place, rest = subject.split(refusal.path)
    code, owner = _owner(refusal.path, subject)
    in_resource = subject.is_resource(place) and rest in ((), ("with",))
    for key, value in refusal.value.items():
        if key in known or (in_resource and key == "scope" and value == "user"):
            continue  # `scope: user` is reserved rather than unknown, which the product says
        hint = did_you_mean(key, known) or _misplaced(key, place, rest, subject) or f"it has {_listed(known, 'and')}"
        meant = refusal.schema["properties"].get(nearest(key, known), {})
        hides = bool(meant.get("x-secret"))
        yield Finding(code, f"{owner} '{key}'", (*refusal.path, key), hint, on_key=True, hides=hides)


def _owner(path: Path, subject: Subject) -> tuple[str, str]:
    """The code and the beginning of the message for a key that what stands at `path` does not have."""
    place, rest = subject.split(path)
    if rest == ("with",):
        return "unknown-parameter", f"{subject.type_of(path)} has no parameter"
    if rest[:1] == ("only_if",):
        return "unknown-key", f"{subject.type_of(path)} has no state field"
    if rest:
        return "unknown-key", f"'{rest[-1]}' has no key"
    if subject.is_resource(place):
        return "unknown-key", "a resource has no key"
    return "unknown-key", "a parameter has no key" if path else f"{subject.name} has no key"


def _misplaced(key: str, place: Path, rest: Path, subject: Subject) -> str | None:
    """A hint for a parameter beside `with`, or a key of the resource inside it."""
    if rest == ("with",) and key in read("manifest.json")["definitions"]["resource"]["properties"]:
        return f"put it beside `with`: '{key}' is a key of the resource"
    if not rest and key in _parameters(place, subject):
        return f"put it inside `with`: it is a parameter of {subject.type_of(place)}"
    return None


def _parameters(place: Path, subject: Subject) -> Mapping[str, Any]:
    type_ = subject.type_of(place) if subject.is_resource(place) else None
    schema = usable(type_) if type_ else None
    parameters: Mapping[str, Any] = schema["definitions"]["with"]["properties"] if schema else {}
    return parameters


def _missing(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    for key in refusal.wants:
        if key not in refusal.value and not _is_meant(key, refusal, subject):
            yield _lack(refusal, subject, f"needs '{key}'", key)


def _is_meant(key: str, refusal: Refusal, subject: Subject) -> bool:
    """Whether a key that is told of for itself stands for this one: misspelt, or a parameter that is not in `with`."""
    place, rest = subject.split(refusal.path)
    if key == "with" and not rest:
        return not refusal.value.keys().isdisjoint(_parameters(place, subject))
    known = list(refusal.schema.get("properties", ()))
    return any(each not in known and nearest(each, known) == key for each in refusal.value)


def _missing_companion(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    for key, companions in refusal.wants.items():
        for companion in companions if key in refusal.value and isinstance(companions, list) else ():
            if companion not in refusal.value:
                yield _lack(refusal, subject, f"has '{key}', which needs '{companion}'", companion)


def _none_of(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    names = [name for branch in refusal.wants for name in branch["required"]]
    yield _lack(refusal, subject, f"needs {_listed(names, 'or')}", names[0])


def _lack(refusal: Refusal, subject: Subject, what: str, example: str) -> Finding:
    code = "missing-parameter" if subject.split(refusal.path)[1] == ("with",) else "missing-key"
    value = _example(refusal.schema.get("properties", {}).get(example, {}))
    hint = f"for example `{example}: {value}`" if value else f"add '{example}'"
    return Finding(code, f"{_whole(refusal.path, subject)} {what}", refusal.path, hint, on_key=True)


def _whole(path: Path, subject: Subject) -> str:
    """What stands at `path`, in words."""
    if subject.split(path)[1] == ("with",):
        return str(subject.type_of(path))
    return _label(path) if path else subject.name


def _excluded(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    *_, (_, other) = (pair for pair in pairwise(refusal.steps) if pair[0] == "dependencies")
    message = f"'{refusal.path[-1]}' and '{other}' exclude each other"
    yield Finding("bad-value", message, refusal.path, "remove one of them", on_key=True)


def _type(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    if not refusal.path and refusal.value is None:
        yield Finding("wrong-type", "the file is empty", (), _type_hint(refusal))
    elif _lacks_quotes(refusal):
        yield _unquoted(refusal, subject)
    else:
        expected = _listed([KINDS[kind] for kind in _wanted(refusal)], "or", mark="")
        message = f"{_label(refusal.path)} must be {expected}, {_found(refusal.value, subject.source(refusal.path))}"
        yield Finding("wrong-type", message, refusal.path, _type_hint(refusal))


def _wanted(refusal: Refusal) -> list[str]:
    """The types that the schema asks for, without null, and without text where that stands for an expression only."""
    kinds = refusal.schema["type"]
    left_out = ("null", "string") if refusal.schema.get("pattern") == EXPRESSION else ("null",)
    return [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind not in left_out]


def _lacks_quotes(refusal: Refusal) -> bool:
    wanted = _wanted(refusal)
    is_only_text = wanted == ["string"] and isinstance(refusal.value, int)
    return is_only_text or ("string" in wanted and isinstance(refusal.value, Float))


def _unquoted(refusal: Refusal, subject: Subject) -> Finding:
    source = subject.source(refusal.path)
    what = "a boolean" if isinstance(refusal.value, bool) else "a number"
    message = f"{_label(refusal.path)} must be text, but {source} is {what}"
    return Finding("not-text", message, refusal.path, f'quote it: "{source}"')


def _found(value: object, source: str) -> str:
    if value is None:
        return "but has no value"
    if isinstance(value, str) and not isinstance(value, Float):
        return f"not the text '{_cut(value)}'"
    if isinstance(value, int | Float):
        return f"not {source}"
    return "not a list" if isinstance(value, list | tuple) else "not a map"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


def _type_hint(refusal: Refusal) -> str | None:
    value, wanted = refusal.value, _wanted(refusal)
    if wanted == ["integer"] and isinstance(value, str) and value.lstrip("-").isdecimal():
        return "remove the quotes"
    if wanted == ["boolean"]:
        return "write true or false, without quotes"
    if wanted == ["array"] and isinstance(value, str) and not isinstance(value, Float):
        return f"write [{value}]"
    return refusal.schema.get("x-hint") or _example_hint(refusal)


def _example_hint(refusal: Refusal) -> str | None:
    value = _example(refusal.schema)
    name = refusal.path[-1] if refusal.path else 0
    if value is None:
        return None
    return f"for example `{name}: {value}`" if isinstance(name, str) else f"for example {value}"


def _choice(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    value, known = refusal.value, [_shown(item) for item in refusal.wants]
    rest = subject.split(refusal.path)[1]
    if rest == ("type",):
        known = sorted((*known, *third_party_types()))
    hint = did_you_mean(str(value), known) or f"write {_listed(known, 'or', mark='')}"
    if rest == ("type",):
        yield Finding("unknown-type", f"there is no resource type '{value}'", refusal.path, hint)
    elif rest == ("apply",):
        yield Finding("unknown-policy", f"there is no policy '{value}'", refusal.path, hint)
    else:
        message = f"{_label(refusal.path)} must be {_listed(known, 'or', mark='')}, not {_quoted(value)}"
        yield Finding("bad-value", message, refusal.path, hint)


def _unusable(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    yield Finding("unusable-type", refusal.wants.message, refusal.path, refusal.wants.hint)


def _pattern(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    if refusal.wants == EXPRESSION:
        yield from _type(refusal, subject)
    else:
        message = f"{_label(refusal.path)} must be {_expected(refusal)}, not {_quoted(refusal.value)}"
        yield Finding("bad-value", message, refusal.path, _example_hint(refusal))


def _name(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    message = f"the name '{refusal.value}' must be {_expected(refusal)}"
    yield Finding("bad-value", message, (*refusal.path, refusal.value), "rename it", on_key=True)


def _expected(refusal: Refusal) -> str:
    return str(refusal.schema.get("x-expected", f"like the pattern {refusal.wants}"))


def _too_small(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    message = f"{_label(refusal.path)} must be at least {refusal.wants}, not {refusal.value}"
    yield Finding("bad-value", message, refusal.path, f"write {refusal.wants} or more")


def _empty(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    message = f"{_label(refusal.path)} must not be empty"
    yield Finding("bad-value", message, refusal.path, "fill it in, or remove it", on_key=True)


def _repeated(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    for index, item in enumerate(refusal.value):
        if item in refusal.value[:index]:
            message = f"{_label(refusal.path)} has '{item}' twice"
            yield Finding("bad-value", message, (*refusal.path, index), "remove one of them")


def _other(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    """A keyword that our own schemas do not use; a third party's may."""
    message = f"{_label(refusal.path)} does not fit its schema"
    yield Finding("bad-value", message, refusal.path, f"the schema says {refusal.keyword}: {_shown(refusal.wants)}")


def _label(path: Path) -> str:
    """What stands at `path`, by its name."""
    if not path:
        return "the file"
    return f"'{path[-1]}'" if isinstance(path[-1], str) else f"entry {path[-1] + 1} of {_label(path[:-1])}"


def _example(schema: Schema) -> str | None:
    """The first example of a schema, as it would be written in YAML."""
    examples = schema.get("examples")
    if not examples:
        return None
    plain = isinstance(examples[0], str) and re.fullmatch(r"[A-Za-z/]([^#:{}\[\]\n]|:(?! ))*", examples[0])
    return str(examples[0]) if plain else _shown_quoted(examples[0])


def _quoted(value: object) -> str:
    return f"'{_cut(value)}'" if isinstance(value, str) else _shown_quoted(value)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else _shown_quoted(value)


def _shown_quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _listed(names: Sequence[str], last: str, mark: str = "'") -> str:
    words = [f"{mark}{name}{mark}" for name in names]
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


EXPLANATIONS: Mapping[str, Callable[[Refusal, Subject], Iterator[Finding]]] = {
    "additionalProperties": _unknown_keys,
    "anyOf": _none_of,
    "dependencies": _missing_companion,
    "enum": _choice,
    "minItems": _empty,
    "minLength": _empty,
    "minProperties": _empty,
    "minimum": _too_small,
    "not": _excluded,
    "pattern": _pattern,
    "required": _missing,
    "type": _type,
    "uniqueItems": _repeated,
    UNUSABLE: _unusable,
}
