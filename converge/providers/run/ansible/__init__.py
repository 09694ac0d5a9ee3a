"""A playbook, a role or a file of tasks of Ansible's, run on the machine under converge's policies.

Owns what the tasks own, which converge does not know: what they would change is asked of Ansible's check mode each
time. A task that check mode cannot foretell, such as a command without `creates` or one that fails there, is run
whenever the playbook is due, and counts as done then. What Ansible did has no way back.
"""

from collections.abc import Mapping

from attrs import field, frozen

from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect, Phase
from converge.providers.protocol import DERIVED, Params, every_field, values
from converge.providers.run.ansible import playbook, report
from converge.providers.run.ansible.base import Spec
from converge.system import ReadOnlySystem, System

__all__ = [
    "FILES",
    "FOLDERS",
    "GROUPS",
    "OPAQUE",
    "OURS",
    "TYPE",
    "UNSEEN",
    "Spec",
    "State",
    "apply",
    "claims",
    "diff",
    "domains",
    "inspect",
    "parse",
    "phase",
]

TYPE = "ansible"
FILES = ("playbook", "tasks")
FOLDERS = ("role",)
GROUPS = (("pending", "ran"),)
OURS = ("pending", "ran")
UNSEEN = ("ran",)
OPAQUE = True

RESERVED = ("ansible_connection", "ansible_host", "ansible_user", "converge_path", "converge_secrets")


@frozen
class State:
    pending: tuple[str, ...] = ()
    """The tasks that would change something, each with the first lines of its diff."""
    ran: str | None = None
    """The tasks that were run without check mode's foretelling them; what is past cannot be found."""
    unknown: tuple[str, ...] = field(default=(), metadata=DERIVED)
    """Those that would be."""


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if sum(given is not None for given in (spec.playbook, spec.role, spec.tasks)) != 1:
        raise ProviderError("playbook, role and tasks exclude each other", hint="keep one of them")
    names = [*spec.variables, *spec.secrets]
    taken = [name for name in names if name in RESERVED or names.count(name) > 1]
    if taken:
        raise ProviderError(f"the variable {taken[0]} is set already", hint="remove it, or give it another name")
    return spec


def phase(spec: Spec, changes: tuple[Change, ...]) -> Phase:  # noqa: ARG001  (the protocol)
    return Phase.ONLINE if spec.network else Phase.BOOT


def claims(spec: Spec) -> tuple[Claim, ...]:
    """Nothing identifies it but the id of its resource: it stays the same one when its playbook is renamed."""
    return (Claim(TYPE, spec.domain, "pending"),)


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return every_field(State, Domain(spec.domain))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    """Ask check mode. A task that fails there may do so only there, as it lacks what those before it were to make."""
    found = report.read(playbook.run(system, system.query, spec, "--check"))
    pending, unknown = report.shown(found.changed), report.shown(found.unknown)
    if found.failed is None:
        return State(pending, unknown=unknown)
    rest = f"what follows cannot be foretold: in check mode {found.failed.complaint}"
    return State((*pending, rest) if pending else (), unknown=unknown if pending else (*unknown, rest))


def diff(spec: Spec, state: State) -> tuple[Change, ...]:  # noqa: ARG001  (the protocol)
    pending = (Change("pending", state.pending, ()),) if state.pending else ()
    return (*pending, Change("ran", state.ran, "; ".join(state.unknown))) if state.unknown else pending


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if after.get("pending"):
        raise ProviderError("what a playbook did has no way back", hint="declare a playbook that undoes it")
    if after:
        found = report.read(playbook.run(system, system.run, spec))
        if found.failed is not None:
            raise ProviderError(found.failed.complaint)
    return ()
