"""Contents as values: a state holds a short text itself, and of anything else the address in the store."""

from converge.errors import ProviderError
from converge.model import Asset
from converge.system import ReadOnlySystem, System
from converge.system.store import address_of, path_of

LONGEST = 256
"""Characters of a text that a state holds itself."""


def given_file(system: ReadOnlySystem, file: Asset | str) -> bytes:
    """The bytes of a parameter in `FILES`: beside the manifest, or on the machine."""
    data = file.data if isinstance(file, Asset) else system.read(file)
    if data is None:
        raise ProviderError(f"there is no file {file} on the machine")
    return data


def content_of(system: ReadOnlySystem, asked: bytes | None, address: str) -> bytes:
    """The bytes that a change's value `address` stands for: what the spec brings, or, for undo, what the store kept."""
    if asked is not None and address_of(asked) == address:
        return asked
    kept = system.kept(address)
    if kept is None:
        raise ProviderError(f"the content {address} is not in the store", hint="it was never replaced by converge here")
    return kept


def as_value(text: str) -> str:
    """A text as a state holds it: the text itself, or its address where it is long, no UTF-8, or looks like one."""
    data = text.encode("utf-8", "surrogateescape")
    odd = len(text) > LONGEST or data != text.encode("utf-8", "replace") or path_of(text)
    return address_of(data) if odd else text


def text_of(system: ReadOnlySystem, value: str, asked: str | None = None) -> str:
    """The text that `as_value` made a value of: one that the spec asks, or, for undo, that `keep_text` has kept."""
    if path_of(value) is None:
        return value
    data = None if asked is None else asked.encode("utf-8", "surrogateescape")
    return content_of(system, data, value).decode("utf-8", "surrogateescape")


def keep_text(system: System, text: str) -> None:
    """Keep a text that is about to be lost, where a state holds only its address."""
    if as_value(text) != text:
        system.keep(text.encode("utf-8", "surrogateescape"))
