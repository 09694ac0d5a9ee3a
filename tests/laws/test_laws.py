"""The laws of `converge.testing`, held against every specimen of every built-in type."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from converge.language import schema
from converge.system import ReadOnlySystem
from converge.testing import LAWS, Case, Machines
from converge.testing.case import Specimen as Plain
from converge.testing.case import case
from converge.testing.interrupted import CHANGING, lacking
from converge.testing.laws import Law
from tests.laws.workshop import ELSEWHERE, Specimen, Workshop, specimens
from tests.real.partitioned import let_go

SPECIMENS = specimens()


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    """What has to be undone after a test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=SPECIMENS, ids=str)
def machines(request: pytest.FixtureRequest, tmp_path: Path, undo: ExitStack) -> Machines:
    specimen: Specimen = request.param
    numbers = count()
    workshop = Workshop(
        tmp_path,
        key=lambda: request.getfixturevalue("key"),
        url=lambda: request.getfixturevalue("server").url,
    )
    plain = Plain(specimen.type, lambda system: specimen.prepare(system, workshop), specimen.one_way)

    def machine() -> Case:
        root = tmp_path / f"root-{next(numbers)}"
        if specimen.stand:
            specimen.stand(root, undo)
        else:
            root.mkdir()
        made = case(plain, root)
        undo.callback(let_go, made.system)
        return made

    return machine


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Law, machines: Machines) -> None:
    law(machines)


def test_every_type_has_specimens() -> None:
    assert {specimen.type for specimen in SPECIMENS} | set(ELSEWHERE) == set(schema.types())


def test_read_only_system_has_no_changing_method(tmp_path: Path) -> None:
    assert {"write", "append", "remove", "make_folder", "set_owner", "set_mode", "fix", "keep", "run"} <= set(CHANGING)
    assert lacking(ReadOnlySystem(str(tmp_path))) == CHANGING
