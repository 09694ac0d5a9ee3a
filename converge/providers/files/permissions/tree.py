"""Finding and mending what is wrong in a tree. A million things may be right: no path is built for those."""

import stat
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from attrs import frozen

from converge.errors import ProviderError, shown
from converge.model import Value
from converge.providers.files.permissions.base import Spec, modes_of
from converge.system import ReadOnlySystem, System
from converge.system.trees import Found


@frozen
class Wrong:
    """A thing, and the owner, group and mode that it is to get; None for what is right already."""

    found: Found
    uid: int | None
    gid: int | None
    mode: int | None

    def before(self) -> dict[str, str]:
        """Per field that is wrong, what it is now."""
        live = self.found.stat
        texts = {
            "owner": None if self.uid is None else str(live.st_uid),
            "group": None if self.gid is None else str(live.st_gid),
            "mode": None if self.mode is None else f"{stat.S_IMODE(live.st_mode):04o}",
        }
        return {name: text for name, text in texts.items() if text is not None}


def things(system: ReadOnlySystem, spec: Spec) -> Iterator[Found]:
    """Everything that the path, the depth and the patterns name, in no order."""
    depth = spec.max_depth if spec.recursive else 0
    for found in system.walk(spec.path, max_depth=depth, excludes=spec.exclude):
        if spec.include_top or found.above is not None:
            yield found


def wrong_things(system: ReadOnlySystem, spec: Spec, asked: Mapping[str, Value]) -> Iterator[Wrong]:
    """Those among the things that are meant and are not as `asked`."""
    judge = _judge(system, asked)
    meant = _chooser(system, spec)
    yielded = _yielded(system, spec)
    for found in things(system, spec):
        wrong = judge(found)
        if wrong and meant(found) and found.path not in yielded and may_touch(spec, found):
            yield wrong


def mend(system: System, spec: Spec, asked: Mapping[str, Value]) -> None:
    owner_last = bool(spec.match.keys() & {"owner", "group"})
    for wrong in wrong_things(system, spec, asked):
        mode = wrong.mode
        if owner_last and mode is not None:
            # What is matched changes last, so that a run killed in between finds the thing again.
            system.fix(wrong.found, mode=mode)
            mode = None
        system.fix(wrong.found, uid=wrong.uid, gid=wrong.gid, mode=mode)


def may_touch(spec: Spec, found: Found) -> bool:
    """False for a file with other names that is to be skipped; ProviderError for one that is refused."""
    links = found.stat.st_nlink
    if links == 1 or spec.hard_links == "allow" or found.kind == "directory":
        return True
    if spec.hard_links == "skip":
        return False
    raise ProviderError(
        f"{shown(found.path or '.')} in {spec.path} has {links} hard links",
        hint="another may lie elsewhere: exclude it, or say `hard_links: skip` or `hard_links: allow`",
    )


def _judge(system: ReadOnlySystem, asked: Mapping[str, Value]) -> Callable[[Found], Wrong | None]:
    uid = system.user_id(str(asked["owner"])) if "owner" in asked else None
    gid = system.group_id(str(asked["group"])) if "group" in asked else None
    of_files, of_folders = modes_of(str(asked["mode"])) if "mode" in asked else (None, None)

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
    """Whether `only` and `match` leave a thing in. A link has no mode to match."""
    uid = system.user_id(spec.match["owner"]) if "owner" in spec.match else None
    gid = system.group_id(spec.match["group"]) if "group" in spec.match else None
    mode = int(spec.match["mode"], 8) if "mode" in spec.match else None

    def meant(found: Found) -> bool:
        live = found.stat
        if spec.only is not None and (found.kind == "directory") != (spec.only == "directories"):
            return False
        if uid not in (None, live.st_uid) or gid not in (None, live.st_gid):
            return False
        return mode is None or (stat.S_IMODE(live.st_mode) == mode and found.kind != "symlink")

    return meant


def _yielded(system: ReadOnlySystem, spec: Spec) -> frozenset[str]:
    """The paths that other resources own, relative to the top of the tree."""
    top = system.resolve(spec.path)
    above = top.rstrip("/") + "/"
    paths = [system.resolve(path) for path in spec.yielded]
    return frozenset("" if path == top else path.removeprefix(above) for path in paths if f"{path}/".startswith(above))
