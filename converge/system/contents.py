"""Contents as values: a state has a short text itself, and the address in the store of anything else."""

from converge.errors import ProviderError
from converge.model import Asset
from converge.system import ReadOnlySystem, System
from converge.system.store import address_of, path_of

LONGEST = 256
"""Characters of the longest text that a state has itself."""


def given_file(system: ReadOnlySystem, file: Asset | str) -> bytes:
    """The bytes of a parameter in `traits.files`: beside the manifest, or on the machine."""
    data = file.data if isinstance(file, Asset) else system.read(file)
    if data is None:
        raise ProviderError(f"there is no file {file} on the machine")
    return data


def content_of(system: ReadOnlySystem, declared: bytes | None, address: str) -> bytes:
    """The bytes at an address: the declared ones or, for undo, those that the store kept."""
    if declared is not None and address_of(declared) == address:
        return declared
    kept = system.kept(address)
    if kept is None:
        raise ProviderError(f"the content {address} is not in the store", hint="it was never replaced by converge here")
    return kept


def as_value(text: str) -> str:
    """A text as a state has it: the text, or its address if it is long, is not UTF-8, or looks like an address."""
    data = text.encode("utf-8", "surrogateescape")
    odd = len(text) > LONGEST or data != text.encode("utf-8", "replace") or path_of(text)
    return address_of(data) if odd else text


def text_of(system: ReadOnlySystem, value: str, declared: str | None = None) -> str:
    """The text of a value of `as_value`: the declared one or, for undo, one that `keep_text` kept."""
    if path_of(value) is None:
        return value
    data = None if declared is None else declared.encode("utf-8", "surrogateescape")
    return content_of(system, data, value).decode("utf-8", "surrogateescape")


def keep_text(system: System, text: str) -> None:
    """Keep a text that is about to be lost, if a state has only its address."""
    if as_value(text) != text:
        system.keep(text.encode("utf-8", "surrogateescape"))
