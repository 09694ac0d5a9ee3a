"""From a draft to a Resource: the keys of the resource get their types, and must not contradict each other."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from converge.diagnostics import Report
from converge.language import schema
from converge.language.product.draft import Draft, mapping, texts
from converge.model import Event, OnAdopt, OnUserChange, Policy, Resource, Value, WhenFalse

_Word = TypeVar("_Word", bound=StrEnum)


def build(id_: str, draft: Draft, report: Report) -> Resource | None:
    """The resource that a draft describes; None if it has no type.

    Values that the schema has refused get their defaults, so that the rest can still be checked.
    """
    if draft.overridden:
        schema.check_resource(draft.data, draft.marks, draft.key_marks, draft.mark, report)
    data = draft.data
    type_ = data.get("type")
    if not isinstance(type_, str):
        return None
    on_user_change, on_adopt = schema.defaults(type_)
    resource = Resource(
        id=id_,
        type=type_,
        apply=_word(Policy, data.get("apply"), Policy.ALWAYS),
        mark=draft.mark,
        with_=mapping(data.get("with")),
        events=_events(data.get("events")),
        revision=_revision(data.get("revision")),
        when=_when(data.get("when")),
        when_false=_word(WhenFalse, data.get("when_false"), WhenFalse.ASK_AGAIN),
        only_if=_conditions(data.get("only_if")),
        on_user_change=_word(OnUserChange, data.get("on_user_change"), on_user_change),
        on_adopt=_word(OnAdopt, data.get("on_adopt"), on_adopt),
        needs=texts(data.get("needs")),
        follows=tuple(id_ for name in schema.references(type_) for id_ in texts(mapping(data.get("with")).get(name))),
        for_each=data.get("for_each"),
        renamed_from=_text(data.get("renamed_from")),
        why=_text(data.get("why")),
        marks=draft.marks,
    )
    _check_policy(draft, resource, report)
    _check_with(draft, resource, report)
    _check_distinct(draft, resource, report)
    return resource


def _check_policy(draft: Draft, resource: Resource, report: Report) -> None:
    policy = draft.data.get("apply")
    if "revision" in draft.data and policy in (Policy.ALWAYS, Policy.INSTALL_ONLY):
        report.error(
            "revision-without-once",
            f"`revision` of '{resource.id}' requires `apply: once`, not `apply: {policy}`",
            draft.mark_of("revision"),
            hint="remove `revision`, or write `apply: once`",
        )
    if resource.when_false is WhenFalse.FINAL and policy == Policy.ALWAYS:
        report.error(
            "final-with-always",
            f"`when_false: final` of '{resource.id}' cannot be combined with `apply: always`",
            draft.mark_of("when_false"),
            hint="remove `when_false`, or write `apply: once`",
        )


def _check_with(draft: Draft, resource: Resource, report: Report) -> None:
    written = draft.data.get("with")
    if isinstance(written, str) and "{{" in written:
        # The schema accepts every expression, because it cannot know its type.
        message = "`with` takes a map, not an expression"
        hint = "write `name: value` for each parameter; a value may be an expression"
        report.error("wrong-type", message, draft.mark_of("with"), hint=hint)
    for holder, path in ((draft.data, ("scope",)), (resource.with_, ("with", "scope"))):
        if holder.get("scope") == "user":
            report.error(
                "reserved-scope",
                "`scope: user` is reserved: converge does not act in home folders",
                draft.mark_of(*path),
                hint="remove it: resources apply to the whole system",
            )


def _check_distinct(draft: Draft, resource: Resource, report: Report) -> None:
    keys = texts(resource.for_each)
    for index, key in enumerate(keys):
        if key in keys[:index]:
            message = f"`for_each` of '{resource.id}' contains '{key}' twice"
            report.error("duplicate-element", message, draft.mark_of("for_each", index), hint="remove one of them")


def _word(kind: type[_Word], value: object, default: _Word) -> _Word:
    return kind(value) if isinstance(value, str) and value in list(kind) else default


def _events(value: object) -> frozenset[Event]:
    named = frozenset(Event(text) for text in texts(value) if text in list(Event))
    return named or frozenset((Event.INSTALL, Event.UPGRADE, Event.REFRESH))


def _revision(value: object) -> int:
    return value if isinstance(value, int) else 1


def _when(value: object) -> str | None:
    return str(value).lower() if isinstance(value, bool) else _text(value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _conditions(value: object) -> tuple[Mapping[str, Value], ...]:
    if isinstance(value, Mapping):
        return (value,)
    return tuple(item for item in value if isinstance(item, Mapping)) if isinstance(value, list | tuple) else ()
