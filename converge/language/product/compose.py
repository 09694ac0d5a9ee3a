"""One manifest after the other onto a composition: what each drops, overrides and declares, in this order."""

from collections.abc import Iterable, Mapping

from attrs import define, evolve, field

from converge.diagnostics import Mark, Related, Report, did_you_mean
from converge.language.document import Document
from converge.language.product.base import (
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
    """What the manifests heard so far amount to. `partial`: one could not be found, so absence proves nothing."""

    report: Report
    partial: bool = False
    resources: dict[str, Draft] = field(factory=dict)
    elements: dict[str, dict[str, Draft]] = field(factory=dict)
    gone: dict[str, Mark] = field(factory=dict)
    """What was dropped, ids and elements, and where."""

    def add(self, document: Document, visible: frozenset[str] | None) -> None:
        """Hear one manifest. It can change what the files in `visible` declare (None: everything)."""
        for index, name in enumerate(texts(section(document, "without"))):
            self._drop(name, document.mark(("without", index)), visible)
        for name, override in drafts(document, "override").items():
            self._override(name, override, visible)
        for name, draft in drafts(document, "resources").items():
            self._declare(name, draft)

    def _drop(self, name: str, mark: Mark, visible: frozenset[str] | None) -> None:
        if name in self.gone:
            return
        id_, key = split_element(name) or (name, None)
        if not self._is_known(id_, key, visible):
            self._unknown("unknown-id", f"`without` drops '{name}', which is not inherited", id_, mark)
            return
        self.gone[name] = mark
        if key is None:
            del self.resources[id_]
            self.elements.pop(id_, None)

    def _override(self, name: str, override: Draft, visible: frozenset[str] | None) -> None:
        id_, key = split_element(name) or (name, None)
        if not self._is_known(id_, key, visible):
            message = f"there is no inherited '{name}' to override"
            self._unknown("override-of-nothing", message, id_, override.mark)
            return
        override = self._same_type(name, self.resources[id_], override)
        below = self.elements.setdefault(id_, {})
        if key is not None:
            below[key] = merge(below.get(key, self.resources[id_]), override)
            return
        self.resources[id_] = merge(self.resources[id_], override)
        self.elements[id_] = {element: merge(draft, override) for element, draft in below.items()}

    def _same_type(self, name: str, below: Draft, override: Draft) -> Draft:
        """The override without its `type`, which may at most repeat what it overrides."""
        if "type" in override.data and override.data["type"] != below.data.get("type"):
            self.report.error(
                "type-changed",
                f"'{name}' is a {below.data.get('type')}; an override cannot make it a {override.data['type']}",
                override.mark_of("type"),
                hint="drop it in `without` and declare it anew in `resources`",
                related=(Related("declared here", below.mark),),
            )
        return evolve(override, data={key: value for key, value in override.data.items() if key != "type"})

    def _declare(self, name: str, draft: Draft) -> None:
        if before := self.resources.get(name):
            self.report.error(
                "duplicate-id",
                f"'{name}' is declared already",
                draft.mark,
                hint="to change an inherited resource, put it into `override`",
                related=(Related("declared here first", before.mark),),
            )
            return
        self.gone.pop(name, None)
        self.resources[name] = draft

    def _is_known(self, id_: str, key: str | None, visible: frozenset[str] | None) -> bool:
        draft = self.resources.get(id_)
        if draft is None or (visible is not None and draft.mark.filename not in visible):
            return False
        if key is None:
            return True
        keys = literal_keys(draft.data.get("for_each"))
        return key in keys if keys is not None else "for_each" in draft.data

    def _unknown(self, code: str, message: str, id_: str, mark: Mark) -> None:
        if self.partial:
            return
        related = (Related("dropped here", self.gone[id_]),) if id_ in self.gone else ()
        hint = did_you_mean(id_, [known for known in self.resources if known != id_]) or _hint(id_, self.resources)
        self.report.error(code, message, mark, hint=hint, related=related)


def _hint(id_: str, resources: Mapping[str, Draft]) -> str:
    if id_ not in resources:
        return "only what a manifest in `extends` declares can be changed here"
    keys = literal_keys(resources[id_].data.get("for_each"))
    return f"'{id_}' has the elements {', '.join(keys)}" if keys else f"'{id_}' has no such element"


def compose(sources: Iterable[Source], site: Document | None, *, partial: bool, report: Report) -> Composition:
    composition = Composition(report, partial)
    for source in sources:
        composition.add(source.document, source.ancestors)
    if site is not None:
        composition.add(site, None)
    return composition


def site_words(site: Document) -> tuple[str, ...]:
    """What site.yaml changes, in the words of the report."""
    return (
        *(f"value of parameter '{name}'" for name in mapping(section(site, "parameters"))),
        *(f"without '{name}'" for name in texts(section(site, "without"))),
        *(f"override of '{name}'" for name in mapping(section(site, "override"))),
    )
