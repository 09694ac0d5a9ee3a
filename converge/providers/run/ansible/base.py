"""What a manifest says of a playbook."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from converge.model import Asset, Secret


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
        """The playbook, or the role or tasks that are to be one."""
        return self.playbook or self.role or self.tasks or ""
