"""Real changes that a vendor had to make on machines in the field, each as a manifest and machines.

A case is a folder with its `manifest.yaml`, and `repositories.yaml` if it needs real flatpak repositories. Each folder
in it with a `case.yaml` is a machine: `before` and `after` are golden roots, and the differences between them are the
effect of the case. Files that are equal in both must not be written, not even with the same content.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cases.play import Play, read
from tests.cases.roots import contents, identities, make
from tests.cases.web import Shelf, Web, configure

HERE = Path(__file__).parent
MACHINES = sorted(path.parent for path in HERE.rglob("case.yaml"))
ROWS = {1, 2, 3, 4, 5, 6, 9, 11, 12, 16, 19, 22, 25, 27, 28, 29}
"""8 and 10 need disks: tests/real/test_swap_partition.py plays `swap-partition`."""
FLATPAKS = ("var/lib/flatpak", "var/tmp")
"""Left out of roots with real flatpaks: there `expect` has the expectations."""


@pytest.mark.parametrize("folder", MACHINES, ids=lambda folder: str(folder.relative_to(HERE)))
def test_case(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], shelf: Shelf) -> None:
    case = read(folder / "case.yaml")
    machine, golden = make(tmp_path / "machine", folder / "before"), make(tmp_path / "golden", folder / "after")
    with web_of(folder.parent, shelf) as web:
        ignored = FLATPAKS if web else ()
        play = Play(machine, folder.parent, capsys, web)
        live_before(play, case, shelf)
        expected, before = contents(golden.root, *ignored), contents(machine.root, *ignored)
        same = {name for name in before if before[name] == expected.get(name)}
        untouched = identities(machine.root, same)
        for step in case["steps"]:
            play.step(step)
        assert contents(machine.root, *ignored) == expected
        play.run(play.last)
        assert contents(machine.root, *ignored) == expected
    assert identities(machine.root, same) == untouched


@contextmanager
def web_of(case: Path, shelf: Shelf) -> Iterator[Web | None]:
    """The case's repositories, served."""
    if not (case / "repositories.yaml").exists():
        yield None
        return
    web = Web(shelf.get(read(case / "repositories.yaml")))
    web.on()
    try:
        yield web
    finally:
        web.off()


def live_before(play: Play, case: Any, shelf: Shelf) -> None:
    """Set up the remotes and apps that the machine had before converge came."""
    if play.web:
        configure(play.system, play.web, shelf.key, case.get("remotes", {}))
    for app, remote in case.get("apps", {}).items():
        play.step({"flatpak": f"install {remote} {app}"})


def test_every_row_has_its_case() -> None:
    assert {int(read(folder / "case.yaml")["row"]) for folder in MACHINES} == ROWS
