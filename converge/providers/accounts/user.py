"""A system user, as systemd-sysusers creates it: its number, groups, description, home and shell, or its absence.

Owns the user's lines in /etc/passwd and /etc/shadow, and its membership in the declared groups; other memberships stay.
A missing group of its own is created with it. Folders are neither created nor removed. A user of the image
(/usr/lib/passwd, if nsswitch.conf names altfiles) counts as present; if it is to change, a line in /etc overrides it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from attrs import evolve, field, frozen
from attrs.converters import optional

from converge.errors import ProviderError, shown
from converge.model import Change, Domain
from converge.providers.accounts.account import Account, AccountState, apply, check, declared, inspect, thing
from converge.providers.accounts.accountfiles import Accounts, Editor, Group, User
from converge.providers.accounts.accountfiles.table import Kind
from converge.providers.accounts.names import account_name
from converge.providers.paths import checked_path
from converge.providers.protocol import ABSENT, PRESENT, Traits, values

__all__ = ["Spec", "State", "apply", "check", "declared", "inspect", "thing", "traits"]

traits = Traits(domain=Domain.DEPLOYMENT, groups=(("ensure", "uid", "group"),))


def _text(value: str) -> str:
    """A text for one field of a line; ProviderError if it would not stay one field."""
    if not re.fullmatch(r"[^:\x00-\x1f\x7f\ud800-\udfff]*", value):
        raise ProviderError(f"'{shown(value)}' contains a colon or a control character", hint="remove it")
    return value


def _path(value: str) -> str:
    return checked_path(_text(value))


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({account_name(name) for name in names}))


@frozen
class State(AccountState):
    uid: int | None = None
    group: str | None = None
    groups: tuple[str, ...] | None = None
    """Of the declared ones, those that it is in; with `ensure: absent`, all that it is in."""
    description: str | None = None
    home: str | None = None
    shell: str | None = None


@frozen
class Spec(Account[State]):
    kind: ClassVar[Kind] = "user"
    uid: int | None = None
    group: str | None = None
    groups: tuple[str, ...] = field(default=(), converter=_names)
    description: str | None = field(default=None, converter=optional(_text))
    home: str | None = field(default=None, converter=optional(_path))
    shell: str | None = field(default=None, converter=optional(_path))

    def state(self, accounts: Accounts) -> State:
        user = accounts.user(self.name)
        groups = accounts.groups_of(self.name)
        if self.ensure == PRESENT:
            self._require_groups(accounts, groups if user else ())
            groups = tuple(name for name in groups if name in self.groups)
        if user is None:
            return State(ABSENT)
        group = accounts.group_name(user.gid, self.group)
        return State(PRESENT, user.id, group, groups, user.description, user.home, user.shell)

    def _require_groups(self, accounts: Accounts, joined: tuple[str, ...]) -> None:
        for name in self.groups:
            if name not in joined:
                accounts.require_joinable(name)
        if self.group is not None and self.group != self.name:
            accounts.require_group(self.group)

    def put(self, editor: Editor, changes: tuple[Change, ...]) -> None:
        after: Mapping[str, Any] = values(changes)
        before = editor.user(self.name)
        user = before or _new(editor, self.name, after)
        if after.get("group") is not None:
            user = evolve(user, gid=_primary(editor, self.name, after["group"], user.id))
        texts = {name: after.get(name) for name in ("description", "home", "shell")}
        user = evolve(user, **{name: text for name, text in texts.items() if text is not None})
        if user != before:
            editor.put_user(user)
        for change in changes:
            if change.field == "groups":
                _join(editor, self.name, change.before, change.after)


def _new(editor: Editor, name: str, after: Mapping[str, Any]) -> User:
    uid = after.get("uid")
    gid = _primary(editor, name, after.get("group") or name, uid)
    return User(name, editor.free_id("user", name, gid) if uid is None else uid, gid)


def _primary(editor: Editor, name: str, group: str, uid: int | None) -> int:
    """The number of the primary group, which is created if it is missing and has the user's name."""
    gid = editor.group_id(group)
    if gid is not None:
        return gid
    if group != name:
        raise ProviderError(f"the group '{group}' was removed during the run", hint="run converge again")
    gid = editor.free_id("group", name, uid)
    editor.put_group(Group(name, gid))
    return gid


def _join(editor: Editor, name: str, before: Any, after: Any) -> None:  # noqa: ANN401  (values of the field `groups`)
    """Change only the groups in which `before` and `after` differ: the user stays in all its other groups."""
    for group in sorted({*(after or ())} - {*(before or ())}):
        editor.join(name, group)
    for group in sorted({*(before or ())} - {*(after or ())}):
        editor.leave(name, group)
