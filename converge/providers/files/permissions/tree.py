"""Find and fix wrong entries in a tree. A million entries may be right: no path is built for those."""

import stat
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from attrs import frozen

from converge.errors import ProviderError, shown
from converge.model import Value
from converge.providers.files.permissions.spec import Spec, modes_of
from converge.system import ReadOnlySystem, System
from converge.system.trees import Found


@frozen
class Wrong:
    """A thing, and its new owner, group and mode; None for a value that is right already."""

    found: Found
    uid: int | None
    gid: int | None
    mode: int | None

    def before(self) -> dict[str, str]:
        """The current value of each wrong field."""
        live = self.found.stat
        texts = {
            "owner": None if self.uid is None else str(live.st_uid),
            "group": None if self.gid is None else str(live.st_gid),
            "mode": None if self.mode is None else f"{stat.S_IMODE(live.st_mode):04o}",
        }
        return {name: text for name, text in texts.items() if text is not None}


def things_in(system: ReadOnlySystem, spec: Spec) -> Iterator[Found]:
    """Everything that the path, the depth and the patterns select, in any order."""
    depth = spec.max_depth if spec.recursive else 0
    for found in system.walk(spec.path, max_depth=depth, excludes=spec.exclude):
        if spec.include_top or found.above is not None:
            yield found


def wrong_things(system: ReadOnlySystem, spec: Spec, requested: Mapping[str, Value]) -> Iterator[Wrong]:
    """The selected things that differ from `requested`."""
    judge = _judge(system, requested)
    selected = _chooser(system, spec)
    yielded = _yielded(system, spec)
    for found in things_in(system, spec):
        wrong = judge(found)
        if wrong and selected(found) and found.path not in yielded and may_touch(spec, found):
            yield wrong


def fix(system: System, spec: Spec, requested: Mapping[str, Value]) -> None:
    owner_last = bool(spec.match.keys() & {"owner", "group"})
    for wrong in wrong_things(system, spec, requested):
        mode = wrong.mode
        if owner_last and mode is not None:
            # A matched field changes last, so that the next run finds the thing again if this one is killed in between.
            system.fix(wrong.found, mode=mode)
            mode = None
        system.fix(wrong.found, uid=wrong.uid, gid=wrong.gid, mode=mode)


def may_touch(spec: Spec, found: Found) -> bool:
    """False for a file with other hard links that must be skipped; ProviderError if it is refused."""
    links = found.stat.st_nlink
    if links == 1 or spec.hard_links == "allow" or found.kind == "directory":
        return True
    if spec.hard_links == "skip":
        return False
    raise ProviderError(
        f"{shown(found.path or '.')} in {spec.path} has {links} hard links",
        hint="add it to `exclude`, or write `hard_links: skip` or `hard_links: allow`: another link may be elsewhere",
    )


def _judge(system: ReadOnlySystem, requested: Mapping[str, Value]) -> Callable[[Found], Wrong | None]:
    uid = system.user_id(str(requested["owner"])) if "owner" in requested else None
    gid = system.group_id(str(requested["group"])) if "group" in requested else None
    of_files, of_folders = modes_of(str(requested["mode"])) if "mode" in requested else (None, None)

    @cache
    def mode_instead(live: int) -> int | None:
        is_folder = stat.S_ISDIR(live)
        mode = of_folders if is_folder else of_files
        if mode is None or stat.S_ISLNK(live):
            return None
        wanted = mode.on(stat.S_IMODE(live), is_folder=is_folder)
        return None if wanted == stat.S_IMODE(live) else wanted

    def judge(found: Found) -> Wrong | None:
        live = found.stat
        mode = mode_instead(live.st_mode)
        if mode is None and uid in (None, live.st_uid) and gid in (None, live.st_gid):
            return None
        return Wrong(found, None if uid == live.st_uid else uid, None if gid == live.st_gid else gid, mode)

    return judge


def _chooser(system: ReadOnlySystem, spec: Spec) -> Callable[[Found], bool]:
    """Whether `only` and `match` select a thing. A link has no mode to match."""
    uid = system.user_id(spec.match["owner"]) if "owner" in spec.match else None
    gid = system.group_id(spec.match["group"]) if "group" in spec.match else None
    mode = int(spec.match["mode"], 8) if "mode" in spec.match else None

    def selected(found: Found) -> bool:
        live = found.stat
        if spec.only is not None and (found.kind == "directory") != (spec.only == "directories"):
            return False
        if uid not in (None, live.st_uid) or gid not in (None, live.st_gid):
            return False
        return mode is None or (stat.S_IMODE(live.st_mode) == mode and found.kind != "symlink")

    return selected


def _yielded(system: ReadOnlySystem, spec: Spec) -> frozenset[str]:
    """The paths that other resources own, relative to the top of the tree."""
    top = system.resolve(spec.path)
    above = top.rstrip("/") + "/"
    paths = [system.resolve(path) for path in spec.yielded]
    return frozenset("" if path == top else path.removeprefix(above) for path in paths if f"{path}/".startswith(above))
