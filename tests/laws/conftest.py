"""A signing key and a server of signed apps, made once."""

from collections.abc import Iterator

import pytest

from tests.laws.workshop import HELLO, OTHER
from tests.real import flatpakrepo
from tests.real.flatpakrepo import COLLECTION, Key, Server


@pytest.fixture(scope="session")
def key() -> Iterator[Key]:
    with flatpakrepo.signing_key() as made:
        yield made


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Iterator[Server]:
    path = tmp_path_factory.mktemp("apps") / "repo"
    flatpakrepo.build(path, [HELLO, OTHER], "stable", COLLECTION, **flatpakrepo.sign_with(key))
    with flatpakrepo.serve(path) as running:
        yield running
