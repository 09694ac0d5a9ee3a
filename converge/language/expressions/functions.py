"""The table of functions, each of which is also a filter: `min([a, b])` is `[a, b] | min`."""

import re
from collections.abc import Mapping, Sequence

from converge.language.expressions.types import (
    ANY,
    INTEGER,
    MAX_TEXT,
    SIZE,
    TEXT,
    TEXTS,
    TOO_LONG,
    VERSION,
    Found,
    Function,
    Kind,
    Mismatch,
    Rule,
    Type,
    described,
    required,
    unify,
)
from converge.model import Version
from converge.values import parse_size, version_key


def takes(result: Type, *kinds: "Kind | tuple[Kind, ...]", optional: int = 0) -> Rule:
    """The rule of a function with a fixed result; the last `optional` arguments may be left out."""
    parameters: list[tuple[Kind, ...]] = [(kind,) if isinstance(kind, str) else kind for kind in kinds]
    least, most = len(parameters) - optional, len(parameters)

    def rule(arguments: Sequence[Type]) -> Type:
        if not least <= len(arguments) <= most:
            number = str(most) if least == most else f"{least} or {most}"
            raise Mismatch(f"takes {number} argument{'s' if most != 1 else ''}, not {len(arguments)}")
        for index, (argument, allowed) in enumerate(zip(arguments, parameters, strict=False)):
            _require_kind(argument, allowed, index)
        return result

    return rule


def _require_kind(argument: Type, allowed: "tuple[Kind, ...]", index: int) -> None:
    if argument.kind not in (*allowed, "any"):
        *others, last = map(described, allowed)
        takes = f"{', '.join(others)} or {last}" if others else last
        raise Mismatch(f"takes {takes}, not {argument.described}", argument=index)


def _extreme(arguments: Sequence[Type]) -> Type:
    items = arguments
    if len(arguments) == 1:
        _require_kind(arguments[0], ("list",), 0)
        items = (arguments[0].of or ANY,)
    if not items:
        raise Mismatch("takes a list, or two or more values")
    best: Type | None = items[0]
    for item in items[1:]:
        best = best and unify(best, item)
    if best is None or best.kind not in ("any", "integer", "size", "version"):
        raise Mismatch("takes integers, sizes or versions", hint='convert texts: version("3.8"), size("8GiB")')
    return best


def _joining(arguments: Sequence[Type]) -> Type:
    takes(TEXT, "list", "text", optional=1)(arguments)
    item = arguments[0].of or ANY
    if item.kind not in ("any", "text", "integer", "size"):
        raise Mismatch(f"takes a list of texts or numbers, not {arguments[0].described}", argument=0)
    return TEXT


def _defaulting(arguments: Sequence[Type]) -> Type:
    takes(ANY, "any", "any")([ANY] * len(arguments))
    value, fallback = arguments
    found = unify(required(value), fallback)
    if found is None:
        raise Mismatch(f"takes a fallback of the same type: {value.described}, not {fallback.described}", argument=1)
    return found


def order_key(value: Found) -> object:
    """The key that a value is sorted by; ValueError if it cannot be sorted."""
    if isinstance(value, Version):
        return version_key(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"'{value}' is not an integer, size or version")


def _pool(values: Sequence[Found]) -> list[Found]:
    found = list(values[0]) if len(values) == 1 and isinstance(values[0], list | tuple) else list(values)
    if not found:
        raise ValueError("the list is empty")
    return found


def _min(*values: Found) -> Found:
    return min(_pool(values), key=order_key)  # type: ignore[arg-type]  # keys of one list are of one type


def _max(*values: Found) -> Found:
    return max(_pool(values), key=order_key)  # type: ignore[arg-type]  # keys of one list are of one type


def _int(value: str | int) -> int:
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        raise ValueError(f"'{value}' is not an integer")
    return int(value)


def _size(value: str | int) -> int:
    return parse_size(value) if isinstance(value, str) else value


def _version(value: str | Version) -> Version:
    return Version(value) if isinstance(value, str) else value


def _replace(text: str, old: str, new: str) -> str:
    if len(text) + text.count(old) * len(new) > MAX_TEXT:
        raise ValueError(TOO_LONG)
    return text.replace(old, new)


def _join(items: Sequence[str | int], separator: str = "") -> str:
    texts = [str(item) for item in items]
    if sum(map(len, texts)) + len(texts) * len(separator) > MAX_TEXT:
        raise ValueError(TOO_LONG)
    return separator.join(texts)


def _split(text: str, separator: str | None = None) -> tuple[str, ...]:
    return tuple(text.split(separator))


def _default(value: Found, fallback: Found) -> Found:
    return fallback if value is None else value


def _length(value: str | Sequence[Found]) -> int:
    return len(value)


def _basename(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2] or path[:1]


def _stem(path: str) -> str:
    name = _basename(path)
    before, dot, _ = name.rpartition(".")
    return before if dot and before.strip(".") else name


def _dirname(path: str) -> str:
    folder, slash, _ = path.rstrip("/").rpartition("/")
    return folder.rstrip("/") or (slash or path[:1] if path.startswith("/") else ".")


FUNCTIONS: Mapping[str, Function] = {
    "min": Function("min(list) or min(a, b, ...)", "The smallest of integers, sizes or versions.", _extreme, _min),
    "max": Function("max(list) or max(a, b, ...)", "The largest of integers, sizes or versions.", _extreme, _max),
    "int": Function("int(text)", "The text as an integer.", takes(INTEGER, ("text", "integer", "size")), _int),
    "lower": Function("lower(text)", "The text in lowercase.", takes(TEXT, "text"), str.lower),
    "upper": Function("upper(text)", "The text in uppercase.", takes(TEXT, "text"), str.upper),
    "replace": Function(
        "replace(text, old, new)",
        "The text with every `old` replaced by `new`.",
        takes(TEXT, "text", "text", "text"),
        _replace,
    ),
    "join": Function(
        "join(list, separator)", "The items as one text, with the separator or nothing between them.", _joining, _join
    ),
    "split": Function(
        "split(text, separator)",
        "The parts of a text; without a separator, its words.",
        takes(TEXTS, "text", "text", optional=1),
        _split,
    ),
    "default": Function(
        "default(value, fallback)",
        "The value, or the fallback if the value is unset. An unknown value stays unknown.",
        _defaulting,
        _default,
        strict=False,
    ),
    "length": Function(
        "length(value)", "The number of characters or items.", takes(INTEGER, ("text", "list")), _length
    ),
    "basename": Function("basename(path)", "The last part of a path.", takes(TEXT, "text"), _basename),
    "stem": Function("stem(path)", "The last part of a path without its suffix.", takes(TEXT, "text"), _stem),
    "dirname": Function("dirname(path)", "The path of the folder that contains a path.", takes(TEXT, "text"), _dirname),
    "version": Function(
        "version(text)", "The text as a version, for comparisons.", takes(VERSION, ("text", "version")), _version
    ),
    "size": Function(
        "size(text)", "The size in bytes of a text such as 8GiB.", takes(SIZE, ("text", "integer", "size")), _size
    ),
}
