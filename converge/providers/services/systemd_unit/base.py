"""What a manifest says of a unit."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from converge.model import Asset, Value
from converge.providers.protocol import ABSENT, DERIVED, PRESENT, given_file
from converge.system import ReadOnlySystem, unitfiles
from converge.system.store import address_of
from converge.system.unitfiles import CONFIG, UnitFile


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
    changed: tuple[str, ...] = field(default=(), metadata=DERIVED)
    """Those of `after_change` that have changed."""

    @property
    def path(self) -> str:
        """Where the machine's own unit file is, or the link that masks the unit."""
        return f"{CONFIG}/{self.name}"

    @property
    def brings_file(self) -> bool:
        return self.ensure == PRESENT and (self.content, self.source) != (None, None)

    @property
    def drop_in_names(self) -> tuple[str, ...]:
        return tuple(sorted((*self.drop_ins, *self.without_drop_ins)))

    @property
    def manages_files(self) -> bool:
        """Whether it asks for anything that does not depend on whether the machine runs."""
        named = self.enabled is not None or self.masked is not None or self.preset
        return bool(named or self.brings_file or self.ensure != PRESENT or self.drop_in_names)

    def drop_in_path(self, drop_in: str) -> str:
        return f"{self.path}.d/{drop_in}.conf"

    def asked(self, content: str | None) -> dict[str, Value]:
        """The fields of the state that the manifest gives values for; `content` is that of the unit file."""
        if self.ensure == ABSENT:
            return {"ensure": ABSENT}
        said = {"enabled": self.enabled, "masked": self.masked, "running": self.running}
        asked: dict[str, Value] = {name: value for name, value in said.items() if value is not None}
        if self.brings_file:
            asked |= {"ensure": PRESENT, "content": content}
        if self.drop_in_names:
            texts = {name: self.drop_ins.get(name) for name in self.drop_in_names}
            asked["drop_ins"] = {n: None if text is None else address_of(text.encode()) for n, text in texts.items()}
        return asked


def wanted(system: ReadOnlySystem, spec: Spec) -> bytes | None:
    """What the unit file is to hold, where the manifest brings one."""
    if not spec.brings_file:
        return None
    return given_file(system, spec.source) if spec.source is not None else (spec.content or "").encode()


def texts(system: ReadOnlySystem, spec: Spec, unit: UnitFile | None, ours: bytes | None) -> tuple[str, ...]:
    """The unit file and its drop-ins as they will be."""
    found = unit.text if unit else ""
    replaced = [spec.drop_in_path(name) for name in spec.drop_in_names]
    text = found if ours is None else ours.decode("utf-8", "surrogateescape")
    return (*unitfiles.texts(system, spec.name, text, leaving_out=replaced), *spec.drop_ins.values())
