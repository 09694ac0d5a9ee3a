"""The declaration of a playbook, and the findings of check mode."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from converge.model import Asset, Secret
from converge.providers.protocol import NO_PARAMETER


@frozen
class Spec:
    domain: str
    playbook: Asset | str | None = None
    role: Asset | str | None = None
    tasks: Asset | str | None = None
    variables: Mapping[str, Any] = field(factory=dict)
    secrets: Mapping[str, Secret] = field(factory=dict)
    tags: tuple[str, ...] = field(default=(), converter=tuple)
    timeout: int = 600
    network: bool = False

    @property
    def given(self) -> Asset | str:
        """The one of `playbook`, `role` and `tasks` that is set."""
        return self.playbook or self.role or self.tasks or ""


@frozen
class State:
    pending: tuple[str, ...] = ()
    """The tasks that would change something, each with the first lines of its diff."""
    ran: str | None = None
    """The tasks that ran although check mode cannot predict them; `inspect` cannot find this."""
    unknown: tuple[str, ...] = field(default=(), metadata=NO_PARAMETER)
    """The tasks that check mode cannot predict."""
