"""The content of a ledger, as values and as JSON. Pure."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs
from attrs import evolve, field, frozen

from converge.model import Change, Effect, EffectKind, Entry, Event, Resource, Status, Value

_T = TypeVar("_T")

FORMAT = 1
HISTORY_KEPT = 100


@frozen
class Deployment:
    """A deployment that a run has decided completely: its identity and its OS version."""

    identity: str
    version: str


@frozen
class Opened:
    """An event that no run has yet decided completely, and the deployment it came with."""

    event: Event
    adopting: bool
    deployment: Deployment


@frozen
class Intent:
    """The changes that a run is about to make: written before the change, dropped after it."""

    id: str
    changes: tuple[Change, ...]
    entry: Entry
    before: Mapping[str, Value] = field(factory=dict)
    """The whole state before; if that run was interrupted and another one resumes it, the state before the first."""


@frozen
class Memory:
    """The content of one ledger."""

    product: str = ""
    source: str = ""
    """The path of the product's manifest, if it was named by its path."""
    began: tuple[Event, str | None] | None = None
    """How this machine began: the event, and the OS version at an install (None if converge did not run at it)."""
    opened: Opened | None = None
    history: tuple[Deployment, ...] = ()
    """Oldest first; the last one is the deployment of the last run that decided everything."""
    entries: Mapping[str, Entry] = field(factory=dict)
    intents: Mapping[str, Intent] = field(factory=dict)
    effects: tuple[Effect, ...] = ()
    underway: tuple[Mapping[str, Any], ...] = ()
    """Changes since the last of the runs; a killed run leaves them to the next one."""
    runs: tuple[Mapping[str, Any], ...] = ()
    """The changes of each of the last runs, with the state before: {run, time, version, changes: [...]}; for undo."""
    audit: tuple[Mapping[str, Any], ...] = ()
    format: int = FORMAT
    """The newest format that was written here."""
    unknown: Mapping[str, Any] = field(factory=dict)
    """Keys that a newer converge wrote; kept."""

    @property
    def identity(self) -> str | None:
        return self.history[-1].identity if self.history else None

    def find(self, resource: Resource, id_: str) -> Entry | None:
        """The entry of a resource: under its id, the id it was renamed from, or the id that this one became."""
        former = former_id(resource, id_)
        found = next((each for each in (id_, former) if each in self.entries), None)
        entry = None if found is None else self.entries[self._renamed(found)]
        return entry if entry is not None and entry.type == resource.type else None

    def intent_of(self, resource: Resource, id_: str) -> Intent | None:
        """The open intent of a resource, under its id or the one it was renamed from."""
        intent = self.intents.get(id_) or self.intents.get(former_id(resource, id_) or "")
        return intent if intent is not None and intent.entry.type == resource.type else None

    def notices(self, resource: Resource, id_: str) -> tuple[Effect, ...]:
        """The changes that a resource still has to follow, under its id or the one it was renamed from."""
        if not self.effects:
            return ()
        names = (id_, former_id(resource, id_))
        return tuple(each for each in self.effects if each.kind is EffectKind.NOTICE and each.unit in names)

    def with_event(self, opened: Opened, began: tuple[Event, str | None], product: str, source: str = "") -> "Memory":
        """Open an event; one that was open before is over."""
        history = self._after_install(opened.deployment)
        return evolve(self, opened=opened, began=self.began or began, product=product, source=source, history=history)

    def with_intent(self, intent: Intent) -> "Memory":
        return evolve(self, intents={**self.intents, intent.id: intent})

    def with_entry(self, entry: Entry, former: str | None = None) -> "Memory":
        """Record an entry. The entry at its `former` id stays as an alias, so that a rollback finds this one.

        After that rollback an entry arrives under the alias, and is recorded under the id to which the alias leads.
        """
        id_ = self._renamed(entry.id)
        if id_ == former or not _is_same(entry, self.entries.get(id_)):
            id_ = entry.id
        held = self.entries.get(id_)
        unknown = {**held.unknown, **entry.unknown} if held else entry.unknown
        entries = {**self.entries, id_: evolve(entry, id=id_, unknown=unknown)}
        if former is not None and _is_same(entry, self.entries.get(former)):
            entries[former] = evolve(entries[former], alias=id_)
        intents = {key: intent for key, intent in self.intents.items() if key not in (entry.id, former)}
        return evolve(self, entries=entries, intents=intents)

    def with_change(self, entry: Entry, former: str | None = None) -> "Memory":
        """Record the changes of an intent that the entry settles."""
        intent = self.intents.get(entry.id) or self.intents.get(former or "")
        if intent is None or not entry.status.settled:
            return self
        change = {"id": entry.id, "type": entry.type, "before": intent.before, "changes": intent.changes}
        return evolve(self, underway=(*self.underway, {name: to_json(value) for name, value in change.items()}))

    def with_effects(self, effects: tuple[Effect, ...]) -> "Memory":
        return evolve(self, effects=tuple(dict.fromkeys((*self.effects, *effects))))

    def closed(self, deployment: Deployment, product: str, source: str = "") -> "Memory":
        """The event is over: every resource was decided for this deployment.

        An intent that is still open is of a resource that is no longer declared: otherwise it would have been decided.
        """
        memory = self
        for intent in self.intents.values():
            if self._renamed(intent.id) == intent.id:
                reason = "interrupted, and no longer declared"
                memory = memory.with_entry(evolve(intent.entry, status=Status.FAILED, reason=reason))
        history = _at_end(self._after_install(deployment), deployment)[-HISTORY_KEPT:]
        return evolve(memory, opened=None, history=history, intents={}, product=product, source=source)

    def _renamed(self, id_: str) -> str:
        """The last of the ids that an entry had in turn."""
        for _ in self.entries:
            entry = self.entries.get(id_)
            if entry is None or entry.alias is None or entry.alias not in self.entries:
                break
            id_ = entry.alias
        return id_

    def _after_install(self, deployment: Deployment) -> tuple[Deployment, ...]:
        """The history; if an install was left open on another deployment (an image build), with that deployment.

        The machine ran it, although no run closed the install before the machine moved to `deployment`.
        """
        if self.opened is None or self.opened.event is not Event.INSTALL or self.opened.deployment == deployment:
            return self.history
        return _at_end(self.history, self.opened.deployment)


