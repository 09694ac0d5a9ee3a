"""All remotes of the system's repository in its own configuration, and none in remotes.d.

libostree cannot open a repository for which two files name the same remote, and no setting keeps it from reading
remotes.d. So a remote that stands in both, or is to move, is set aside in the configuration under a name that libostree
passes over, until the last file has gone. The first write does that; from it on the repository can be opened. Killed
anywhere, the next run finds all of it.

Where both name a remote, the configuration's wins as a whole: with keys of the other it would be a third one, which
might trust what neither did.
"""

from collections.abc import Iterable, Iterator, Mapping

from converge.formats.keyfile import Keyfile
from converge.model import Change, Value
from converge.providers.ostree.remote.base import State
from converge.providers.protocol import content, values
from converge.system import ReadOnlySystem, System, ostree
from converge.system.store import address_of

FIELDS = ("add_remotes_config_dir", "conf_files", "remotes")

_CORE, _SWITCH = "core", "add-remotes-config-dir"
_ASIDE = "gathered "
"""What stands before the name of a group that libostree is to pass over."""


def inspect(system: ReadOnlySystem) -> State:
    ostree.require_repository(system)
    config, files = ostree.load(system, ostree.CONFIG), _files(system)
    theirs = {name for path in files for name in ostree.remotes_in(ostree.load(system, _path(path)))}
    ours = ostree.remotes_in(config)
    return State(
        add_remotes_config_dir=config.get_boolean(_CORE, _SWITCH),
        conf_files={name: address_of(data) for name, data in files.items()},
        remotes=tuple(sorted(ours)),
        wanted={
            "add_remotes_config_dir": False,
            "conf_files": {},
            "remotes": tuple(sorted({*ours, *_set_aside_in(config), *theirs})),
        },
    )


def apply(system: System, changes: tuple[Change, ...]) -> None:
    """Let files go, or come back, and with them the remotes that they name."""
    after, files = values(changes), _files(system)
    listed = after.get("conf_files")
    wanted = listed if isinstance(listed, Mapping) else {}
    going = [] if listed is None else [name for name in files if name not in wanted]
    config = ostree.load(system, ostree.CONFIG)
    if "add_remotes_config_dir" in after:
        _switch(config, after["add_remotes_config_dir"])
    if going:
        _set_aside(config, [ostree.load(system, _path(name)) for name in going])
        system.write(ostree.CONFIG, config.dump())
    for name in reversed(going):  # of two that name the same remote, the one that counts goes last
        system.keep(files[name])
        system.remove(_path(name), keep=False)
    _settle(config, _leaving(changes))
    system.write(ostree.CONFIG, config.dump())
    for name, address in wanted.items():
        system.write(_path(name), content(system, files.get(name), str(address)))


def _files(system: ReadOnlySystem) -> dict[str, bytes]:
    """Per file in remotes.d its content, in the order in which they count."""
    return {path.rpartition("/")[2]: system.read(path) or b"" for path in ostree.conf_files(system)}


def _path(name: str) -> str:
    return f"{ostree.REMOTES_D}/{name}"


def _leaving(changes: Iterable[Change]) -> Iterator[str]:
    """The remotes that the changes take out of the configuration, as undo does; any other one stays, however new."""
    for change in changes:
        if change.field == "remotes" and isinstance(change.before, list | tuple):
            staying = change.after if isinstance(change.after, list | tuple) else ()
            yield from (str(name) for name in change.before if name not in staying)


def _switch(config: Keyfile, value: Value) -> None:
    if isinstance(value, bool):
        config.set(_CORE, _SWITCH, value)
    else:
        config.unset(_CORE, _SWITCH)


def _set_aside_in(config: Keyfile) -> tuple[str, ...]:
    found = [group.removeprefix(_ASIDE) for group in config.groups() if group.startswith(_ASIDE)]
    return tuple(name for group in found if (name := ostree.remote_of(group)))


def _set_aside(config: Keyfile, files: Iterable[Keyfile]) -> None:
    """Have every remote that the files name set aside: the configuration's own, else that of the first file."""
    for file in files:
        for group in map(ostree.group_of, ostree.remotes_in(file)):
            if group in config.groups():
                config.remove_group(_ASIDE + group)
                config.rename_group(group, _ASIDE + group)
            elif _ASIDE + group not in config.groups():
                config.add_group(file, group, _ASIDE + group)


def _settle(config: Keyfile, leaving: Iterable[str]) -> None:
    """Give what was set aside its own name back, and take out what is leaving."""
    for group in map(ostree.group_of, _set_aside_in(config)):
        if group in config.groups():
            config.remove_group(_ASIDE + group)
        else:
            config.rename_group(_ASIDE + group, group)
    for name in leaving:
        config.remove_group(ostree.group_of(name))
