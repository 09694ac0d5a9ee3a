"""The kinds of settings: how the value of each is written in its key.

Some kinds have special texts, or a value of their own for a key that is not set.
"""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from attrs import frozen

from converge.model import Secret
from converge.providers.network.connection.profile.slot import LONG, Slot
from converge.providers.network.connection.spec import Found

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Kind(Protocol):
    """How a setting is written in its key."""

    def read(self, at: Slot) -> Found: ...

    def write(self, at: Slot, value: Any) -> None:  # noqa: ANN401  (each kind has its own)
        """Write a value of the type that `read` returns, but the text of a secret; None unsets the key."""


class Text:
    def read(self, at: Slot) -> Found:
        return at.text()

    def write(self, at: Slot, value: str | None) -> None:
        at.put(value)


class Credential(Text):
    """A secret. Flags beside it may store it with each user instead of in the profile."""

    def read(self, at: Slot) -> Found:
        text = at.text()
        return None if text is None else Secret(text)

    def write(self, at: Slot, value: str | None) -> None:
        at.put(value)
        at.beside(f"{at.key}-flags").put(None)


class Texts:
    """A list; the schema accepts no semicolon in its items."""

    def read(self, at: Slot) -> Found:
        return tuple(filter(None, (at.text() or "").split(";"))) or None

    def write(self, at: Slot, value: tuple[str, ...] | None) -> None:
        at.put("".join(f"{text};" for text in value) if value else None)


class Type(Text):
    def read(self, at: Slot) -> Found:
        text = at.text()
        return next((short for short, long in LONG.items() if long == text), text)


class File(Text):
    """The path of a certificate or key."""

    def read(self, at: Slot) -> Found:
        text = at.text()
        return None if text is None else text.removeprefix("file://")


@frozen
class Flag:
    default: bool

    def read(self, at: Slot) -> Found:
        word = (at.text() or "").strip().lower()
        return not self.default if word in (_FALSE if self.default else _TRUE) else self.default

    def write(self, at: Slot, value: bool | None) -> None:
        at.put(None if value in (None, self.default) else str(value).lower())


class Number:
    """0 if it is not set."""

    def read(self, at: Slot) -> Found:
        text = (at.text() or "").strip()
        return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else 0

    def write(self, at: Slot, value: int | None) -> None:
        at.put(str(value) if value else None)


class Ssid:
    """The name of a wireless network is bytes: a text if all are printable ASCII, else the list of their numbers."""

    def read(self, at: Slot) -> Found:
        text = at.text()
        if text is None or not re.fullmatch(r"(\s*[0-9]{1,3}\s*;)+\s*", text):
            return None if text is None else text.replace("\\;", ";")
        numbers = [int(number) for number in re.findall("[0-9]+", text)]
        return text if max(numbers) > 255 else bytes(numbers).decode("utf-8", "surrogateescape")

    def write(self, at: Slot, value: str | None) -> None:
        data = (value or "").encode("utf-8", "surrogateescape")
        if value is None or all(0x20 <= byte < 0x7F for byte in data):
            at.put(None if value is None else value.replace(";", "\\;"))
        else:
            at.put("".join(f"{byte};" for byte in data))


class Security:
    """The security of a wireless network. An open one has no group for it: `key-mgmt` would be missing there."""

    PARAMETERS: Mapping[str, str] = {
        "none": "wep",
        "owe": "owe",
        "sae": "wpa3-sae",
        "wpa-eap": "wpa2-eap",
        "wpa-eap-suite-b-192": "wpa3-eap-192",
        "wpa-psk": "wpa2-psk",
    }

    def read(self, at: Slot) -> Found:
        text = at.text()
        if text:
            return self.PARAMETERS.get(text, text)
        return "none" if Type().read(Slot.of(at.profile, "connection", "type")) == "wifi" else None

    def write(self, at: Slot, value: str | None) -> None:
        if value in (None, "none"):
            at.profile.remove_group(at.group)
        else:
            at.put(next((key for key, word in self.PARAMETERS.items() if word == value), value))


class Eap:
    """The method of authentication. NetworkManager refuses its group without it."""

    def read(self, at: Slot) -> Found:
        return (at.text() or "").strip(";") or None

    def write(self, at: Slot, value: str | None) -> None:
        if value is None:
            at.profile.remove_group(at.group)
        else:
            at.put(f"{value};")


class ProxyMethod:
    def read(self, at: Slot) -> Found:
        return "auto" if at.text() == "1" else "none"

    def write(self, at: Slot, value: str | None) -> None:
        at.put("1" if value == "auto" else None)
