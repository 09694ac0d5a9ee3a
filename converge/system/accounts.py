"""Users and groups as the root's own files name them: never the host's, and nothing that needs a network or a bus."""

from typing import Literal, TypeAlias

from attrs import define, field

from converge.errors import ProviderError, shown
from converge.system.root import FileStat, Root

Database: TypeAlias = Literal["passwd", "group"]

NSSWITCH = "/etc/nsswitch.conf"
HIGHEST_ID = 2**32 - 2
"""The one above means "leave as it is" to chown(2)."""


@define
class Names:
    """One database, read anew when a file of it has changed."""

    root: Root
    database: Database
    _seen: tuple[FileStat | None, ...] = ()
    _ids: dict[str, int] = field(factory=dict)
    _names: dict[int, str] = field(factory=dict)

    def id_of(self, name: str) -> int:
        """The number that a name stands for; digits stand for themselves. ProviderError where it is unknown."""
        self._refresh()
        if name in self._ids:
            return self._ids[name]
        if name.isascii() and name.isdigit() and int(name) <= HIGHEST_ID:
            return int(name)
        word = "user" if self.database == "passwd" else "group"
        raise ProviderError(
            f"there is no {word} '{shown(name)}' in {self.root.path}",
            hint=f"names are looked up in /etc/{self.database} there",
        )

    def name_of(self, id_: int) -> str:
        """The first name of a number, or its digits where it has none."""
        self._refresh()
        return self._names.get(id_, str(id_))

    def files(self) -> tuple[str, ...]:
        """In the order of precedence; /usr/lib counts only where nsswitch.conf(5) names altfiles."""
        etc = f"/etc/{self.database}"
        files = {"files": etc, "compat": etc, "altfiles": f"/usr/lib/{self.database}"}
        return tuple(files[service] for service in self._services() if service in files)

    def _refresh(self) -> None:
        etc, nsswitch = f"/etc/{self.database}", NSSWITCH
        seen = tuple(self.root.stat(path, follow=True) for path in (etc, nsswitch))
        if self._seen != seen or not self._seen:
            self._seen = seen
            self._load()

    def _load(self) -> None:
        self._ids, self._names = {}, {}
        for path in self.files():
            for line in (self.root.read(path) or b"").splitlines():
                self._add(line.decode("utf-8", "surrogateescape").split(":"))

    def _add(self, fields: list[str]) -> None:
        if len(fields) >= 3 and fields[0] and fields[2].isascii() and fields[2].isdigit():
            name, number = fields[0], int(fields[2])
            if name not in self._ids:
                self._ids[name] = number
                self._names.setdefault(number, name)

    def _services(self) -> list[str]:
        for line in (self.root.read(NSSWITCH) or b"").decode("utf-8", "replace").splitlines():
            name, colon, services = line.partition("#")[0].partition(":")
            if colon and name.strip() == self.database:
                return services.split()
        return ["files"]
