"""Remove a folder or its contents, and restore them.

Removed things are moved to converge's own folder in the same domain: to one place for each path, in a folder named
after the digest of the names in it. So a change is enough to find them again, and after a killed run the next run moves
the rest to the same place. For each path only the last removal is kept, so that a cache that is emptied at every boot
does not fill the disk.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.files.directory.spec import Spec, require_removable
from converge.providers.files.treestates import record_of, tree_state
from converge.providers.paths import FOLDER_KINDS, kind_at, outside_own_folders
from converge.providers.protocol import domain_of_path
from converge.system import OtherFileSystem, ReadOnlySystem, System

KEPT_IN = {Domain.MACHINE: "/var/lib/converge/removed", Domain.DEPLOYMENT: "/etc/converge/removed"}
PRIVATE = 0o700
"""The mode of folders that only root may enter: the kept files may be private, or set-user-ID."""


def contents(system: ReadOnlySystem, path: str) -> str | None:
    """The names in a folder as a value; None if it is empty."""
    names = system.list_folder(path)
    if not names:
        return None
    digest = hashlib.sha256(b"\0".join(map(os.fsencode, names))).hexdigest()
    return tree_state(digest, len(names), names[0])


def remove(system: System, spec: Spec) -> None:
    path = outside_own_folders(system.resolve(spec.path, follow=False))
    kind = kind_at(system, path)
    require_removable(spec, kind)
    record = record_of(contents(system, path)) if kind in FOLDER_KINDS else None
    if record is None:
        system.remove_folder(path)
    elif not spec.backup:
        system.delete(path)
    else:
        kept = _make_room(system, spec, None)
        with _remedy(spec):
            system.move(path, f"{kept}/{record}")


def empty(system: System, spec: Spec, path: str, change: Change) -> None:
    """Remove the contents of a folder; after a killed run, `change` has the contents before that run."""
    record = record_of(contents(system, outside_own_folders(path)))
    if record is None:
        return
    if not spec.backup:
        system.delete_contents(path)
        return
    record = record_of(change.before) or record
    kept = f"{_make_room(system, spec, record)}/{record}"
    system.make_folder(kept, mode=PRIVATE)
    with _remedy(spec):
        system.move_contents(path, kept, replace=True)


def restore(system: System, spec: Spec, path: str, wanted: str) -> None:
    """Restore the contents of a value in a folder, or the whole folder if it is absent."""
    kept = f"{_place(system, spec)}/{record_of(wanted)}"
    if kind_at(system, path) is None:
        _require_kept(system, spec, kept)
        system.move(kept, path)
    elif contents(system, path) != wanted:
        _require_kept(system, spec, kept)
        system.move_contents(kept, path)
        system.remove_folder(kept)


def _require_kept(system: ReadOnlySystem, spec: Spec, kept: str) -> None:
    if kind_at(system, kept) is None:
        hint = "restore them from a backup: for each path only the last removal is kept"
        raise ProviderError(f"the former contents of {spec.path} are not kept any more", hint=hint)


def _place(system: ReadOnlySystem, spec: Spec) -> str:
    name = hashlib.sha256(os.fsencode(spec.path)).hexdigest()
    return f"{KEPT_IN[domain_of_path(system, spec.path, follow=False)]}/{name}"


def _make_room(system: System, spec: Spec, record: str | None) -> str:
    """The place of a path; everything kept there is deleted, except a record."""
    place = _place(system, spec)
    for name in system.list_folder(place):
        if name != record:
            system.delete(f"{place}/{name}")
    for folder in (place.rpartition("/")[0], place):
        system.make_folder(folder, mode=PRIVATE)
    return place


@contextmanager
def _remedy(spec: Spec) -> Iterator[None]:
    try:
        yield
    except OtherFileSystem as error:
        hint = "write `backup: false` to delete it for good"
        raise ProviderError(f"{spec.path} cannot be kept for undo: {error.message}", hint=hint) from error
