"""Users and groups by the root's own files: never the host's, and without a network or a bus."""

from typing import Literal, TypeAlias

from attrs import define, field

from converge.errors import ProviderError, shown
from converge.system.access import Looking
from converge.system.root import FileStat

Database: TypeAlias = Literal["passwd", "group"]

NSSWITCH = "/etc/nsswitch.conf"
HIGHEST_ID = 2**32 - 2
"""The one above means "leave as it is" to chown(2)."""


@define
class Names:
    """One database, as long as the files that were looked at do not change."""

    seen: tuple[FileStat | None, ...]
    ids: dict[str, int] = field(factory=dict)
    names: dict[int, str] = field(factory=dict)


class Accounts(Looking):
    """The names and numbers of users and groups."""

    _accounts: dict[Database, Names]

    def user_id(self, name: str) -> int:
        """The number of a user; digits are themselves. ProviderError for an unknown name."""
        return self._id_of("passwd", name)

    def group_id(self, name: str) -> int:
        return self._id_of("group", name)

    def user_name(self, uid: int) -> str:
        """The first name of a number, or its digits if it has none."""
        return self._known("passwd").names.get(uid, str(uid))

    def group_name(self, gid: int) -> str:
        return self._known("group").names.get(gid, str(gid))

    def account_files(self, database: Database) -> tuple[str, ...]:
        """The files of the users (`passwd`) or groups (`group`) that nsswitch.conf names; the first one wins.

        /usr/lib counts only if nsswitch.conf(5) names altfiles.
        """
        etc = f"/etc/{database}"
        files = {"files": etc, "compat": etc, "altfiles": f"/usr/lib/{database}"}
        for line in (self.read(NSSWITCH) or b"").decode("utf-8", "replace").splitlines():
            name, colon, services = line.partition("#")[0].partition(":")
            if colon and name.strip() == database:
                return tuple(files[service] for service in services.split() if service in files)
        return (etc,)

    def _id_of(self, database: Database, name: str) -> int:
        ids = self._known(database).ids
        if name in ids:
            return ids[name]
        if name.isascii() and name.isdigit() and int(name) <= HIGHEST_ID:
            return int(name)
        word = "user" if database == "passwd" else "group"
        raise ProviderError(
            f"the {word} '{shown(name)}' is unknown in {self.root}",
            hint=f"names are looked up in /etc/{database} there",
        )

    def _known(self, database: Database) -> Names:
        seen = (self.stat(f"/etc/{database}"), self.stat(NSSWITCH))
        known = self._accounts.get(database)
        if known is None or known.seen != seen:
            known = Names(seen)
            for path in self.account_files(database):
                for line in (self.read(path) or b"").splitlines():
                    name, _, number, *_ = (*line.decode("utf-8", "surrogateescape").split(":"), "", "", "")
                    if name and number.isascii() and number.isdigit() and name not in known.ids:
                        known.ids[name] = int(number)
                        known.names.setdefault(int(number), name)
            self._accounts[database] = known
        return known
