"""The declaration of a folder, and the path of the folder."""

from typing import Literal

from attrs import field, frozen

from converge.errors import ProviderError
from converge.providers.files.attributes import AttributeSpec
from converge.providers.paths import FOLDER_KINDS, another_kind, checked_path, kind_at
from converge.providers.protocol import ABSENT
from converge.system import ReadOnlySystem


@frozen(kw_only=True)
class Spec(AttributeSpec):
    path: str = field(converter=checked_path)
    ensure: Literal["present", "absent"] = "present"
    empty: bool = False
    recursive: bool = False
    backup: bool = True

    @property
    def removes(self) -> bool:
        return self.empty or self.ensure == ABSENT


def place_of(system: ReadOnlySystem, spec: Spec) -> str:
    """The folder's path. A link to a folder counts as the folder, but nothing is removed through a link."""
    follow = not spec.removes and kind_at(system, spec.path) == "symlink"
    return system.resolve(spec.path, follow=follow)


def require_folder(spec: Spec, kind: str | None) -> None:
    """Raise ProviderError if the path exists but is not a folder."""
    if kind is not None and kind not in FOLDER_KINDS:
        raise another_kind(spec.path, kind, "folder")


def require_removable(spec: Spec, kind: str | None) -> None:
    require_folder(spec, kind)
    if kind == "directory" and not spec.recursive:
        hint = "write `recursive: true` to remove its contents too, or `only_if: {kind: empty-directory}`"
        raise ProviderError(f"the folder {spec.path} is not empty", hint=hint)
