"""One key of a profile."""

from contextlib import suppress

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile

LONG = {
    "ethernet": "802-3-ethernet",
    "wifi": "802-11-wireless",
    "wifi-security": "802-11-wireless-security",
}
"""The names of groups and types in older profiles."""


@frozen
class Slot:
    """A key of a profile, set or not."""

    profile: Keyfile
    group: str
    key: str

    @classmethod
    def of(cls, profile: Keyfile, group: str, key: str) -> "Slot":
        """A key by the usual name of its group, which may have its older name in this profile."""
        long, groups = LONG.get(group, group), profile.groups()
        return cls(profile, long if long in groups and group not in groups else group, key)

    def text(self) -> str | None:
        """The text of the key; None also if NetworkManager cannot read it."""
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
