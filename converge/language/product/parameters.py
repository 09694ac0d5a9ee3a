"""The parameters of a product: declared by its manifests, typed, and set by site.yaml and `--set`.

A manifest may declare an inherited parameter again, with the same type, to change its default. site.yaml and `--set`
only set values.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from attrs import evolve, frozen

from converge.diagnostics import Mark, Related, Report, did_you_mean
from converge.language.document import Document
from converge.language.product.draft import mapping, section
from converge.model import Parameter, Secret, Value
from converge.values import parse_size


class UnfitValueError(ValueError):
    """A value that does not have its parameter's type; the message is the remedy."""


def _size(value: object) -> int:
    try:
        if isinstance(value, str | int) and not isinstance(value, bool):
            return parse_size(str(value))
    except ValueError:
        pass
    raise UnfitValueError("write a number of bytes, or a number with KiB, MiB, GiB or TiB, such as 8GiB")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UnfitValueError("write a text, in quotes")
    if "{{" in value:
        raise UnfitValueError("write a plain value; only `when`, `for_each` and `with` take expressions")
    return value


def _integer(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnfitValueError("write a whole number, such as 3")
    return value


def _boolean(value: object) -> bool:
    known = {"true": True, "false": False}
    if isinstance(value, str) and value in known:
        return known[value]
    if not isinstance(value, bool):
        raise UnfitValueError("write true or false")
    return value


def _list(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(_text(part.strip()) for part in value.split(",") if part.strip())
    if not isinstance(value, list | tuple):
        raise UnfitValueError("write a list of texts, such as [a, b]")
    return tuple(_text(item) for item in value)


def _secret(value: object) -> Secret:
    if not isinstance(value, str) or not value:
        raise UnfitValueError("write a non-empty text in quotes")
    return Secret(value)


_TYPES: Mapping[str, Callable[[object], "Value | Secret"]] = {
    "boolean": _boolean,
    "integer": _integer,
    "list": _list,
    "secret": _secret,
    "size": _size,
    "text": _text,
    "version": _text,
}
_TAKES: Mapping[str, str] = {
    "boolean": "true or false",
    "integer": "a whole number",
    "list": "a list of texts",
    "secret": "non-empty text",
    "size": "a size",
    "text": "text",
    "version": "a version",
}


@frozen
class Declared:
    """A parameter, the place of its first declaration, and whether a value was `given`, even a refused one."""

    parameter: Parameter
    first: Mark
    given: bool


def declare(
    known: Mapping[str, Declared], document: Document, ancestors: frozenset[str], report: Report
) -> dict[str, Declared]:
    """The known parameters, and those that a manifest declares."""
    result = dict(known)
    for name, declaration in mapping(section(document, "parameters")).items():
        mark = document.key_mark(("parameters", name))
        before = known.get(name)
        found = _declared(document, name, mapping(declaration), mark, before, report)
        if found is not None and _may_declare(name, found, before, ancestors, report):
            result[name] = found
    return result


def _declared(
    document: Document,
    name: str,
    declaration: Mapping[str, object],
    mark: Mark,
    before: Declared | None,
    report: Report,
) -> Declared | None:
    type_ = declaration.get("type", before.parameter.type if before else None)
    if not isinstance(type_, str) or type_ not in _TYPES:
        return None
    given = "default" in declaration
    value = before.parameter.value if before and before.parameter.type == type_ else None
    if given:
        value = _default(name, type_, declaration["default"], document.mark(("parameters", name, "default")), report)
    description = str(declaration.get("description", before.parameter.description if before else ""))
    parameter = Parameter(name, type_, value, description, mark)
    return Declared(parameter, before.first if before else mark, given or (before is not None and before.given))


def _default(name: str, type_: str, value: object, mark: Mark, report: Report) -> "Value | Secret":
    if type_ != "secret":
        return _typed(name, type_, value, mark, report)
    report.hide(mark)
    message = f"the secret '{name}' must not have a default: every reader of the manifest would know it"
    report.error("written-out-secret", message, mark, hint="remove the default, and set the value in site.yaml")
    return None


def _may_declare(
    name: str, found: Declared, before: Declared | None, ancestors: frozenset[str], report: Report
) -> bool:
    if before is None:
        return True
    there = (Related("declared here first", before.first),)
    if before.first.filename not in ancestors:
        message = f"two manifests declare the parameter '{name}', and neither extends the other"
        hint = "declare it in a manifest that both extend"
        report.error("duplicate-parameter", message, found.parameter.mark, hint=hint, related=there)
        return False
    if found.parameter.type != before.parameter.type:
        types = f"from {before.parameter.type} to {found.parameter.type}"
        message = f"the parameter '{name}' cannot change its type {types}"
        hint = "keep the type, or choose another name"
        report.error("type-changed", message, found.parameter.mark, hint=hint, related=there)
        return False
    return True


def _typed(name: str, type_: str, value: object, mark: Mark | None, report: Report) -> "Value | Secret":
    try:
        return _TYPES[type_](value)
    except UnfitValueError as error:
        given = "the value that is set" if type_ == "secret" else repr(value)
        message = f"the parameter '{name}' takes {_TAKES[type_]}, not {given}"
        report.error("wrong-type", message, mark, hint=str(error))
        return None


def apply_site(known: Mapping[str, Declared], document: Document, report: Report) -> dict[str, Declared]:
    values = mapping(section(document, "parameters"))
    places = {name: (document.key_mark(("parameters", name)), document.mark(("parameters", name))) for name in values}
    return _set(known, values, places, "site.yaml", report)


def apply_settings(known: Mapping[str, Declared], settings: Mapping[str, str], report: Report) -> dict[str, Declared]:
    """Apply `--set`: its texts are read as values of the parameter's type; a list is written with commas."""
    return _set(known, settings, {}, "--set", report)


def _set(
    known: Mapping[str, Declared],
    values: Mapping[str, object],
    places: Mapping[str, tuple[Mark, Mark]],
    source: str,
    report: Report,
) -> dict[str, Declared]:
    result = dict(known)
    for name, value in values.items():
        key_mark, mark = places.get(name, (None, None))
        if name not in known and value is None:
            continue  # its schema has reported it; a missing space (`psk:secret`) puts a secret into the name
        if name not in known:
            hint = did_you_mean(name, list(known)) or _listed(known)
            message = f"{source} sets '{name}', which is not a parameter of this product"
            report.error("unknown-parameter-setting", message, key_mark, hint=hint)
            continue
        parameter = known[name].parameter
        typed = _typed(name, parameter.type, value, mark, report)
        result[name] = evolve(
            known[name], parameter=evolve(parameter, value=typed, mark=mark or parameter.mark), given=True
        )
    return result


def _listed(names: Iterable[str]) -> str:
    return "set one of " + ", ".join(f"'{name}'" for name in names) if names else "remove it: there are no parameters"


def require_values(known: Mapping[str, Declared], report: Report) -> None:
    """Report the parameters without a default and without a value."""
    for name, declared in known.items():
        if not declared.given:
            hint = f"set it in site.yaml, or with --set {name}=VALUE"
            report.error("missing-value", f"the parameter '{name}' has no value", declared.parameter.mark, hint=hint)
