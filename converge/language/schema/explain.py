"""The refusals of a schema in words that an author understands: the code, the message, the place and the remedy."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from attrs import frozen

from converge.diagnostics import Path, did_you_mean, nearest
from converge.language.document import Float
from converge.language.schema.catalog import EXPRESSION, Schema, read, third_party_types, usable
from converge.model import Value

LONGEST_QUOTE = 40
UNUSABLE = "x-unusable"
"""The keyword of a refusal whose type, a third party's, has an unusable schema; `required` is the error."""
KINDS: Mapping[str, str] = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
}


@frozen
class Subject:
    """The data that is checked, its name in messages, and the source text of each path in it."""

    data: Value
    name: str
    source: Callable[[Path], str]
    is_confidential: Callable[[Path], bool] = lambda _: False
    """Whether no finding may repeat the value at a path, because it may contain a secret."""

    def split(self, path: Path) -> tuple[Path, Path]:
        """The path of the resource or override that a path leads into, and the rest; without one, the whole path."""
        if self.is_resource(()):
            return (), path
        return (path[:2], path[2:]) if self.is_resource(path[:2]) else (path, ())

    def is_resource(self, path: Path) -> bool:
        """Whether `path` is that of a resource or an override."""
        return path == () if self.name == "a resource" else len(path) == 2 and path[0] in ("resources", "override")

    def at(self, path: Path) -> Any:  # noqa: ANN401  (any value that an author can write)
        value: Any = self.data
        for part in path:
            value = value[part]
        return value

    def type_of(self, path: Path) -> str | None:
        """The type of the resource that `path` leads into, if it is known."""
        resource = self.at(self.split(path)[0])
        type_ = resource.get("type") if isinstance(resource, Mapping) else None
        return type_ if isinstance(type_, str) else None


@frozen
class Refusal:
    """One keyword of a schema that a value does not satisfy."""

    keyword: str
    required: Any
    """The keyword's value in the schema."""
    schema: Schema
    """The schema that contains the keyword."""
    steps: tuple[str | int, ...]
    """The path to the keyword through the schemas."""
    value: Any
    path: Path


@frozen
class Finding:
    """One thing to report. `on_key`: the key at `path` is wrong, not its value. `hides`: never show the value."""

    code: str
    message: str
    path: Path
    hint: str | None = None
    on_key: bool = False
    hides: bool = False


