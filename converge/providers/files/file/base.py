"""What a manifest says of a file."""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from converge.model import Asset
from converge.providers.protocol import checked_path


@frozen
class Spec:
    path: str = field(converter=checked_path)
    ensure: Literal["present", "absent"] = "present"
    content: str | None = None
    source: Asset | str | None = None
    template: Asset | str | None = None
    variables: Mapping[str, Any] = field(factory=dict)
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    merge: Literal["replace", "three-way"] = "replace"

    @property
    def manages_content(self) -> bool:
        return (self.content, self.source, self.template) != (None, None, None)

    @property
    def attributes(self) -> dict[str, str | None]:
        return {"mode": self.mode, "owner": self.owner, "group": self.group}
