"""The accounts in the account files, those that converge may change, and the free numbers."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from attrs import define, field

from converge.errors import ProviderError, shown
from converge.providers.accounts.accountfiles.table import (
    FILES,
    HIGHEST,
    NUMBERS,
    Group,
    Kind,
    Table,
    User,
    is_number,
    require_changeable,
    require_system_number,
)
from converge.system import ReadOnlySystem

_AccountT = TypeVar("_AccountT", User, Group)

LOGIN_DEFS = "/etc/login.defs"
LOWEST = 101
"""The lowest number of a new system account if login.defs(5) does not set one."""
DECLARE_GROUP = "declare a `group` with this name, and add its id to `needs`"


@define
class Accounts:
    """The accounts in the files of a root. Of several lines with one name the first counts."""

    system: ReadOnlySystem
    _tables: dict[str, Table] = field(factory=dict)

    def users(self) -> Iterator[User]:
        for row in self._rows("user"):
            if is_number(row[2]) and is_number(row[3]):
                yield User(row[0], int(row[2]), int(row[3]), *row[4:])

    def groups(self) -> Iterator[Group]:
        for row in self._rows("group"):
            if is_number(row[2]):
                yield Group(row[0], int(row[2]), tuple(name for name in row[3].split(",") if name))

    def user(self, name: str) -> User | None:
        """The system user of a name; ProviderError if the user is not a system user."""
        return self._system_account("user", name, self.users())

    def group(self, name: str) -> Group | None:
        """The system group of a name; ProviderError if the group is not a system group."""
        return self._system_account("group", name, self.groups())

    def find(self, kind: Kind, name: str) -> User | Group | None:
        return self.user(name) if kind == "user" else self.group(name)

    def _system_account(self, kind: Kind, name: str, accounts: Iterator[_AccountT]) -> _AccountT | None:
        found = next((account for account in accounts if account.name == name), None)
        highest = self._ids(kind)[1]
        if found is not None and found.id > highest:
            raise ProviderError(
                f"the {kind} '{name}' is not a system {kind}: its {NUMBERS[kind]} is {found.id}, "
                f"and the highest of a system {kind} is {highest}",
                hint="declare only system accounts: accounts of people are never changed or removed",
            )
        return found

    def group_id(self, name: str) -> int | None:
        """The number of any group, by name or by number; None if there is no such name."""
        found = next((group.id for group in self.groups() if group.name == name), None)
        return int(name) if found is None and is_number(name) else found

    def group_name(self, gid: int, preferred: str | None) -> str:
        """A name that resolves to a number, the preferred one if it does; the digits if there is no such name."""
        names = [group.name for group in self.groups() if group.id == gid]
        if preferred is not None:
            names.insert(0, preferred)
        return next((name for name in names if self.group_id(name) == gid), str(gid))

    def require_group(self, name: str) -> None:
        """ProviderError if there is no group with a name or number."""
        if self.group_id(name) not in {group.id for group in self.groups()}:
            raise ProviderError(f"the group '{shown(name)}' is missing", hint=DECLARE_GROUP)

    def require_joinable(self, name: str) -> None:
        """ProviderError if there is no system group with a name, or only root's."""
        self.require_group(name)
        group = self.group(name)
        if group is not None:
            require_changeable("group", name, group.id)

    def groups_of(self, name: str) -> tuple[str, ...]:
        """The groups that a user is in besides its primary one, sorted. A member in any file is one (initgroups(3))."""
        return tuple(sorted({group.name for group in self.groups() if name in group.members}))

    def require_free(self, kind: Kind, name: str, number: int) -> None:
        """ProviderError if a new account cannot have a number."""
        require_system_number(kind, name, number, self._ids(kind)[1])
        owner = next((account.name for account in self._accounts(kind) if account.id == number), None)
        if owner is not None:
            word = NUMBERS[kind]
            message = f"the {word} {number} for '{name}' belongs to the {kind} '{shown(owner)}'"
            raise ProviderError(message, hint=f"choose another, or remove `{word}` to use the next free one")

    def require_removable(self, kind: Kind, name: str) -> None:
        """ProviderError for an account of the image, and for a group that is the primary one of a user."""
        for path in self._paths(kind):
            if path != FILES[kind] and self._table(path).get(name):
                message = f"the {kind} '{name}' comes with the image, in {path}"
                raise ProviderError(message, hint="remove it from the image: converge cannot")
        gid = self.group_id(name) if kind == "group" else None
        user = next((user for user in self.users() if user.gid == gid), None)
        if user is not None:
            message = f"'{name}' is the primary group of the user '{shown(user.name)}'"
            raise ProviderError(message, hint="remove that user first, or set another `group` for it")

    def free_id(self, kind: Kind, name: str, preferred: int | None = None) -> int:
        """The preferred number if it is free, or else the highest free one, as sysusers.d(5) and useradd(8) choose it.

        A new user shares its number only with the group of its own name, and a new group only with that user: so both
        can have the same one.
        """
        lowest, highest = self._ids(kind)
        candidates = [*reversed(range(lowest, highest + 1))]
        if preferred is not None and 0 < preferred <= highest:
            candidates.insert(0, preferred)
        taken = {account.id for account in self._accounts(kind)}
        others = (*self._accounts("user"), *self._accounts("group"))
        taken |= {account.id for account in others if account.name != name}
        for number in candidates:
            if number not in taken:
                return number
        message = f"no {NUMBERS[kind]} from {lowest} to {highest} is free for '{name}'"
        raise ProviderError(message, hint=f"widen the range in {LOGIN_DEFS}, or remove unused accounts")

    def _accounts(self, kind: Kind) -> tuple[User | Group, ...]:
        return tuple(self.users()) if kind == "user" else tuple(self.groups())

    def _ids(self, kind: Kind) -> tuple[int, int]:
        """The lowest and the highest number of a new system account (login.defs(5))."""
        limits = dict(self._login_defs())
        word = NUMBERS[kind].upper()
        highest = limits.get(f"SYS_{word}_MAX", limits.get(f"{word}_MIN", HIGHEST + 1) - 1)
        return limits.get(f"SYS_{word}_MIN", LOWEST), min(highest, HIGHEST)

    def _login_defs(self) -> Iterator[tuple[str, int]]:
        for line in (self.system.read(LOGIN_DEFS) or b"").decode("utf-8", "replace").splitlines():
            name, *value = line.split()[:2] or [""]
            if value and is_number(value[0]):
                yield name, int(value[0])

    def _rows(self, kind: Kind) -> Iterator[list[str]]:
        for path in self._paths(kind):
            yield from self._table(path).rows()

    def _paths(self, kind: Kind) -> Sequence[str]:
        return self.system.account_files("passwd" if kind == "user" else "group")

    def _table(self, path: str) -> Table:
        if path not in self._tables:
            self._tables[path] = Table.load(self.system, path)
        return self._tables[path]
