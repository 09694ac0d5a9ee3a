"""A system group, as systemd-sysusers creates it: its number, or its absence.

Owns the group's lines in /etc/group and /etc/gshadow, but not its members. A group of the image (/usr/lib/group, if
nsswitch.conf names altfiles) counts as present.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import evolve, frozen

from converge.model import Change, Domain
from converge.providers.accounts.account import Account, AccountState, apply, check, declared, inspect, thing
from converge.providers.accounts.accountfiles import Accounts, Editor, Group
from converge.providers.accounts.accountfiles.table import Kind
from converge.providers.protocol import ABSENT, PRESENT, Traits, values

__all__ = ["Spec", "State", "apply", "check", "declared", "inspect", "thing", "traits"]

traits = Traits(domain=Domain.DEPLOYMENT, groups=(("ensure", "gid"),))


@frozen
class State(AccountState):
    gid: int | None = None
    members: tuple[str, ...] | None = None


@frozen
class Spec(Account[State]):
    kind: ClassVar[Kind] = "group"
    gid: int | None = None

    def state(self, accounts: Accounts) -> State:
        group = accounts.group(self.name)
        return State(PRESENT, group.id, tuple(sorted(group.members))) if group else State(ABSENT)

    def put(self, editor: Editor, changes: tuple[Change, ...]) -> None:
        """Only undo changes the members."""
        after: Mapping[str, Any] = values(changes)
        group, gid, members = editor.group(self.name), after.get("gid"), after.get("members")
        if group is None:
            group = Group(self.name, editor.free_id("group", self.name) if gid is None else gid)
        editor.put_group(group if members is None else evolve(group, members=tuple(members)))
