"""The account files of a root, read and changed together: passwd(5), group(5), shadow(5) and gshadow(5).

Only system accounts are changed. Every other line stays as it is. The image's own files (altfiles) are never written: a
line in /etc overrides them.
"""

from attrs import define, evolve

from converge.errors import ProviderError
from converge.providers.accounts.accountfiles.reading import DECLARE_GROUP, Accounts
from converge.providers.accounts.accountfiles.table import (
    FILES,
    GROUP,
    GSHADOW,
    PASSWD,
    SECRETS,
    SHADOW,
    Group,
    Kind,
    User,
    require_changeable,
    require_system_number,
)
from converge.system import System

__all__ = ["Accounts", "Editor", "Group", "User", "require_changeable", "require_system_number"]

_ORDER = (GSHADOW, GROUP, SHADOW, PASSWD)
"""The order in which files are written. The line that defines an account comes after its password, and that of a user
after its groups: if a run is killed, the next one still finds the account as it was, and repeats everything."""
_NEVER_CREATED = (SHADOW, GSHADOW)
"""A root without these files does not keep passwords there."""
_LOCKED = "!*"
"""A password that nothing matches, as systemd-sysusers(8) sets it."""


@define
class Editor(Accounts):
    """Accounts to be changed, in memory; `save` writes the changes to the root."""

    def put_user(self, user: User) -> None:
        """Add a user with a locked password, or change one."""
        require_changeable("user", user.name, user.id)
        self._require_effective("user", user.name)
        row = self._row("user", user.name)
        if self._table(PASSWD).get(user.name) is None:
            self._lock_user(user.name, is_new=row is None)
        ids = (row[1] if row else "x", str(user.id), str(user.gid))
        self._table(PASSWD).put([user.name, *ids, user.description, user.home, user.shell])

    def put_group(self, group: Group) -> None:
        """Add a group with a locked password, or change one."""
        self._require_effective("group", group.name)
        row, secrets = self._row("group", group.name), self._table(GSHADOW).get(group.name)
        members = ",".join(group.members)
        if secrets or self._table(GROUP).get(group.name) is None:
            password, administrators = secrets[1:3] if secrets and row else (_LOCKED, "")
            self._table(GSHADOW).put([group.name, password, administrators, members])
        self._table(GROUP).put([group.name, row[1] if row else "x", str(group.id), members])

    def drop(self, kind: Kind, name: str) -> None:
        """Remove an account, a user also from every group; its primary group stays, since others may use it."""
        found = self.find(kind, name)
        if found is not None:
            require_changeable(kind, name, found.id)
        for path in (FILES[kind], SECRETS[kind]):
            self._table(path).drop(name)
        if kind == "user":
            for group in self._table(GROUP).rows():
                self.leave(name, group[0])

    def join(self, name: str, group: str) -> None:
        found = next((each for each in self.groups() if each.name == group), None)
        if found is None:
            raise ProviderError(f"the group '{group}' is missing", hint=DECLARE_GROUP)
        if name not in found.members:
            self.put_group(evolve(found, members=(*found.members, name)))

    def leave(self, name: str, group: str) -> None:
        for path, columns in ((GROUP, (3,)), (GSHADOW, (2, 3))):
            row = self._table(path).get(group) or []
            left = [_without(value, name) if column in columns else value for column, value in enumerate(row)]
            if left != row:
                self._table(path).put(left)

    def save(self, system: System) -> None:
        """Write the changed files. They are not kept in the store, because they contain passwords of people."""
        for path in _ORDER:
            table = self._table(path)
            if table.changed and (table.exists or path not in _NEVER_CREATED):
                system.write(path, table.dump(), keep=False)

    def _lock_user(self, name: str, *, is_new: bool) -> None:
        """An entry in shadow(5) for a new name is left over from a removed account."""
        row = self._table(SHADOW).get(name)
        if row is None or is_new:
            self._table(SHADOW).put([name, _LOCKED, *(row or [""] * 9)[2:]])

    def _row(self, kind: Kind, name: str) -> list[str] | None:
        return next((row for row in self._rows(kind) if row[0] == name), None)

    def _require_effective(self, kind: Kind, name: str) -> None:
        """ProviderError if a line in /etc would be ignored."""
        for path in self._paths(kind):
            if path == FILES[kind]:
                return
            if self._table(path).get(name):
                break
        message = f"a line for the {kind} '{name}' in {FILES[kind]} would be ignored because of nsswitch.conf"
        raise ProviderError(message, hint="name `files` first in /etc/nsswitch.conf")


def _without(names: str, name: str) -> str:
    """A comma-separated list of names without one of them."""
    return ",".join(other for other in names.split(",") if other != name)
