"""What the account files say, which of it converge may change, and which numbers are free."""

from collections.abc import Iterator, Sequence

from attrs import define, field

from converge.errors import ProviderError, shown
from converge.providers.accounts.accountfiles.base import (
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

LOGIN_DEFS = "/etc/login.defs"
LOWEST = 101
"""The lowest number that is given to a system account where login.defs(5) says nothing."""


@define
class Accounts:
    """The accounts of a root, as its own files say. The first line of a name wins."""

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
        """The system user of a name; ProviderError where it is no system user."""
        found = next((user for user in self.users() if user.name == name), None)
        if found is not None:
            self._refuse_people("user", found)
        return found

    def group(self, name: str) -> Group | None:
        """The system group of a name; ProviderError where it is no system group."""
        found = next((group for group in self.groups() if group.name == name), None)
        if found is not None:
            self._refuse_people("group", found)
        return found

    def group_id(self, name: str) -> int | None:
        """The number of any group; digits stand for themselves. None where there is no such group."""
        found = next((group.id for group in self.groups() if group.name == name), None)
        return int(name) if found is None and is_number(name) else found

    def group_name(self, gid: int, asked: str | None) -> str:
        """The name that means a number: the one that is asked, or another; its digits where none does."""
        names = [group.name for group in self.groups() if group.id == gid]
        if asked is not None:
            names.insert(0, asked)
        return next((name for name in names if self.group_id(name) == gid), str(gid))

    def require_group(self, name: str) -> None:
        """ProviderError where there is no group of a name or number."""
        if self.group_id(name) not in {group.id for group in self.groups()}:
            raise ProviderError(
                f"there is no group '{shown(name)}'", hint="declare a `group` of this name, and need it"
            )

    def require_joinable(self, name: str) -> None:
        """ProviderError where there is no system group of a name, or only root's."""
        self.require_group(name)
        group = self.group(name)
        if group is not None:
            require_changeable("group", name, group.id)

    def groups_of(self, name: str) -> tuple[str, ...]:
        """The groups that a user is in besides its primary one, sorted. A member in any file is one (initgroups(3))."""
        return tuple(sorted({group.name for group in self.groups() if name in group.members}))

    def require_free(self, kind: Kind, name: str, number: int) -> None:
        """ProviderError where an account that is to be made cannot have a number."""
        require_system_number(kind, name, number, self._ids(kind)[1])
        owner = next((account.name for account in self._accounts(kind) if account.id == number), None)
        if owner is not None:
            word = NUMBERS[kind]
            message = f"the {word} {number} for '{name}' belongs to the {kind} '{shown(owner)}'"
            raise ProviderError(message, hint=f"take another, or leave `{word}` out and the next that is free is taken")

    def require_removable(self, kind: Kind, name: str) -> None:
        """ProviderError for a group that is a user's primary one, and for what the image brings."""
        for path in self._paths(kind):
            if path != FILES[kind] and self._table(path).get(name):
                message = f"the {kind} '{name}' comes with the image, in {path}"
                raise ProviderError(message, hint="it can only be removed from the image")
        gid = self.group_id(name) if kind == "group" else None
        user = next((user for user in self.users() if user.gid == gid), None)
        if user is not None:
            message = f"'{name}' is the primary group of the user '{shown(user.name)}'"
            raise ProviderError(message, hint="remove that user first, or give it another group")

    def free_id(self, kind: Kind, name: str, preferred: int | None = None) -> int:
        """The preferred number where it is free, else the highest that is, as sysusers.d(5) and useradd(8) have it.

        Users and groups share their numbers with none but their own namesakes, so that both can have the same one.
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
        raise ProviderError(message, hint=f"widen the range in {LOGIN_DEFS}, or remove accounts that nobody needs")

    def _accounts(self, kind: Kind) -> tuple[User | Group, ...]:
        return tuple(self.users()) if kind == "user" else tuple(self.groups())

    def _refuse_people(self, kind: Kind, account: User | Group) -> None:
        highest = self._ids(kind)[1]
        if account.id > highest:
            raise ProviderError(
                f"the {kind} '{account.name}' is no system {kind}: its {NUMBERS[kind]} is {account.id}, "
                f"and system {kind}s end at {highest}",
                hint="accounts of people are never changed nor removed",
            )

    def _ids(self, kind: Kind) -> tuple[int, int]:
        """The lowest and the highest number that a new system account is given (login.defs(5))."""
        said: dict[str, int] = dict(self._login_defs())
        word = NUMBERS[kind].upper()
        highest = said.get(f"SYS_{word}_MAX", said.get(f"{word}_MIN", HIGHEST + 1) - 1)
        return said.get(f"SYS_{word}_MIN", LOWEST), min(highest, HIGHEST)

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
