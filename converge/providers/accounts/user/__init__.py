"""A system user, as systemd-sysusers makes it: there with its number, groups, description, home and shell, or gone.

Owns the user's line in /etc/passwd, with the one in /etc/shadow, and that it is a member of the groups that are named;
others that it is in stay. Its own group is made with it where it has none. No folder is made, and none is removed. A
user of the image (/usr/lib/passwd, where nsswitch.conf names altfiles) is there as well; where it is to be different,
a line in /etc wins over the image's.
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from converge.model import Change, Claim, Domain, Effect
from converge.providers.accounts.accountfiles import (
    Accounts,
    Editor,
    require_changeable,
    require_number,
    require_system_number,
)
from converge.providers.accounts.user import making
from converge.providers.accounts.user.base import Spec
from converge.providers.protocol import ABSENT, PRESENT, Params, compare, every_field, values
from converge.system import ReadOnlySystem, System

__all__ = ["GROUPS", "TYPE", "Spec", "State", "apply", "claims", "diff", "domains", "inspect", "parse"]

TYPE = "user"
GROUPS = (("ensure", "uid", "group"),)


@frozen
class State:
    ensure: str
    uid: int | None = None
    group: str | None = None
    groups: tuple[str, ...] | None = None
    """Of those that are asked; all, where the user is to go."""
    description: str | None = None
    home: str | None = None
    shell: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    require_system_number("user", spec.name, spec.uid)
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    return tuple(Claim("user", spec.name, name, value) for name, value in spec.desired.items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return every_field(State, Domain.DEPLOYMENT)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    accounts = Accounts(system)
    user = accounts.user(spec.name)
    groups = accounts.groups_of(spec.name)
    if spec.ensure == PRESENT:
        _require_groups(accounts, spec, groups if user else ())
        groups = tuple(name for name in groups if name in spec.groups)
    if user is None:
        if spec.ensure == PRESENT and spec.uid is not None:
            accounts.require_free("user", spec.name, spec.uid)
        return State(ABSENT)
    if spec.ensure == ABSENT:
        accounts.require_removable("user", spec.name)
    group = accounts.group_name(user.gid, spec.group)
    return State(PRESENT, user.id, group, groups, user.description, user.home, user.shell)


def _require_groups(accounts: Accounts, spec: Spec, joined: tuple[str, ...]) -> None:
    for name in spec.groups:
        if name not in joined:
            accounts.require_joinable(name)
    if spec.group is not None and spec.group != spec.name:
        accounts.require_group(spec.group)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    changes = compare(spec.desired, state)
    if changes and state.uid is not None:
        require_changeable("user", spec.name, state.uid)
        if spec.uid is not None and spec.ensure == PRESENT:
            require_number("user", spec.name, state.uid, spec.uid)
    return changes


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    with system.lock_accounts():
        editor = Editor(system)
        after: Mapping[str, Any] = values(changes)
        if after.get("ensure") == ABSENT:
            editor.drop_user(spec.name)
        elif after:
            making.put(editor, spec.name, after)
            making.join(editor, spec.name, changes)
        editor.save(system)
    return ()
