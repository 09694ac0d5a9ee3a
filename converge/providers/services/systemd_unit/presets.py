"""The machine's presets for a unit (systemd.preset(5))."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from converge.system import ReadOnlySystem
from converge.system.unitfiles import instance_of, template_of, text_of

ETC, RUN = "/etc/systemd/system-preset", "/run/systemd/system-preset"
VENDOR = ("/usr/local/lib/systemd/system-preset", "/usr/lib/systemd/system-preset", "/lib/systemd/system-preset")

_ACTIONS = {"enable": True, "disable": False, "ignore": None}


def verdict(system: ReadOnlySystem, name: str) -> bool | None:
    """Whether the unit should be enabled, by the first rule that matches. None: it stays as it is."""
    for action, pattern, instances in _rules(system):
        if fnmatchcase(name, pattern) or (template_of(name) == pattern and instance_of(name) in instances):
            return _ACTIONS[action]
    return True


def _rules(system: ReadOnlySystem) -> Iterator[tuple[str, str, list[str]]]:
    for path in _files(system):
        for line in (text_of(system, path) or "").splitlines():
            action, *words = line.split() or [""]
            if action in _ACTIONS and words:
                yield action, words[0], words[1:]


def _files(system: ReadOnlySystem) -> list[str]:
    """In the order of their names; the first of several files with the same name counts."""
    found: dict[str, str] = {}
    for folder in (ETC, *((RUN,) if system.live else ()), *VENDOR):
        for path in system.glob(f"{folder}/*.preset"):
            found.setdefault(path.rpartition("/")[2], path)
    return [found[name] for name in sorted(found)]
