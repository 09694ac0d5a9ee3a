"""The variables GRUB_CMDLINE_LINUX and GRUB_CMDLINE_LINUX_DEFAULT, out of which grub-mkconfig(8) makes grub.cfg.

They are assigned in /etc/default/grub and, on Debian and its like, in files of /etc/default/grub.d that are read later;
the last assignment counts, and is the one that is changed. New arguments go into the first variable, which the entries
for rescue have too. Where grub.cfg is there, it is made anew after a change. That asks the running system for the disk,
so for a root that does not run it is owed until it does.
"""

import re
from collections.abc import Iterator, Sequence

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.envfile import Envfile
from converge.providers.boot import grub
from converge.providers.boot.bootargs.base import History, Part, boot_entries, split
from converge.system import ReadOnlySystem, System

PATH = grub.PATH
VARIABLES = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")

_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(GRUB_CMDLINE_LINUX(?:_DEFAULT)?)=(.*)", re.DOTALL)
_ADDITION = re.compile(r"""\"\$(?:\{(\w+)\}|(\w+)) (?:[^"\\$`]|\\.)*\"""", re.DOTALL)
"""The former value of a variable, and more."""
_WORD = re.compile(r"""'[^']*'|"(?:[^"\\$`]|\\.)*"|[^\s"'\\$`#;&|<>()]*""", re.DOTALL)
"""A word of a shell that stands for itself."""
_OF_SCRIPTS = frozenset("$\\;&|<>{}'`#")
"""What has a meaning in GRUB's scripts, unless it is quoted in ways that depend on where it stands."""


@frozen
class _Assignment:
    """One that counts, and the file that it is in; `adds`: it adds to the ones before, and is left alone."""

    path: str
    variable: str
    adds: bool = False


def rules(system: ReadOnlySystem) -> bool:
    return system.stat(PATH) is not None


def read(system: ReadOnlySystem) -> tuple[Part, ...]:
    return tuple(_value(system, each) for each in _assignments(system))


read_lasting = read


def history(system: ReadOnlySystem) -> History:  # noqa: ARG001  (the protocol's)
    return History()


def write(system: System, parts: Sequence[Part], otherwise: Sequence[Part]) -> None:
    _refuse_scripts(set().union(*parts) - set().union(*read(system)))
    require_changeable(system)
    before = {each.path: system.read(each.path) for each, _ in _changed(system, parts)}
    _put(system, parts)
    try:
        grub.make(system)
    except ProviderError:
        for path, data in before.items():
            system.write(path, data or b"")
        _put(system, otherwise)  # so that the next run finds it undone
        raise


def _put(system: System, parts: Sequence[Part]) -> None:
    for assignment, part in _changed(system, parts):
        file = _load(system, assignment.path)
        file.set(assignment.variable, " ".join(part))
        system.write(assignment.path, file.dump())


def _changed(system: ReadOnlySystem, parts: Sequence[Part]) -> list[tuple[_Assignment, Part]]:
    """The assignments that are not so yet; ProviderError for one that is left alone."""
    pairs = zip(_assignments(system), parts, strict=True)
    changed = [(assignment, part) for assignment, part in pairs if part != _value(system, assignment)]
    for assignment, part in changed:
        if assignment.adds:
            other = " ".join(sorted(set(_value(system, assignment)) - set(part)))
            raise ProviderError(f"{assignment.path} adds {other}", hint="take it out there, or have a `line` do it")
    return changed


def require_changeable(system: ReadOnlySystem) -> None:
    entries = boot_entries(system)
    if entries and grub.configuration(system):
        hint = "write the arguments into /etc/kernel/cmdline, out of which kernel-install makes them"
        raise ProviderError(f"GRUB boots what {entries[0]} says, which is not made out of {PATH}", hint=hint)
    grub.require_makeable(system)


def _assignments(system: ReadOnlySystem) -> tuple[_Assignment, ...]:
    """Those that the values come from; where there is none yet, the one to be."""
    found = {variable: [_Assignment(PATH, variable)] for variable in VARIABLES}
    for each in _all(system):
        found[each.variable] = [*(found[each.variable] if each.adds else ()), each]
    return tuple(each for assignments in found.values() for each in assignments)


def _all(system: ReadOnlySystem) -> Iterator[_Assignment]:
    """Every assignment, in the order of reading; ProviderError for one that only a shell could tell the value of."""
    for path in (PATH, *system.glob(grub.LATER)):
        met: set[str] = set()
        for number, line in enumerate(_load(system, path).lines.texts, 1):
            if matched := _ASSIGNMENT.fullmatch(line):
                variable, written = matched[1], matched[2].rstrip()
                addition = _ADDITION.fullmatch(written)
                adds = addition is not None and variable in addition.groups() and variable not in met
                if not adds and not _WORD.fullmatch(written):
                    hint = "write it as one text in double quotes, without $ and comments"
                    raise ProviderError(f"{path}:{number}: the value of {variable} is more than a text", hint=hint)
                met.add(variable)
                yield _Assignment(path, variable, adds)


def _load(system: ReadOnlySystem, path: str) -> Envfile:
    return Envfile.parse(system.read(path) or b"")


def _value(system: ReadOnlySystem, assignment: _Assignment) -> Part:
    text = _load(system, assignment.path).get(assignment.variable) or ""
    return split(text.partition(" ")[2] if assignment.adds else text)


def _refuse_scripts(arguments: set[str]) -> None:
    for written in sorted(arguments):
        if odd := sorted(_OF_SCRIPTS.intersection(written)):
            hint = f"write it into {PATH} by hand, escaped as GRUB's manual says"
            raise ProviderError(f"'{written}' has {odd[0]} in it, which GRUB takes for its own", hint=hint)
