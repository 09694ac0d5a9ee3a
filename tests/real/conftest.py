from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.system import System
from tests.real import flatpakrepo
from tests.real.flatpakrepo import Key, Server


@pytest.fixture(scope="session")
def key() -> Iterator[Key]:
    with flatpakrepo.signing_key() as made:
        yield made


@pytest.fixture(scope="session")
def other_key() -> Iterator[Key]:
    with flatpakrepo.signing_key("Other") as made:
        yield made


@pytest.fixture(scope="session")
def repo(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Path:
    """Apps Hello and Other on branch stable, bound to a collection. No test changes it."""
    path = tmp_path_factory.mktemp("repo") / "repo"
    apps = ["org.example.Hello", "org.example.Other"]
    flatpakrepo.build(path, apps, "stable", flatpakrepo.COLLECTION, **flatpakrepo.sign_with(key))
    return path


@pytest.fixture
def server(repo: Path) -> Iterator[Server]:
    with flatpakrepo.serve(repo) as running:
        yield running


@pytest.fixture
def system(tmp_path: Path) -> System:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "var").mkdir()
    return System(str(root))


@pytest.fixture
def key_file(tmp_path: Path, key: Key) -> Path:
    path = tmp_path / "key.gpg"
    path.write_bytes(key.public)
    return path
