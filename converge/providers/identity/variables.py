"""Variables in a file of assignments, such as /etc/locale.conf."""

from collections.abc import Mapping

from converge.formats.envfile import Envfile
from converge.system import ReadOnlySystem, System
from converge.system.contents import as_value, keep_text, text_of


def assigned(system: ReadOnlySystem, path: str, name: str) -> str | None:
    """The value of a variable in a file of assignments, for a state; None if it is not set or empty."""
    value = Envfile.parse(system.read(path) or b"").get(name)
    return as_value(value) if value else None


def assign(system: System, path: str, variables: Mapping[str, str | None], *, stays: bool = False) -> None:
    """Set variables to values of `assigned`; None unsets. A file that becomes empty is removed unless it `stays`."""
    file = Envfile.parse(system.read(path) or b"")
    for name, value in variables.items():
        keep_text(system, file.get(name) or "")
        if value is None:
            file.unset(name)
        else:
            file.set(name, text_of(system, value))
    if file.dump() or stays:
        system.write(path, file.dump())
    else:
        system.remove(system.resolve(path))
