"""Taking away a folder, or what is in it, and bringing it back.

What is taken away is moved aside, below the folder of converge's own in the same domain: to one place for each path,
and there to a folder that is called like the digest of the names in it. A change is enough to find it again, and a run
that was killed half-way moves the rest to the same place. Only what was taken away last is kept of each path, so that
a cache that is emptied at every boot does not fill the disk.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.files.directory.base import Spec, require_removable
from converge.providers.protocol import (
    FOLDER_KINDS,
    domain_of_path,
    kind_at,
    outside_own_folders,
    record_of,
    tree_state,
)
from converge.system import OtherFileSystem, ReadOnlySystem, System

KEPT_IN = {Domain.MACHINE: "/var/lib/converge/removed", Domain.DEPLOYMENT: "/etc/converge/removed"}
PRIVATE = 0o700
"""The mode of folders that nobody else is to enter: what is kept may have been private, or be set-user-ID."""


def contents(system: ReadOnlySystem, path: str) -> str | None:
    """The names in a folder as a value; None where it is empty."""
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
    """Take away what is in a folder; of a run that was killed, `change` says what was in it before that."""
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


def bring_back(system: System, spec: Spec, path: str, wanted: str) -> None:
    """Put the contents that a value stands for back into a folder, or the whole folder back where it is absent."""
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
        hint = "of each path only what was taken away last is kept"
        raise ProviderError(f"what was in {spec.path} is not kept any more", hint=hint)


def _place(system: ReadOnlySystem, spec: Spec) -> str:
    name = hashlib.sha256(os.fsencode(spec.path)).hexdigest()
    return f"{KEPT_IN[domain_of_path(system, spec.path, follow=False)]}/{name}"


def _make_room(system: System, spec: Spec, record: str | None) -> str:
    """The place of a path, without what is kept there, but for a record."""
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
        hint = "say `backup: false` to delete it for good"
        raise ProviderError(f"{spec.path} cannot be kept for undo: {error.message}", hint=hint) from error
