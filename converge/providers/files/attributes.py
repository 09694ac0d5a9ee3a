"""Owner, group and mode: as parameters, as state values, and set on a path."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from converge.formats.modes import mode_text, parse_mode
from converge.model import Value
from converge.system import ReadOnlySystem, System


@frozen(kw_only=True)
class AttributeSpec:
    """The parameters for the attributes of a file or folder; None: not managed."""

    mode: str | None = None
    owner: str | None = None
    group: str | None = None

    @property
    def attributes(self) -> dict[str, Value]:
        """The managed attributes, as declared."""
        given = {"mode": self.mode, "owner": self.owner, "group": self.group}
        return {name: value for name, value in given.items() if value is not None}

    def attributes_on(self, live: str | None, *, new: int, is_folder: bool) -> dict[str, Value]:
        """The same with an octal mode: for a thing with the mode `live`, or (None) for a new one with `new`."""
        if self.mode is None:
            return self.attributes
        mode = parse_mode(self.mode).on(new if live is None else int(live, 8), is_folder=is_folder)
        return {**self.attributes, "mode": mode_text(mode)}


def owner_as_declared(system: ReadOnlySystem, declared: str | None, uid: int) -> str:
    """The name of a user id: the declared name if it has this id, otherwise the machine's."""
    return declared if declared is not None and system.user_id(declared) == uid else system.user_name(uid)


def group_as_declared(system: ReadOnlySystem, declared: str | None, gid: int) -> str:
    return declared if declared is not None and system.group_id(declared) == gid else system.group_name(gid)


@frozen
class Attributes:
    """The numbers of the changed values of `owner`, `group` and `mode` (octal); None: not changed."""

    mode: int | None
    uid: int | None
    gid: int | None

    @classmethod
    def of(cls, system: ReadOnlySystem, after: Mapping[str, Any]) -> "Attributes":
        mode, owner, group = (after.get(name) for name in ("mode", "owner", "group"))
        return cls(
            None if mode is None else int(mode, 8),
            None if owner is None else system.user_id(owner),
            None if group is None else system.group_id(group),
        )

    def set_on(self, system: System, path: str) -> None:
        if (self.uid, self.gid) != (None, None):
            system.set_owner(path, self.uid, self.gid)
        if self.mode is not None:
            system.set_mode(path, self.mode)
