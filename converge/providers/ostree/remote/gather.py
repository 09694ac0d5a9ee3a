"""All remotes of the system's repository in its own configuration, and none in remotes.d.

libostree cannot open a repository if two files name the same remote, and it cannot be configured to ignore remotes.d.
So a remote that is in both, or has to move, is set aside in the configuration under a name that libostree ignores,
until the last file is removed. The first write does that; after it the repository can be opened. If a run is killed at
any point, the next one finds every remote.

If both name a remote, the configuration's wins as a whole: mixed with keys of the other it would be a third remote,
which might trust keys that neither trusted.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from converge.formats.keyfile import Keyfile
from converge.model import Change
from converge.providers.protocol import Desired, values
from converge.system import ReadOnlySystem, System, ostree
from converge.system.contents import content_of
from converge.system.store import address_of

WANTED: Desired = {"add_remotes_config_dir": False, "conf_files": {}}
"""The fields that are the same on every machine."""
FIELDS = (*WANTED, "remotes")

_CORE, _SWITCH = "core", "add-remotes-config-dir"
_ASIDE = "gathered "
"""The prefix of a group that libostree has to ignore."""


def inspect(system: ReadOnlySystem) -> Mapping[str, Any]:
    ostree.require_repository(system)
    config = ostree.load(system, ostree.CONFIG)
    return {
        "add_remotes_config_dir": config.get_boolean(_CORE, _SWITCH),
        "conf_files": {name: address_of(data) for name, data in _files(system).items()},
        "remotes": tuple(sorted(ostree.remotes_in(config))),
    }


def desired(system: ReadOnlySystem) -> Desired:
    """The remotes are those of both places, and those that a killed run set aside."""
    aside = _set_aside_in(ostree.load(system, ostree.CONFIG))
    return {**WANTED, "remotes": tuple(sorted({*ostree.remotes(system), *aside}))}


def apply(system: System, changes: tuple[Change, ...]) -> None:
    """Remove or restore files, and with them the remotes that they name."""
    after, files = values(changes), _files(system)
    listed = after.get("conf_files")
    wanted = listed if isinstance(listed, Mapping) else {}
    going = [] if listed is None else [name for name in files if name not in wanted]
    config = ostree.load(system, ostree.CONFIG)
    switch = after.get("add_remotes_config_dir")
    if isinstance(switch, bool):
        config.set(_CORE, _SWITCH, switch)
    elif "add_remotes_config_dir" in after:
        config.unset(_CORE, _SWITCH)
    if going:
        _set_aside(config, [ostree.load(system, _path(name)) for name in going])
        system.write(ostree.CONFIG, config.dump())
    for name in reversed(going):  # of two that name the same remote, the one that counts is removed last
        system.keep(files[name])
        system.remove(_path(name), keep=False)
    _settle(config, _leaving(changes))
    system.write(ostree.CONFIG, config.dump())
    for name, address in wanted.items():
        system.write(_path(name), content_of(system, files.get(name), str(address)))


def _files(system: ReadOnlySystem) -> dict[str, bytes]:
    """Per file in remotes.d its content, in the order in which they count."""
    return {path.rpartition("/")[2]: system.read(path) or b"" for path in ostree.conf_files(system)}


def _path(name: str) -> str:
    return f"{ostree.REMOTES_D}/{name}"


def _leaving(changes: Iterable[Change]) -> Iterator[str]:
    """The remotes that the changes remove from the configuration, as undo does; any other one stays, however new."""
    for change in changes:
        if change.field == "remotes" and isinstance(change.before, list | tuple):
            staying = change.after if isinstance(change.after, list | tuple) else ()
            yield from (str(name) for name in change.before if name not in staying)


def _set_aside_in(config: Keyfile) -> tuple[str, ...]:
    found = [group.removeprefix(_ASIDE) for group in config.groups() if group.startswith(_ASIDE)]
    return tuple(name for group in found if (name := ostree.remote_of(group)))


def _set_aside(config: Keyfile, files: Iterable[Keyfile]) -> None:
    """Set aside every remote that the files name: the configuration's own, or else that of the first file."""
    for file in files:
        for group in map(ostree.group_of, ostree.remotes_in(file)):
            if group in config.groups():
                config.remove_group(_ASIDE + group)
                config.rename_group(group, _ASIDE + group)
            elif _ASIDE + group not in config.groups():
                config.add_group(file, group, _ASIDE + group)


def _settle(config: Keyfile, leaving: Iterable[str]) -> None:
    """Give each remote that was set aside its own name back, and remove those that are leaving."""
    for group in map(ostree.group_of, _set_aside_in(config)):
        if group in config.groups():
            config.remove_group(_ASIDE + group)
        else:
            config.rename_group(_ASIDE + group, group)
    for name in leaving:
        config.remove_group(ostree.group_of(name))
