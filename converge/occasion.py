"""Why we run: the event of each domain, whether the machine is being adopted, and how it began. Pure."""

from collections.abc import Mapping

from attrs import frozen

from converge.ledger import Deployment, Ledgers, Memory, Opened
from converge.model import LOWEST_VERSION, Domain, Event, Version


@frozen
class Occasion:
    """What a run is about. `event` is the machine domain's; each domain has its own in `events`."""

    events: Mapping[Domain, Event]
    adopting: bool
    deployment: Deployment
    began: tuple[Event, str | None]
    previous_version: Version
    stays_open: bool
    """An install that no live run has seen yet: this run does not finish it."""

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
    """Tell why we run. `requested` is the event of the command line, None for `auto`."""
    machine, other = ledgers.machine.memory, ledgers.deployment.memory
    new = not ledgers.machine.exists
    machine_event = requested or _event(machine, deployment, missing=new)
    first_install = machine_event is Event.INSTALL and (new or _install_open(machine))
    events = {
        Domain.MACHINE: machine_event,
        Domain.DEPLOYMENT: requested
        or (Event.INSTALL if first_install else _event(other, deployment, missing=not ledgers.deployment.exists)),
    }
    began = machine.began or _beginning(machine_event, deployment)
    return Occasion(
        events=events,
        adopting=machine.opened.adopting if machine.opened else new and machine_event is not Event.INSTALL,
        deployment=deployment,
        began=began,
        previous_version=_previous(machine, deployment, began),
        stays_open=machine_event is Event.INSTALL and not live,
    )


def _install_open(memory: Memory) -> bool:
    return memory.opened is not None and memory.opened.event is Event.INSTALL


def _event(memory: Memory, deployment: Deployment, *, missing: bool) -> Event:
    if missing:
        return Event.UPGRADE
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
    """The version before this deployment's; at an install there is none, and it counts as the installed one."""
    for past in reversed(memory.history):
        if past.identity != deployment.identity:
            return Version(past.version)
    return Version(began[1]) if began[0] is Event.INSTALL else LOWEST_VERSION


def decided(occasion: Occasion, memory: Memory) -> tuple[Deployment, ...]:
    """The deployments that a finished run adds to a ledger's history.

    An install that was left open on another deployment (an image build) ends with this run; the machine has been there.
    """
    before = memory.opened.deployment if _install_open(memory) and memory.opened else occasion.deployment
    return (before, occasion.deployment) if before != occasion.deployment else (occasion.deployment,)
