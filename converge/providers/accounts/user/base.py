"""What a manifest says of a system user."""

import re
from collections.abc import Iterable
from typing import Literal

from attrs import field, frozen

from converge.errors import ProviderError, shown
from converge.model import Value
from converge.providers.protocol import ABSENT, PRESENT, account_name, checked_path

TEXTS = ("description", "home", "shell")


def _text(value: str) -> str:
    """A text that is one field of a line; ProviderError for one that would be more."""
    if not re.fullmatch(r"[^:\x00-\x1f\x7f\ud800-\udfff]*", value):
        raise ProviderError(f"'{shown(value)}' has a colon or a control character", hint="take it out")
    return value


def _optional_text(value: str | None) -> str | None:
    return None if value is None else _text(value)


def _optional_path(value: str | None) -> str | None:
    return None if value is None else checked_path(_text(value))


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({account_name(name) for name in names}))


@frozen
class Spec:
    name: str = field(converter=account_name)
    ensure: Literal["present", "absent"] = "present"
    uid: int | None = None
    group: str | None = None
    groups: tuple[str, ...] = field(default=(), converter=_names)
    description: str | None = field(default=None, converter=_optional_text)
    home: str | None = field(default=None, converter=_optional_path)
    shell: str | None = field(default=None, converter=_optional_path)

    @property
    def desired(self) -> dict[str, Value]:
        """The fields of the state that are managed, and what they are to be."""
        if self.ensure == ABSENT:
            return {"ensure": ABSENT}
        texts = {name: getattr(self, name) for name in TEXTS}
        asked = {"ensure": PRESENT, "uid": self.uid, "group": self.group, "groups": self.groups or None, **texts}
        return {name: value for name, value in asked.items() if value is not None}
