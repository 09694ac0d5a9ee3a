"""The names of system users and groups."""

import re

from converge.errors import ProviderError, shown


def account_name(name: str) -> str:
    """A name that sysusers.d(5) accepts for a new user or group; ProviderError for any other."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,30}", name):
        hint = "use a letter or '_', then letters, digits, '_' and '-', at most 31 characters"
        raise ProviderError(f"'{shown(name)}' is not a name for a system account", hint=hint)
    return name
