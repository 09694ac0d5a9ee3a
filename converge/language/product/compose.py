"""Manifests are added to a composition one by one: each drops, overrides and declares resources, in this order."""

from collections.abc import Iterable

from attrs import define, evolve, field

from converge.diagnostics import Mark, Related, Report, did_you_mean
from converge.language.document import Document
from converge.language.product.draft import (
    Draft,
    Source,
    drafts,
    literal_keys,
    mapping,
    merge,
    section,
    split_element,
    texts,
)


@define
class Composition:
    """The result of the manifests so far. `partial`: a manifest is missing, so a missing id is not reported."""

    report: Report
    partial: bool = False
    resources: dict[str, Draft] = field(factory=dict)
    elements: dict[str, dict[str, Draft]] = field(factory=dict)
    dropped: dict[str, Mark] = field(factory=dict)
    """The dropped ids and elements, with their places."""

    def add(self, document: Document, visible: frozenset[str] | None) -> None:
        """Add one manifest. It can change the resources that the files in `visible` declare (None: all)."""
        for index, name in enumerate(texts(section(document, "without"))):
            self._drop(name, document.mark(("without", index)), visible)
        for name, override in drafts(document, "override").items():
            self._override(name, override, visible)
        for name, draft in drafts(document, "resources").items():
            self._declare(name, draft)

    def _drop(self, name: str, mark: Mark, visible: frozenset[str] | None) -> None:
        if name in self.dropped:
            return
        id_, key = split_element(name) or (name, None)
        if not self._is_known(id_, key, visible):
            self._unknown("unknown-id", f"`without` drops '{name}', which is not inherited", id_, key, mark)
            return
        self.dropped[name] = mark
        if key is None:
            del self.resources[id_]
            self.elements.pop(id_, None)

    def _override(self, name: str, override: Draft, visible: frozenset[str] | None) -> None:
        id_, key = split_element(name) or (name, None)
        if not self._is_known(id_, key, visible):
            message = f"`override` changes '{name}', which is not inherited"
            self._unknown("override-of-nothing", message, id_, key, override.mark)
            return
        override = self._same_type(name, self.resources[id_], override)
        below = self.elements.setdefault(id_, {})
        if key is not None:
            below[key] = merge(below.get(key, self.resources[id_]), override)
            return
        self.resources[id_] = merge(self.resources[id_], override)
        self.elements[id_] = {element: merge(draft, override) for element, draft in below.items()}

    def _same_type(self, name: str, below: Draft, override: Draft) -> Draft:
        """The override without its `type`, which must be that of the resource."""
        if "type" in override.data and override.data["type"] != below.data.get("type"):
            types = f"from {below.data.get('type')} to {override.data['type']}"
            self.report.error(
                "type-changed",
                f"an override cannot change the type of '{name}' {types}",
                override.mark_of("type"),
                hint="drop it in `without` and declare it again in `resources`",
                related=(Related("declared here", below.mark),),
            )
        return evolve(override, data={key: value for key, value in override.data.items() if key != "type"})

    def _declare(self, name: str, draft: Draft) -> None:
        if before := self.resources.get(name):
            self.report.error(
                "duplicate-id",
                f"'{name}' is already declared",
                draft.mark,
                hint="to change an inherited resource, put it into `override`",
                related=(Related("declared here first", before.mark),),
            )
            return
        self.dropped.pop(name, None)
        self.resources[name] = draft

    def _is_known(self, id_: str, key: str | None, visible: frozenset[str] | None) -> bool:
        draft = self.resources.get(id_)
        if draft is None or (visible is not None and draft.mark.filename not in visible):
            return False
        if key is None:
            return True
        keys = literal_keys(draft.data.get("for_each"))
        return key in keys if keys is not None else "for_each" in draft.data

    def _unknown(self, code: str, message: str, id_: str, key: str | None, mark: Mark) -> None:
        if self.partial:
            return
        related = (Related("dropped here", self.dropped[id_]),) if id_ in self.dropped else ()
        hint = did_you_mean(id_, [known for known in self.resources if known != id_]) or self._hint(id_, key)
        self.report.error(code, message, mark, hint=hint, related=related)

    def _hint(self, id_: str, key: str | None) -> str:
        if key is None or id_ not in self.resources:
            return "name a resource that a manifest in `extends` declares"
        keys = literal_keys(self.resources[id_].data.get("for_each"))
        return f"name one of its elements: {', '.join(keys)}" if keys else f"write '{id_}': it has no elements"


def compose(sources: Iterable[Source], site: Document | None, *, partial: bool, report: Report) -> Composition:
    composition = Composition(report, partial)
    for source in sources:
        composition.add(source.document, source.ancestors)
    if site is not None:
        composition.add(site, None)
    return composition


def site_words(site: Document) -> tuple[str, ...]:
    """The changes of site.yaml, in the words of the report."""
    return (
        *(f"value of parameter '{name}'" for name in mapping(section(site, "parameters"))),
        *(f"without '{name}'" for name in texts(section(site, "without"))),
        *(f"override of '{name}'" for name in mapping(section(site, "override"))),
    )
