"""One key of a profile, and the kinds of settings that most others are made of."""

from contextlib import suppress
from typing import Any, Protocol

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.model import Secret
from converge.providers.network.connection.base import Found

LONG = {
    "ethernet": "802-3-ethernet",
    "wifi": "802-11-wireless",
    "wifi-security": "802-11-wireless-security",
}
"""Groups, and types, under the names that older profiles have for them."""


@frozen
class Slot:
    """A key of a profile, set or not."""

    profile: Keyfile
    group: str
    key: str

    @classmethod
    def of(cls, profile: Keyfile, group: str, key: str) -> "Slot":
        """A key by the usual name of its group, whatever that is called in this profile."""
        long, groups = LONG.get(group, group), profile.groups()
        return cls(profile, long if long in groups and group not in groups else group, key)

    def text(self) -> str | None:
        """What the key holds; None also where NetworkManager would make nothing of it."""
        with suppress(ProviderError):
            return self.profile.get(self.group, self.key) or None
        return None

    def put(self, text: str | None) -> None:
        if text is None:
            self.profile.unset(self.group, self.key)
        else:
            self.profile.set(self.group, self.key, text)

    def beside(self, key: str) -> "Slot":
        """Another key of the same group."""
        return Slot(self.profile, self.group, key)


class Kind(Protocol):
    """How a setting stands in its key."""

    def read(self, at: Slot) -> Found: ...

    def write(self, at: Slot, value: Any) -> None:  # noqa: ANN401  (each kind has its own)
        """Write what `read` gives, and of a secret its text; None unsets it."""


class Text:
    def read(self, at: Slot) -> Found:
        return at.text()

    def write(self, at: Slot, value: str | None) -> None:
        at.put(value)


class Credential(Text):
    """A secret. Flags beside it may say that it is not here, but with each user."""

    def read(self, at: Slot) -> Found:
        text = at.text()
        return None if text is None else Secret(text)

    def write(self, at: Slot, value: str | None) -> None:
        at.put(value)
        at.beside(f"{at.key}-flags").put(None)


class Texts:
    """A list; what the manifest may put into one has no semicolon."""

    def read(self, at: Slot) -> Found:
        return tuple(filter(None, (at.text() or "").split(";"))) or None

    def write(self, at: Slot, value: tuple[str, ...] | None) -> None:
        at.put("".join(f"{text};" for text in value) if value else None)
