"""The two systems and their parts: what only looks cannot change anything, by construction."""

import subprocess
import sys

from converge.system import ReadOnlySystem, System
from converge.system.changing import Changing

SLOW = ("subprocess", "ctypes", "selectors", "socket", "converge.system.commands")
LOADED = f"import sys, converge.system; print([name for name in {SLOW} if name in sys.modules])"


def public(system: type) -> set[str]:
    return {name for name in dir(system) if not name.startswith("_")}


def test_read_only_system_has_no_changing_part() -> None:
    assert not issubclass(ReadOnlySystem, Changing)
    assert issubclass(System, Changing)


def test_method_that_only_system_has_is_of_a_changing_part() -> None:
    names = public(System) - public(ReadOnlySystem) - {"read_only"}
    owners = {name: next(part for part in System.__mro__ if name in vars(part)) for name in names}
    assert len(names) > 20
    assert [name for name, part in owners.items() if not issubclass(part, Changing)] == []


def test_system_overrides_nothing_of_read_only_system() -> None:
    assert [name for name in public(ReadOnlySystem) if getattr(System, name) is not getattr(ReadOnlySystem, name)] == []


def test_read_only_system_of_a_system_is_a_real_one(system: System) -> None:
    read_only = system.read_only()
    assert (type(read_only), read_only.root) == (ReadOnlySystem, system.root)


def test_nothing_slow_is_loaded_before_a_program_runs() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
