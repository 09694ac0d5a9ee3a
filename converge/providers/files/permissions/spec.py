"""The declaration of owner, group and mode for a thing, or for the things in a tree."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from converge.formats.modes import Mode, parse_mode
from converge.model import Value
from converge.providers.paths import checked_path
from converge.providers.protocol import NO_PARAMETER

FIELDS = ("owner", "group", "mode")
_FILES, _FOLDERS, _AND = "files ", "directories ", "; "


@frozen
class Spec:
    path: str = field(converter=checked_path)
    owner: str | None = None
    group: str | None = None
    mode: str | None = None
    file_mode: str | None = None
    directory_mode: str | None = None
    recursive: bool = False
    max_depth: int | None = None
    include_top: bool = True
    only: Literal["files", "directories"] | None = None
    match: Mapping[str, str] = field(factory=dict)
    exclude: tuple[str, ...] = field(default=(), converter=tuple)
    hard_links: Literal["refuse", "skip", "allow"] = "refuse"
    yielded: tuple[str, ...] = field(default=(), metadata=NO_PARAMETER)
    """Paths that other resources own."""

    @property
    def is_tree(self) -> bool:
        """Whether the selection of things depends on the machine."""
        return bool(self.recursive or self.match or self.only or self.hard_links == "skip")

    @property
    def wanted(self) -> dict[str, Value]:
        """The managed fields of the state with their desired values. The mode is text for `modes_of`."""
        mode = modes_text(self.file_mode or self.mode, self.directory_mode or self.mode)
        managed = {"owner": self.owner, "group": self.group, "mode": mode}
        return {name: value for name, value in managed.items() if value is not None}


def modes_text(of_files: str | None, of_folders: str | None) -> str | None:
    if of_files == of_folders:
        return of_files
    parts = [f"{_FILES}{of_files}" if of_files else "", f"{_FOLDERS}{of_folders}" if of_folders else ""]
    return _AND.join(part for part in parts if part)


def modes_of(text: str) -> tuple[Mode | None, Mode | None]:
    """The modes of files and of folders in a text of `modes_text`."""
    parts = text.split(_AND)
    of_files = [part.removeprefix(_FILES) for part in parts if not part.startswith(_FOLDERS)]
    of_folders = [part.removeprefix(_FOLDERS) for part in parts if not part.startswith(_FILES)]
    return (
        parse_mode(of_files[0]) if of_files else None,
        parse_mode(of_folders[0]) if of_folders else None,
    )
