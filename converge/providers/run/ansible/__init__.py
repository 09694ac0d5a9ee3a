"""An Ansible playbook, role or file of tasks, run on the machine under converge's policies.

Owns what the tasks own. converge does not know this, so each time Ansible's check mode finds what they would change. A
task that check mode cannot predict, such as a command without `creates` or one that fails there, runs whenever the
playbook is due, and then counts as done. The changes of a playbook cannot be undone.
"""

import posixpath
from collections.abc import Mapping

from converge.errors import ProviderError
from converge.model import Asset, Change, Depends, Domain, Effect, Phase, Thing
from converge.providers.protocol import Declared, Desired, Params, Traits, field_names, values
from converge.providers.run.ansible import playbook, report
from converge.providers.run.ansible.spec import Spec, State
from converge.system import ReadOnlySystem, System

__all__ = [
    "Spec",
    "State",
    "apply",
    "declared",
    "desired",
    "domains",
    "inspect",
    "parse",
    "phase",
    "thing",
    "traits",
]

traits = Traits(
    files=("playbook", "tasks"),
    folders=("role",),
    groups=(("pending", "ran"),),
    unprotected=("pending", "ran"),
    unseen=("ran",),
    opaque=True,
)

RESERVED = ("ansible_connection", "ansible_host", "ansible_user", "converge_path", "converge_secrets")


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if sum(given is not None for given in (spec.playbook, spec.role, spec.tasks)) != 1:
        raise ProviderError("playbook, role and tasks exclude each other", hint="keep one of them")
    names = [*spec.variables, *spec.secrets]
    taken = [name for name in names if name in RESERVED or names.count(name) > 1]
    if taken:
        raise ProviderError(f"the variable {taken[0]} is reserved or set twice", hint="remove it, or rename it")
    return spec


def phase(spec: Spec, changes: tuple[Change, ...]) -> Phase:  # noqa: ARG001  (the protocol)
    return Phase.ONLINE if spec.network else Phase.BOOT


def thing(spec: Spec) -> Thing:
    """Only the id of its resource identifies it: it stays the same if its playbook is renamed."""
    kind = "playbook" if spec.playbook else "role" if spec.role else "tasks"
    name = posixpath.basename(spec.given.path) if isinstance(spec.given, Asset) else spec.given
    return Thing(f"ansible {kind}", name, "ansible", spec.domain)


def declared(spec: Spec) -> Declared:  # noqa: ARG001  (the protocol)
    return {"pending": Depends.ON_MACHINE}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return dict.fromkeys(field_names(State), Domain(spec.domain))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    """Run check mode. A task may fail only there, because check mode skips the changes of the tasks before it."""
    found = report.read(playbook.run(system, system.query, spec, "--check"))
    pending, unknown = report.shown(found.changed), report.shown(found.unknown)
    if found.failed is None:
        return State(pending, unknown=unknown)
    rest = f"the later tasks cannot be predicted: in check mode {found.failed.complaint}"
    return State((*pending, rest) if pending else (), unknown=unknown if pending else (*unknown, rest))


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:  # noqa: ARG001  (the protocol)
    """No pending tasks; and `ran` if check mode cannot predict some tasks: they must run."""
    return {"pending": (), "ran": "; ".join(state.unknown)} if state.unknown else {"pending": ()}


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if after.get("pending"):
        raise ProviderError("a playbook cannot be undone", hint="declare another playbook that reverts it")
    if after:
        found = report.read(playbook.run(system, system.run, spec))
        if found.failed is not None:
            raise ProviderError(found.failed.complaint)
    return ()