def explain(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    """The findings of a refusal."""
    if _is_default_of_secret(refusal, subject):
        return iter(())  # language/product reports it
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
    message = f"{_label(refusal.path)} must not contain the secret itself: every reader of the manifest would know it"
    hint = 'declare a parameter with `type: secret`, write "{{ its_name }}", and set the value in site.yaml'
    yield Finding("written-out-secret", message, refusal.path, hint, hides=True)


def _is_default_of_secret(refusal: Refusal, subject: Subject) -> bool:
    path = refusal.path
    if len(path) < 3 or path[0] != "parameters" or path[2] != "default":
        return False
    declaration = subject.at(path[:2])
    return isinstance(declaration, Mapping) and declaration.get("type") == "secret"


_QUOTING = ("enum", "minimum", "pattern", "type", "uniqueItems")
"""The keywords with findings that quote the value."""


def _may_be_secret(refusal: Refusal) -> bool:
    """Whether the value may be a secret: by its schema, or because it is in place of a parameter's declaration."""
    return bool(refusal.schema.get("x-secret")) or refusal.path[:-1] == ("parameters",)


def _without_value(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    """A refusal without the value, which may be a secret. In `{NAME:VALUE}` the secret is part of the key."""
    code, expected = "bad-value", str(refusal.schema.get("x-expected", "as its schema requires"))
    if refusal.keyword == "type":
        code, expected = "wrong-type", _listed([KINDS[kind] for kind in _kinds(refusal)], "or", mark="")
    elif refusal.keyword == "enum":
        expected = _listed([_shown(item) for item in refusal.required], "or", mark="")
    hint = refusal.schema.get("x-hint", "write text in quotes")
    label = _label(refusal.path)
    if refusal.path[:-1] == ("parameters",):
        label, hint = "a value in 'parameters'", "write NAME: VALUE, with text in quotes"
    yield Finding(code, f"{label} must be {expected}", refusal.path, hint, hides=True)


def _unknown_keys(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    known = list(refusal.schema["properties"])
    place, rest = subject.split(refusal.path)
    code, owner = _owner(refusal.path, subject)
    in_resource = subject.is_resource(place) and rest in ((), ("with",))
    for key, value in refusal.value.items():
        if key in known or (in_resource and key == "scope" and value == "user"):
            continue  # `scope: user` is reserved, not unknown: language/product reports it
        hint = did_you_mean(key, known) or _misplaced(key, place, rest, subject) or f"write {_listed(known, 'or')}"
        hides = bool(refusal.schema["properties"].get(nearest(key, known), {}).get("x-secret"))
        yield Finding(code, f"{owner} '{key}'", (*refusal.path, key), hint, on_key=True, hides=hides)


def _owner(path: Path, subject: Subject) -> tuple[str, str]:
    """The code, and the beginning of the message, for an unknown key of the value at `path`."""
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
    for key in refusal.required:
        if key not in refusal.value and not _is_misspelt(key, refusal, subject):
            yield _lack(refusal, subject, f"{_whole(refusal.path, subject)} requires '{key}'", key)


def _is_misspelt(key: str, refusal: Refusal, subject: Subject) -> bool:
    """Whether another finding explains the missing key: a misspelt key, or a parameter beside `with`."""
    place, rest = subject.split(refusal.path)
    if key == "with" and not rest:
        return not refusal.value.keys().isdisjoint(_parameters(place, subject))
    known = list(refusal.schema.get("properties", ()))
    return any(each not in known and nearest(each, known) == key for each in refusal.value)


def _missing_companion(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    for key, companions in refusal.required.items():
        for companion in companions if key in refusal.value and isinstance(companions, list) else ():
            if companion not in refusal.value:
                message = f"'{key}' of {_whole(refusal.path, subject)} requires '{companion}'"
                yield _lack(refusal, subject, message, companion)


def _none_of(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    names = [name for branch in refusal.required for name in branch["required"]]
    yield _lack(refusal, subject, f"{_whole(refusal.path, subject)} requires {_listed(names, 'or')}", names[0])


def _lack(refusal: Refusal, subject: Subject, message: str, example: str) -> Finding:
    code = "missing-parameter" if subject.split(refusal.path)[1] == ("with",) else "missing-key"
    value = _example(refusal.schema.get("properties", {}).get(example, {}))
    hint = f"for example `{example}: {value}`" if value else f"add '{example}'"
    return Finding(code, message, refusal.path, hint, on_key=True)


def _whole(path: Path, subject: Subject) -> str:
    """The owner of the keys at `path`, in words."""
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
        expected = _listed([KINDS[kind] for kind in _kinds(refusal)], "or", mark="")
        message = f"{_label(refusal.path)} must be {expected}, {_found(refusal.value, subject.source(refusal.path))}"
        yield Finding("wrong-type", message, refusal.path, _type_hint(refusal))


def _kinds(refusal: Refusal) -> list[str]:
    """The types that the schema requires, without null, and without text if only an expression is accepted."""
    kinds = refusal.schema["type"]
    left_out = ("null", "string") if refusal.schema.get("pattern") == EXPRESSION else ("null",)
    return [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind not in left_out]


def _lacks_quotes(refusal: Refusal) -> bool:
    kinds = _kinds(refusal)
    is_only_text = kinds == ["string"] and isinstance(refusal.value, int)
    return is_only_text or ("string" in kinds and isinstance(refusal.value, Float))


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
    value, kinds = refusal.value, _kinds(refusal)
    if kinds == ["integer"] and isinstance(value, str) and value.lstrip("-").isdecimal():
        return "remove the quotes"
    if kinds == ["boolean"]:
        return "write true or false, without quotes"
    if kinds == ["array"] and isinstance(value, str) and not isinstance(value, Float):
        return f"write [{value}]"
    return refusal.schema.get("x-hint") or _example_hint(refusal)


def _example_hint(refusal: Refusal) -> str | None:
    value = _example(refusal.schema)
    name = refusal.path[-1] if refusal.path else 0
    if value is None:
        return None
    return f"for example `{name}: {value}`" if isinstance(name, str) else f"for example {value}"


def _choice(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    value, known = refusal.value, [_shown(item) for item in refusal.required]
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
    yield Finding("unusable-type", refusal.required.message, refusal.path, refusal.required.hint)


def _pattern(refusal: Refusal, subject: Subject) -> Iterator[Finding]:
    if refusal.required == EXPRESSION:
        yield from _type(refusal, subject)
    else:
        message = f"{_label(refusal.path)} must be {_expected(refusal)}, not {_quoted(refusal.value)}"
        yield Finding("bad-value", message, refusal.path, _example_hint(refusal))


def _name(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    message = f"'{refusal.value}' must be {_expected(refusal)}"
    yield Finding("bad-value", message, (*refusal.path, refusal.value), "rename it", on_key=True)


def _expected(refusal: Refusal) -> str:
    return str(refusal.schema.get("x-expected", f"text that matches the pattern {refusal.required}"))


def _too_small(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    message = f"{_label(refusal.path)} must be at least {refusal.required}, not {refusal.value}"
    yield Finding("bad-value", message, refusal.path, f"write {refusal.required} or more")


def _empty(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    message = f"{_label(refusal.path)} must not be empty"
    yield Finding("bad-value", message, refusal.path, "give it a value, or remove it", on_key=True)


def _repeated(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    for index, item in enumerate(refusal.value):
        if item in refusal.value[:index]:
            message = f"{_label(refusal.path)} contains '{item}' twice"
            yield Finding("bad-value", message, (*refusal.path, index), "remove one of them")


def _other(refusal: Refusal, _subject: Subject) -> Iterator[Finding]:
    """A keyword that our own schemas do not use, but a third party's may."""
    message = f"{_label(refusal.path)} does not match its schema"
    hint = f"write a value that satisfies {refusal.keyword}: {_shown(refusal.required)}"
    yield Finding("bad-value", message, refusal.path, hint)


def _label(path: Path) -> str:
    """The value at `path`, by its name."""
    if not path:
        return "the file"
    return f"'{path[-1]}'" if isinstance(path[-1], str) else f"entry {path[-1] + 1} of {_label(path[:-1])}"


def _example(schema: Schema) -> str | None:
    """The first example of a schema, in YAML."""
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
