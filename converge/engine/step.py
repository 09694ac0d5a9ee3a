"""One step of a plan: a resource, or one element of a `for_each`, and its decision. Pure.

A step is a value that grows: `expand` makes it with its spec, `decide` adds the findings in the ledgers and on the
machine and the decision, and a run replaces it by the step as it ended.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from converge.diagnostics import Mark
from converge.engine.ledger import Intent
from converge.engine.policy import Due
from converge.errors import ConvergeError, Until
from converge.model import (
    Action,
    Change,
    Claim,
    Decision,
    Domain,
    Entry,
    Event,
    Phase,
    Policy,
    Resource,
    Thing,
    Unknown,
    Value,
)
from converge.providers.protocol import ABSENT, Provider


@frozen
class Share:
    """A resource's share in one domain: its ledger entry there, and the answer of policy."""

    domain: Domain
    entry: Entry | None
    intent: Intent | None
    due: Due

    @property
    def base(self) -> Mapping[str, Value]:
        return self.entry.base if self.entry else {}

    @property
    def is_due(self) -> bool:
        return self.due.decision is Decision.APPLY


@frozen
class Step:
    id: str
    resource: Resource
    provider: Provider | None = None
    condition: bool | Unknown = True
    """The value of `when`; also Unknown if a parameter is not known."""
    spec: Any = None
    """`with` as the provider parsed it; None if `when` is false, a parameter is unknown, or there is an error."""
    claims: tuple[Claim, ...] = ()
    things: tuple[Thing, ...] = ()
    """The things of the step, its main thing first; empty if the parameters are unknown."""
    recorded: tuple[str, ...] = ()
    """The claimed things as ledgers spell them, sorted."""
    error: ConvergeError | None = None

    needs: tuple[str, ...] = ()
    """Ids of the steps that come first."""
    follows: tuple[str, ...] = ()
    """Ids of the steps whose changes this one reacts to."""
    notices: tuple[str, ...] = ()
    """Those of `follows` that have changed, or are about to."""

    shares: tuple[Share, ...] = ()
    domain_of: Mapping[str, Domain] = field(factory=dict)
    """Per field of the state its domain; empty if the parameters are unknown."""
    state: Any = None
    """The state that the provider found; None if it did not inspect."""

    event: Event = Event.REFRESH
    decision: Decision = Decision.FAILED
    action: Action = Action.NONE
    reason: str = ""
    reason_code: str = ""
    """The kind of the reason, for programs: stable, in kebab-case."""
    phase: Phase = Phase.BOOT
    until: Until | None = None
    """The event that an owed step waits for."""
    certain: bool = True
    """False if it cannot be known before an earlier step has run; it is decided again then."""
    changes: tuple[Change, ...] = ()
    kept: tuple[Change, ...] = ()
    """Differences that are the user's and stay."""
    contents: Mapping[str, bytes | None] = field(factory=dict, repr=False)
    """Per address among the values of the changes, the bytes, for people; None if they must not be shown."""
    replay: tuple[Change, ...] = ()
    """Changes of an interrupted run that are made again, so that their effects are not lost."""

    @property
    def type(self) -> str:
        return self.resource.type

    @property
    def policy(self) -> Policy:
        return self.resource.apply

    @property
    def source(self) -> Mark:
        return self.resource.mark

    @property
    def why(self) -> str | None:
        return self.resource.why

    @property
    def is_element(self) -> bool:
        return self.id != self.resource.id

    @property
    def domains(self) -> tuple[Domain, ...]:
        return tuple(share.domain for share in self.shares)

    @property
    def due_shares(self) -> tuple[Share, ...]:
        """The shares that policy finds due; a settled one stays as it is."""
        return tuple(share for share in self.shares if share.is_due)

    @property
    def due_domains(self) -> tuple[Domain, ...]:
        return tuple(share.domain for share in self.due_shares)

    @property
    def notified_spec(self) -> Any:  # noqa: ANN401  (the provider's)
        """The spec for this run: a provider that follows others knows which of them changed."""
        return self.provider.notified(self.spec, self.notices) if self.notices and self.provider else self.spec

    @property
    def is_opaque(self) -> bool:
        return self.provider is not None and self.provider.traits.opaque

    @property
    def finds_absence(self) -> bool:
        return getattr(self.state, "ensure", None) == ABSENT

    def require_provider(self) -> Provider:
        if self.provider is None:
            raise self.error or ConvergeError(f"'{self.id}' has no provider")
        return self.provider


def undecided(step: Step) -> Step:
    """The step without its decision, to be decided again."""
    return Step(
        step.id,
        step.resource,
        step.provider,
        step.condition,
        step.spec,
        step.claims,
        step.things,
        step.recorded,
        step.error,
        needs=step.needs,
        follows=step.follows,
    )


_COUNTED = {
    Decision.KEEP: "kept",
    Decision.OWED: "owed",
    Decision.IN_PLACE: "in_place",
    Decision.SETTLED: "settled",
    Decision.BASELINE: "settled",
    Decision.NOT_APPLICABLE: "not_applicable",
    Decision.BLOCKED: "blocked",
    Decision.FAILED: "failed",
}
_DONE = {Action.ADD: "add", Action.CHANGE: "change", Action.REMOVE: "remove", Action.NONE: "in_place"}
SUMMARY = ("add", "change", "remove", *dict.fromkeys(_COUNTED.values()))


def counted_as(step: Step) -> str:
    """The name in the summary under which a step counts. A step that is not certain counts as a change."""
    if step.decision is Decision.APPLY:
        return _DONE[step.action] if step.certain else "change"
    return _COUNTED[step.decision]


def summary(steps: Iterable[Step]) -> dict[str, int]:
    """How many steps there are of each kind, every kind named."""
    counts = dict.fromkeys(SUMMARY, 0)
    for step in steps:
        counts[counted_as(step)] += 1
    return counts