def former_id(resource: Resource, id_: str) -> str | None:
    """The id that an instance of a renamed resource had: `old[key]` for `new[key]`."""
    return None if resource.renamed_from is None else resource.renamed_from + id_[len(resource.id) :]


def without(mapping: Mapping[str, _T], key: str) -> dict[str, _T]:
    return {other: value for other, value in mapping.items() if other != key}


def _is_same(entry: Entry, other: Entry | None) -> bool:
    """Whether two entries have the same type and things; unknown things count as the same."""
    if other is None or entry.type != other.type:
        return False
    return entry.things == other.things or not (entry.things and other.things)


def _at_end(history: tuple[Deployment, ...], deployment: Deployment) -> tuple[Deployment, ...]:
    return (*(past for past in history if past.identity != deployment.identity), deployment)


def plain(value: object) -> dict[str, Any]:
    """A value that json does not know, as a map; the `unknown` keys of a class are beside its own, as read."""
    if isinstance(value, Mapping):
        return dict(value)
    class_: type[attrs.AttrsInstance] = type(value)  # type: ignore[assignment]  # json knows all others
    data = {each.name: getattr(value, each.name) for each in attrs.fields(class_)}
    return {**data.pop("unknown", {}), **data}


def to_json(value: object) -> Any:  # noqa: ANN401  (whatever JSON holds)
    """A value as JSON data."""
    return json.loads(json.dumps(value, default=plain))


def memory_from(document: dict[str, Any]) -> Memory:
    """The memory in a ledger's JSON. Raises KeyError, TypeError, ValueError or AttributeError if it is not valid."""
    opened, began = document["opened"], document["began"]
    return Memory(
        product=document["product"],
        source=document.get("source", ""),
        began=began_from(began) if began else None,
        opened=opened_from(opened) if opened else None,
        history=tuple(_deployment(d) for d in document["history"]),
        entries={id_: entry_from({**entry, "id": id_}) for id_, entry in document["entries"].items()},
        intents={intent["id"]: intent_from(intent) for intent in document["intents"].values()},
        effects=tuple(effect_from(e) for e in document["effects"]),
        underway=tuple(document["underway"]),
        runs=tuple(document["runs"]),
        audit=tuple(document["audit"]),
        format=max(document["format"], FORMAT),
        unknown=_unknown(Memory, document),
    )


def began_from(data: Any) -> tuple[Event, str | None]:  # noqa: ANN401  (whatever JSON holds)
    event, version = data
    return Event(event), version


def opened_from(data: dict[str, Any]) -> Opened:
    return Opened(Event(data["event"]), data["adopting"], _deployment(data["deployment"]))


def intent_from(data: dict[str, Any]) -> Intent:
    before = {name: frozen_value(value) for name, value in data["before"].items()}
    return Intent(data["id"], tuple(_change(c) for c in data["changes"]), entry_from(data["entry"]), before)


def effect_from(data: dict[str, str]) -> Effect:
    return Effect(EffectKind(data["kind"]), data["unit"], data.get("cause", ""))


def entry_from(data: dict[str, Any]) -> Entry:
    unknown = _unknown(Entry, data)
    known = {key: value for key, value in data.items() if key not in unknown}
    known |= {"status": Status(data["status"]), "event": Event(data["event"]), "things": tuple(data["things"])}
    known["revision"] = int(data["revision"])
    known["base"] = {key: frozen_value(value) for key, value in data["base"].items()}
    return Entry(**known, unknown=unknown)


def _unknown(class_: type, data: Mapping[str, Any]) -> dict[str, Any]:
    known = {a.name for a in attrs.fields(class_)}
    return {key: value for key, value in data.items() if key not in known}


def _deployment(data: dict[str, str]) -> Deployment:
    return Deployment(data["identity"], data["version"])


def _change(data: dict[str, Value]) -> Change:
    return Change(str(data["field"]), frozen_value(data["before"]), frozen_value(data["after"]))


def frozen_value(value: Value) -> Value:
    """A JSON value with its lists as tuples, so that it compares with the values that providers find."""
    if isinstance(value, list | tuple):
        return tuple(frozen_value(item) for item in value)
    return {key: frozen_value(item) for key, item in value.items()} if isinstance(value, Mapping) else value
