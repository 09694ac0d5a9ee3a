"""The variables GRUB_CMDLINE_LINUX and GRUB_CMDLINE_LINUX_DEFAULT, from which grub-mkconfig(8) generates grub.cfg.

They are assigned in /etc/default/grub and, on Debian and similar systems, in files of /etc/default/grub.d that are read
later; the last assignment counts, and is changed. New arguments go into the first variable, which the rescue entries
use too. If grub.cfg exists, it is generated again after a change. That reads the disk from the running system, so if
the root does not run, it is owed until it does.
"""

import re
from collections.abc import Iterator, Sequence

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.envfile import Envfile
from converge.providers.boot import grub
from converge.providers.boot.bootargs.arguments import Part, split
from converge.providers.boot.bootargs.place import History, boot_entries
from converge.system import ReadOnlySystem, System

PATH = grub.PATH
VARIABLES = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")

_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(GRUB_CMDLINE_LINUX(?:_DEFAULT)?)=(.*)", re.DOTALL)
_ADDITION = re.compile(r"""\"\$(?:\{(\w+)\}|(\w+)) (?:[^"\\$`]|\\.)*\"""", re.DOTALL)
"""An addition to the former value of a variable."""
_WORD = re.compile(r"""'[^']*'|"(?:[^"\\$`]|\\.)*"|[^\s"'\\$`#;&|<>()]*""", re.DOTALL)
"""A literal word of a shell."""
_OF_SCRIPTS = frozenset("$\\;&|<>{}'`#")
"""Characters with a meaning in GRUB's scripts; how to quote them depends on the place."""


@frozen
class _Assignment:
    """An assignment that counts, and its file; `adds`: it adds to the former value, and is never changed."""

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
        _put(system, otherwise)  # so that the next run does it again
        raise


def _put(system: System, parts: Sequence[Part]) -> None:
    for assignment, part in _changed(system, parts):
        file = _load(system, assignment.path)
        file.set(assignment.variable, " ".join(part))
        system.write(assignment.path, file.dump())


def _changed(system: ReadOnlySystem, parts: Sequence[Part]) -> list[tuple[_Assignment, Part]]:
    """The assignments to change; ProviderError for an addition, which is never changed."""
    pairs = zip(_assignments(system), parts, strict=True)
    changed = [(assignment, part) for assignment, part in pairs if part != _value(system, assignment)]
    for assignment, part in changed:
        if assignment.adds:
            other = " ".join(sorted(set(_value(system, assignment)) - set(part)))
            hint = f"remove it from {assignment.path} by hand, or with a `line` resource"
            raise ProviderError(f"{assignment.path} adds {other} to {assignment.variable}", hint=hint)
    return changed


def require_changeable(system: ReadOnlySystem) -> None:
    entries = boot_entries(system)
    if entries and grub.configuration(system):
        hint = "write the arguments into /etc/kernel/cmdline, from which kernel-install generates the entries"
        raise ProviderError(f"GRUB boots by {entries[0]}, which is not generated from {PATH}", hint=hint)
    grub.require_makeable(system)


def _assignments(system: ReadOnlySystem) -> tuple[_Assignment, ...]:
    """The assignments that count; if a variable has none yet, the new one."""
    found = {variable: [_Assignment(PATH, variable)] for variable in VARIABLES}
    for each in _all(system):
        found[each.variable] = [*(found[each.variable] if each.adds else ()), each]
    return tuple(each for assignments in found.values() for each in assignments)


def _all(system: ReadOnlySystem) -> Iterator[_Assignment]:
    """Every assignment, in the order of reading; ProviderError if only a shell could compute a value."""
    for path in (PATH, *system.glob(grub.LATER)):
        met: set[str] = set()
        for number, line in enumerate(_load(system, path).lines.texts, 1):
            if matched := _ASSIGNMENT.fullmatch(line):
                variable, written = matched[1], matched[2].rstrip()
                addition = _ADDITION.fullmatch(written)
                adds = addition is not None and variable in addition.groups() and variable not in met
                if not adds and not _WORD.fullmatch(written):
                    hint = "write it as one text in double quotes, without $ and comments"
                    raise ProviderError(f"{path}:{number}: the value of {variable} is not plain text", hint=hint)
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
            hint = f"write it into {PATH} by hand, escaped as in GRUB's manual"
            raise ProviderError(f"'{written}' contains {odd[0]}, which has a meaning in GRUB's scripts", hint=hint)
