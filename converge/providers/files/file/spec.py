"""The declaration of a file."""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from converge.model import Asset
from converge.providers.files.attributes import AttributeSpec
from converge.providers.paths import checked_path


@frozen(kw_only=True)
class Spec(AttributeSpec):
    path: str = field(converter=checked_path)
    ensure: Literal["present", "absent"] = "present"
    content: str | None = None
    source: Asset | str | None = None
    template: Asset | str | None = None
    variables: Mapping[str, Any] = field(factory=dict)
    merge: Literal["replace", "three-way"] = "replace"

    @property
    def manages_content(self) -> bool:
        return (self.content, self.source, self.template) != (None, None, None)
