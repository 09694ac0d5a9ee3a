"""The unit files of a root and the links between them.

They are read as `systemctl --root` reads them (systemd.unit(5)), but without a process: `tests/real` compares the two.
"""

import re
from collections.abc import Iterable, Iterator

from attrs import frozen

from converge.system import ReadOnlySystem

CONFIG = "/etc/systemd/system"
NOTHING = "/dev/null"
"""The target of a link that hides a file of the same name in another folder."""

EARLY = "/run/systemd/generator.early"
RUNTIME = ("/run/systemd/system", "/run/systemd/generator")
VENDOR = ("/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
LATE = "/run/systemd/generator.late"

_CONTINUED = re.compile(r"\\\n(?:[ \t]*[#;][^\n]*\n)*")
_FOLDERS = {"WantedBy": "wants", "RequiredBy": "requires", "UpheldBy": "upholds"}
_SPECIFIER = re.compile(r"%([%inpN])")
_LINKING = tuple(f".{suffix}" for suffix in _FOLDERS.values())


def escaped(path: str) -> str:
    """A path as the name of a unit has it (systemd.unit(5), systemd-escape --path)."""
    parts = [part for part in path.split("/") if part] or ["/"]
    text = "-".join("".join(_escaped(char) for char in part) for part in parts)
    return f"\\x2e{text[1:]}" if text.startswith(".") else text


def _escaped(char: str) -> str:
    if char == "/":
        return "-"
    plain = char.isascii() and (char.isalnum() or char in ":_.")
    return char if plain else "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))


@frozen
class UnitFile:
    """A unit file by its path; `of` is the unit that it describes: another one if the name is an alias."""

    path: str
    of: str
    text: str


@frozen
class Sight:
    """A name in the unit folders: the first mask that hides it, and the unit file, if there is one."""

    mask: str | None
    unit: UnitFile | None


def instance_of(name: str) -> str:
    return name.rpartition(".")[0].partition("@")[2]


def template_of(name: str) -> str | None:
    """`getty@.service` for `getty@tty1.service`; None for a unit that is not an instance (systemd.unit(5))."""
    instance = instance_of(name)
    return name.replace(f"@{instance}.", "@.") if instance else None


def is_template(name: str) -> bool:
    return name.rpartition(".")[0].endswith("@")


def text_of(system: ReadOnlySystem, path: str) -> str | None:
    """A file's text, None if it is absent or its link leads nowhere; empty for a link to /dev/null."""
    if system.resolve(path) == NOTHING:
        return ""
    data = system.read(path)
    return None if data is None else data.decode("utf-8", "surrogateescape")


def folders(system: ReadOnlySystem) -> tuple[str, ...]:
    """The folders of units, in order (systemd.unit(5)). Those in /run count only on a machine that runs."""
    if not system.live:
        return (CONFIG, *VENDOR)
    return (EARLY, CONFIG, *RUNTIME, *VENDOR, LATE)


def look(system: ReadOnlySystem, name: str) -> Sight:
    """The mask and the file of a unit. If the unit of an alias is masked, so is the alias."""
    sight = _look(system, name)
    if sight.unit is not None and sight.unit.of != name:
        return Sight(sight.mask or _look(system, sight.unit.of).mask, sight.unit)
    return sight


def _look(system: ReadOnlySystem, name: str) -> Sight:
    mask: str | None = None
    for path in (f"{folder}/{each}" for each in _names(name) for folder in folders(system)):
        if system.stat(path, follow=False) is None:
            continue
        text = text_of(system, path)
        if text:
            file = system.resolve(path).rpartition("/")[2]
            return Sight(mask, UnitFile(path, name if file in _names(name) else file, text))
        if text == "":
            mask = mask or path
    return Sight(mask, None)


def _names(name: str) -> tuple[str, ...]:
    template = template_of(name)
    return (name, template) if template else (name,)


def texts(system: ReadOnlySystem, name: str, unit: str, leaving_out: Iterable[str] = ()) -> tuple[str, ...]:
    """The text of a unit, followed by those of its drop-ins but for the paths left out."""
    out = set(leaving_out)
    literal = [re.sub(r"([*?\[])", r"[\1]", each) for each in _names(name)]  # in a pattern, each matches only itself
    found = [
        path for folder in folders(system) for each in literal for path in system.glob(f"{folder}/{each}.d/*.conf")
    ]
    return (unit, *(text_of(system, path) or "" for path in found if path not in out))


def names(system: ReadOnlySystem) -> list[str]:
    """The names of all unit files, for advice."""
    return sorted({name for folder in folders(system) for name in system.list_folder(folder) if "." in name})


def links_asked(name: str, unit_texts: Iterable[str]) -> dict[str, None]:
    """The links that enabling the unit makes, by the [Install] sections, in their order."""
    found: dict[str, None] = {}
    for key, values in _install(unit_texts):
        words = [_expanded(word, name) for word in values]
        if key in _FOLDERS:
            found |= dict.fromkeys(f"{CONFIG}/{word}.{_FOLDERS[key]}/{name}" for word in words)
        elif key == "Alias":
            found |= dict.fromkeys(f"{CONFIG}/{word}" for word in words)
    return found


def _expanded(word: str, name: str) -> str:
    """A word with its specifiers expanded, as far as the unit's name gives their values (systemd.unit(5))."""
    stem = name.rpartition(".")[0]
    values = {"%": "%", "i": instance_of(name), "n": name, "N": stem, "p": stem.partition("@")[0]}
    return _SPECIFIER.sub(lambda found: values[found[1]], word)


def _install(unit_texts: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """The settings in [Install]; comments and continued lines are as in systemd.syntax(7)."""
    for text in unit_texts:
        section = ""
        for line in map(str.strip, _CONTINUED.sub(" ", text).splitlines()):
            if line.startswith("["):
                section = line
            elif section == "[Install]" and not line.startswith(("#", ";")):
                key, _, value = line.partition("=")
                yield key.strip(), value.split()


def is_linked(system: ReadOnlySystem, name: str, links: Iterable[str]) -> bool:
    """Whether a link in /etc has the unit started: one in another unit's folder, or an alias among `links_asked`."""
    if any(system.read_link(f"{folder}/{name}") is not None for folder in link_folders(system)):
        return True
    return any(leads_to(system, path, name) for path in links if path.rpartition("/")[0] == CONFIG)


def link_folders(system: ReadOnlySystem) -> tuple[str, ...]:
    """The folders in /etc for links to units that are started with another one."""
    return tuple(f"{CONFIG}/{entry}" for entry in system.list_folder(CONFIG) if entry.endswith(_LINKING))


def leads_to(system: ReadOnlySystem, path: str, name: str) -> bool:
    """Whether the link at `path` leads to a file with the unit's name; its template's name does not count."""
    target = system.read_link(path)
    return target is not None and target.rpartition("/")[2] == name
