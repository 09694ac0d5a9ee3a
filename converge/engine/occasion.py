"""Why we run: the event of each domain, whether the machine is being adopted, and how it began. Pure."""

from collections.abc import Mapping

from attrs import frozen

from converge.engine.ledger import Deployment, Ledgers, Memory, Opened
from converge.model import LOWEST_VERSION, Domain, Event, Version


@frozen
class Occasion:
    """The occasion of a run. `event` is that of the machine domain; `events` has one per domain."""

    events: Mapping[Domain, Event]
    adopting: bool
    deployment: Deployment
    began: tuple[Event, str | None]
    previous_version: Version
    stays_open: bool
    """True in an install without a live run so far: this run does not finish it."""

    @property
    def event(self) -> Event:
        return self.events[Domain.MACHINE]

    @property
    def installed_version(self) -> Version:
        event, version = self.began
        return Version(version) if event is Event.INSTALL else LOWEST_VERSION

    def opened(self, domain: Domain) -> Opened:
        return Opened(self.events[domain], self.adopting, self.deployment)


def detect(ledgers: Ledgers, deployment: Deployment, requested: Event | None, *, live: bool) -> Occasion:
    """Find out why we run. `requested` is the event of the command line, None for `auto`."""
    machine, other = ledgers.machine.memory, ledgers.deployment.memory
    event = requested or _event(machine, deployment)
    installing = event is Event.INSTALL
    began = machine.began or _beginning(event, deployment)
    return Occasion(
        events={
            Domain.MACHINE: event,
            Domain.DEPLOYMENT: event if requested or installing else _event(other, deployment),
        },
        adopting=not installing and (machine.opened.adopting if machine.opened else machine.began is None),
        deployment=deployment,
        began=began,
        previous_version=_previous(machine, deployment, began),
        stays_open=installing and not live,
    )


def _event(memory: Memory, deployment: Deployment) -> Event:
    """The event by one ledger alone; every deployment is new to a ledger that does not exist yet."""
    opened = memory.opened
    if opened and (opened.event is Event.INSTALL or opened.deployment.identity == deployment.identity):
        return opened.event
    if memory.identity == deployment.identity:
        return Event.REFRESH
    known = any(past.identity == deployment.identity for past in memory.history)
    return Event.ROLLBACK if known else Event.UPGRADE


def _beginning(event: Event, deployment: Deployment) -> tuple[Event, str | None]:
    return (event, deployment.version) if event is Event.INSTALL else (Event.UPGRADE, None)


def _previous(memory: Memory, deployment: Deployment, began: tuple[Event, str | None]) -> Version:
    """The version before this deployment's; at an install the installed version."""
    for past in reversed(memory.history):
        if past.identity != deployment.identity:
            return Version(past.version)
    return Version(began[1]) if began[0] is Event.INSTALL else LOWEST_VERSION
