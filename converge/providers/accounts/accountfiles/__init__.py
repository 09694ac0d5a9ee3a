"""The account files of a root, read and changed together: passwd(5), group(5), shadow(5) and gshadow(5).

Only system accounts are changed. A line that is not changed stays to the letter. What the image brings (altfiles) is
never written to: a line in /etc wins over it.
"""

from attrs import define, evolve

from converge.errors import ProviderError
from converge.providers.accounts.accountfiles.base import (
    FILES,
    GROUP,
    GSHADOW,
    PASSWD,
    SHADOW,
    Group,
    Kind,
    User,
    require_changeable,
    require_number,
    require_system_number,
)
from converge.providers.accounts.accountfiles.reading import Accounts
from converge.system import System

__all__ = ["Accounts", "Editor", "Group", "User", "require_changeable", "require_number", "require_system_number"]

_ORDER = (GSHADOW, GROUP, SHADOW, PASSWD)
"""In which files are written. The line that an account is known by comes after its password, and a user's after its
groups: where a run is killed, the next one still finds the account as it was, and does everything again."""
_NEVER_MADE = (SHADOW, GSHADOW)
"""A root without them keeps no passwords there."""
_LOCKED = "!*"
"""A password that nothing fits, as systemd-sysusers(8) sets it."""


@define
class Editor(Accounts):
    """Accounts to be changed. What is changed here reaches the root with `save`."""

    def put_user(self, user: User) -> None:
        """Add a user, whose password is then locked, or change one."""
        require_changeable("user", user.name, user.id)
        self._require_heard("user", user.name)
        row = self._row("user", user.name)
        if self._table(PASSWD).get(user.name) is None:
            self._lock_user(user.name, is_new=row is None)
        ids = (row[1] if row else "x", str(user.id), str(user.gid))
        self._table(PASSWD).put([user.name, *ids, user.description, user.home, user.shell])

    def drop_user(self, name: str) -> None:
        """Remove a user, and from every group; its primary group stays, which others may use."""
        user = self.user(name)
        if user is not None:
            require_changeable("user", name, user.id)
        self._table(PASSWD).drop(name)
        self._table(SHADOW).drop(name)
        for group in self._table(GROUP).rows():
            self.leave(name, group[0])

    def put_group(self, group: Group) -> None:
        """Add a group, whose password is then locked, or change one."""
        self._require_heard("group", group.name)
        row, secrets = self._row("group", group.name), self._table(GSHADOW).get(group.name)
        members = ",".join(group.members)
        if secrets or self._table(GROUP).get(group.name) is None:
            password, administrators = secrets[1:3] if secrets and row else (_LOCKED, "")
            self._table(GSHADOW).put([group.name, password, administrators, members])
        self._table(GROUP).put([group.name, row[1] if row else "x", str(group.id), members])

    def drop_group(self, name: str) -> None:
        group = self.group(name)
        if group is not None:
            require_changeable("group", name, group.id)
        self._table(GROUP).drop(name)
        self._table(GSHADOW).drop(name)

    def join(self, name: str, group: str) -> None:
        found = next((each for each in self.groups() if each.name == group), None)
        if found is None:
            raise ProviderError(f"there is no group '{group}'", hint="declare a `group` of this name, and need it")
        if name not in found.members:
            self.put_group(evolve(found, members=(*found.members, name)))

    def leave(self, name: str, group: str) -> None:
        for path, columns in ((GROUP, (3,)), (GSHADOW, (2, 3))):
            row = self._table(path).get(group) or []
            left = [_without(value, name) if column in columns else value for column, value in enumerate(row)]
            if left != row:
                self._table(path).put(left)

    def save(self, system: System) -> None:
        """Write what was changed. Nothing of it goes to the store, since passwords of people are in these files."""
        for path in _ORDER:
            table = self._table(path)
            if table.changed and (table.exists or path not in _NEVER_MADE):
                system.write(path, table.dump(), keep=False)

    def _lock_user(self, name: str, *, is_new: bool) -> None:
        """Whatever shadow(5) still says of a name that is new belonged to an account that is gone."""
        row = self._table(SHADOW).get(name)
        if row is None or is_new:
            self._table(SHADOW).put([name, _LOCKED, *(row or [""] * 9)[2:]])

    def _row(self, kind: Kind, name: str) -> list[str] | None:
        return next((row for row in self._rows(kind) if row[0] == name), None)

    def _require_heard(self, kind: Kind, name: str) -> None:
        """ProviderError where a line in /etc would not count."""
        for path in self._paths(kind):
            if path == FILES[kind]:
                return
            if self._table(path).get(name):
                break
        message = f"a line for the {kind} '{name}' in {FILES[kind]} would not count, as nsswitch.conf has it"
        raise ProviderError(message, hint="name `files` first in /etc/nsswitch.conf")


def _without(names: str, name: str) -> str:
    """A list of names, as the files have it, without one of them."""
    return ",".join(other for other in names.split(",") if other != name)
