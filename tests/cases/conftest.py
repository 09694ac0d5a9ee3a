from collections.abc import Iterator

import pytest

from tests.cases.web import Shelf
from tests.real import flatpakrepo
from tests.real.flatpakrepo import Key


@pytest.fixture(scope="session")
def key() -> Iterator[Key]:
    with flatpakrepo.signing_key() as made:
        yield made


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("repositories"), key)
