"""Documents and composed resources are checked against the schemas of schemas/; each refusal becomes a diagnostic."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from converge.diagnostics import Mark, Path, Report
from converge.errors import ConvergeError
from converge.language.document import Document, Float
from converge.language.schema.catalog import (
    Schema,
    defaults,
    files,
    find,
    folder,
    load,
    named,
    read,
    references,
    rows,
    sizes,
    third_party_types,
    topic,
    types,
)
from converge.language.schema.explain import UNUSABLE, Finding, Refusal, Subject, explain
from converge.model import Value

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = [
    "check_manifest",
    "check_resource",
    "check_site",
    "defaults",
    "files",
    "find",
    "folder",
    "load",
    "named",
    "read",
    "references",
    "rows",
    "sizes",
    "third_party_types",
    "topic",
    "types",
]

_RESOURCE = "manifest.json#/definitions/resource"


def check_manifest(document: Document, report: Report) -> None:
    """Report everything in a manifest that its schema, or those of the types that it uses, refuse."""
    places = _Places(document.marks, document.key_marks, document.mark(()))
    subject = Subject(document.data, "a manifest", document.source)
    _report(_findings("manifest.json", subject, document.unread), places, report)


def check_site(document: Document, report: Report) -> None:
    """Report everything in a site.yaml that its schema refuses. An empty file is accepted."""
    if document.data is None:
        return
    places = _Places(document.marks, document.key_marks, document.mark(()))
    subject = Subject(document.data, "site.yaml", document.source, is_confidential=lambda _: True)
    _report(_findings("site.json", subject, document.unread), places, report)


def check_resource(
    data: Mapping[str, Value], marks: Mapping[Path, Mark], key_marks: Mapping[Path, Mark], mark: Mark, report: Report
) -> None:
    """Report everything that the schemas refuse in a resource that is composed of several files.

    Paths are relative to the resource, `mark` is the resource's own. Nothing is reported twice.
    """
    places = _Places(marks, key_marks, mark)

    def is_confidential(path: Path) -> bool:
        return report.hides_file(places.of_value(path).filename)

    subject = Subject(data, "a resource", lambda path: _shown(data, path), is_confidential)
    _report(_findings(_RESOURCE, subject, frozenset()), places, report)


def _shown(data: Any, path: Path) -> str:  # noqa: ANN401  (any value that an author can write)
    for part in path:
        data = data[part]
    return str(data).lower() if isinstance(data, bool) else str(data)


@frozen
class _Places:
    """The places of the values and keys that are checked."""

    marks: Mapping[Path, Mark]
    key_marks: Mapping[Path, Mark]
    own: Mark

    def of(self, finding: Finding) -> Mark:
        if finding.on_key and finding.path in self.key_marks:
            return self.key_marks[finding.path]
        return self.of_value(finding.path)

    def of_value(self, path: Path) -> Mark:
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, self.own)


def _report(findings: Iterator[Finding], places: _Places, report: Report) -> None:
    known = {(diagnostic.mark, diagnostic.code) for diagnostic in report}
    reported = set()
    for mark, finding in sorted(((places.of(finding), finding) for finding in findings), key=lambda pair: pair[0]):
        if (mark, finding.code) not in known and (mark, finding.message) not in reported:
            reported.add((mark, finding.message))
            if finding.hides:
                report.hide(places.of_value(finding.path))
            report.error(finding.code, finding.message, mark, hint=finding.hint)


def _findings(reference: str, subject: Subject, unread: frozenset[Path]) -> Iterator[Finding]:
    refusals = list(_refusals(reference, subject))
    untyped = {refusal.path for refusal in refusals if refusal.keyword == "type"}
    for refusal in refusals:
        path = refusal.path
        adds_nothing = refusal.keyword != "type" and path in untyped
        is_unread = any(path[:length] in unread for length in range(len(path) + 1))
        if not adds_nothing and not is_unread and not _is_expression(refusal, subject):
            yield from explain(refusal, subject)


def _is_expression(refusal: Refusal, subject: Subject) -> bool:
    """Whether the value is an expression, whose type a schema cannot know."""
    value = refusal.value
    return isinstance(value, str) and "{{" in value and subject.split(refusal.path)[1][:1] == ("with",)


def _refusals(reference: str, subject: Subject) -> Iterator[Refusal]:
    """The refusals of the schema; a resource of a third party's type is checked against that type's own schema."""
    for refusal in _refused(reference, subject.data, ()):
        is_type = refusal.keyword == "enum" and subject.split(refusal.path)[1] == ("type",)
        yield from _refusals_of_type(refusal, subject) if is_type else (refusal,)


def _refusals_of_type(refusal: Refusal, subject: Subject) -> Iterator[Refusal]:
    """The refusal of an unknown type; the refusals of its own schema if a third party declares the type."""
    try:
        known = find(str(refusal.value)) is not None
        yield from _refused_by_third_party(refusal.path[:-1], subject) if known else (refusal,)
    except ConvergeError as error:
        yield evolve(refusal, keyword=UNUSABLE, required=error)


def _refused_by_third_party(path: Path, subject: Subject) -> Iterator[Refusal]:
    resource = subject.at(path)
    schema = f"{resource['type']}#/definitions"
    yield from _refused(f"{schema}/with", resource.get("with", {}), (*path, "with"))
    conditions = resource.get("only_if", [])
    if not isinstance(conditions, list):
        yield from _refused(f"{schema}/state", conditions, (*path, "only_if"))
        return
    for index, condition in enumerate(conditions):
        yield from _refused(f"{schema}/state", condition, (*path, "only_if", index))


def _refused(reference: str, data: Value, place: Path) -> Iterator[Refusal]:
    for error in _validator(reference).iter_errors(data):
        path, steps = (*place, *error.absolute_path), tuple(error.absolute_schema_path)
        schema = error.schema if isinstance(error.schema, dict) else {}
        yield Refusal(str(error.validator), error.validator_value, schema, steps, error.instance, path)


@cache
def _validator(reference: str) -> "Validator":
    """The validator of a schema or of a part of a schema; built once, with every schema that it may refer to."""
    from jsonschema import Draft7Validator, validators
    from referencing import Registry
    from referencing.jsonschema import DRAFT7

    names = ["manifest.json", "site.json", *files().values()]
    owner = reference.partition("#")[0]
    contents = {name: read(name) for name in names} | ({} if owner in names else {owner: _sound(owner)})
    registry = Registry().with_resources((name, DRAFT7.create_resource(_nameless(s))) for name, s in contents.items())
    checker = Draft7Validator.TYPE_CHECKER.redefine("string", _is_text)
    kind = validators.extend(Draft7Validator, type_checker=checker)  # type: ignore[no-untyped-call]  # it has no types
    validator: Validator = kind({"$ref": reference}, registry=registry)
    return validator


def _sound(type_: str) -> Schema:
    """The schema of a third party's type; ConvergeError if it is not a JSON schema."""
    from jsonschema import Draft7Validator, SchemaError

    schema = load(type_)
    try:
        Draft7Validator.check_schema(schema)
    except SchemaError as error:
        place = ".".join(map(str, error.absolute_path)) or "the top level"
        message = f"the schema of '{type_}' is not a JSON schema: {error.message}"
        raise ConvergeError(message, hint=f"correct {place} in it") from error
    return schema


def _nameless(schema: Schema) -> Schema:
    """The schema without `$schema`, because jsonschema would use its own type checker if it found that key."""
    return {key: value for key, value in schema.items() if key != "$schema"}


def _is_text(_checker: object, value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, Float)
