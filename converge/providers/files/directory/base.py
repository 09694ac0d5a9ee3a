"""What a manifest says of a folder, and where the folder is."""

from typing import Literal

from attrs import field, frozen

from converge.errors import ProviderError
from converge.providers.protocol import ABSENT, FOLDER_KINDS, another_kind, checked_path, kind_at
from converge.system import ReadOnlySystem


@frozen
class Spec:
    path: str = field(converter=checked_path)
    ensure: Literal["present", "absent"] = "present"
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    empty: bool = False
    recursive: bool = False
    backup: bool = True

    @property
    def attributes(self) -> dict[str, str | None]:
        return {"mode": self.mode, "owner": self.owner, "group": self.group}

    @property
    def takes_away(self) -> bool:
        return self.empty or self.ensure == ABSENT


def place_of(system: ReadOnlySystem, spec: Spec) -> str:
    """The folder's path. A link to one counts as the folder, but nothing is ever taken away through a link."""
    follow = not spec.takes_away and kind_at(system, spec.path) == "symlink"
    return system.resolve(spec.path, follow=follow)


def require_folder(spec: Spec, kind: str | None) -> None:
    """ProviderError for anything else, and for a folder that would take with it more than the manifest says."""
    if kind is not None and kind not in FOLDER_KINDS:
        raise another_kind(spec.path, kind, "folder")


def require_removable(spec: Spec, kind: str | None) -> None:
    require_folder(spec, kind)
    if kind == "directory" and not spec.recursive:
        hint = "say `recursive: true` to remove it with all that it holds, or `only_if: {kind: empty-directory}`"
        raise ProviderError(f"the folder {spec.path} is not empty", hint=hint)
