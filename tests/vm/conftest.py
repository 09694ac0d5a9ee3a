from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.vm import ostree_disk
from tests.vm.booted import Booted, booted
from tests.vm.deployed import Deployed
from tests.vm.tree import missing, tree

Boot = Callable[[Mapping[str, str]], Booted]


@pytest.fixture(scope="session")
def debian() -> Path:
    if why := missing():
        pytest.skip(why)
    return tree()


@pytest.fixture
def boot(debian: Path) -> Iterator[Boot]:
    """Boot a machine that has these files in it from the start."""
    with ExitStack() as machines:
        yield lambda files: machines.enter_context(booted(debian, files))


@pytest.fixture
def deployed(tmp_path: Path) -> Deployed:
    """A machine deployed by ostree; it is off, and each test has its own disk."""
    if why := ostree_disk.missing():
        pytest.skip(why)
    return Deployed.made(tmp_path)
