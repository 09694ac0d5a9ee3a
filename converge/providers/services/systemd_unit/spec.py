"""The parameters of a unit."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from converge.model import Asset
from converge.providers.protocol import NO_PARAMETER, PRESENT
from converge.system import ReadOnlySystem
from converge.system.contents import given_file
from converge.system.unitfiles import CONFIG


@frozen
class Spec:
    name: str
    ensure: Literal["present", "absent"] = "present"
    content: str | None = None
    source: Asset | str | None = None
    drop_ins: Mapping[str, str] = field(factory=dict)
    without_drop_ins: tuple[str, ...] = field(default=(), converter=tuple)
    enabled: bool | None = None
    preset: bool = False
    masked: bool | None = None
    running: bool | None = None
    after_change: tuple[str, ...] = field(default=(), converter=tuple)
    on_change: Literal["restart", "reload", "none"] = "restart"
    changed: tuple[str, ...] = field(default=(), metadata=NO_PARAMETER)
    """The resources in `after_change` that have changed."""

    @property
    def path(self) -> str:
        """The path of the machine's own unit file, or of the link that masks the unit."""
        return f"{CONFIG}/{self.name}"

    @property
    def brings_file(self) -> bool:
        return self.ensure == PRESENT and (self.content, self.source) != (None, None)

    @property
    def drop_in_names(self) -> tuple[str, ...]:
        return tuple(sorted((*self.drop_ins, *self.without_drop_ins)))

    @property
    def manages_files(self) -> bool:
        """Whether it declares anything that does not require a running machine."""
        named = self.enabled is not None or self.masked is not None or self.preset
        return bool(named or self.brings_file or self.ensure != PRESENT or self.drop_in_names)

    def drop_in_path(self, drop_in: str) -> str:
        return f"{self.path}.d/{drop_in}.conf"

    def unit_file(self, system: ReadOnlySystem) -> bytes | None:
        """The content of the unit file, if the manifest brings one."""
        if not self.brings_file:
            return None
        return given_file(system, self.source) if self.source is not None else (self.content or "").encode()
