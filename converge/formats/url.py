"""Addresses of repositories."""

import re


def with_host(url: str, old: str, new: str) -> str:
    """The URL with the host `new` if its host is exactly `old`, and the rest, port and all, to the letter.

    `old` may name a port too. What libostree writes before some URLs, `mirrorlist=`, is taken for a part of the scheme.
    """
    matched = re.fullmatch(
        rf"(?P<before>[^/?#]*//(?:[^/?#]*@)?){re.escape(old)}(?P<after>(?::[0-9]*)?(?:[/?#].*)?)",
        url,
        re.IGNORECASE | re.DOTALL,
    )
    return f"{matched['before']}{new}{matched['after']}" if matched else url
