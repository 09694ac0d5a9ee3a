"""Sizes as parameters."""

from converge.errors import ProviderError, shown
from converge.values import parse_size

MIB = 1 << 20
"""Bytes."""


def size_in_bytes(value: int | str) -> int:
    """The bytes of a size: a number, or text such as `8GiB`. ProviderError for other text."""
    try:
        return value if isinstance(value, int) else parse_size(value)
    except ValueError as error:
        raise ProviderError(f"'{shown(str(value))}' is not a size", hint=str(error)) from None
