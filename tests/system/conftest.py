from pathlib import Path

import pytest

from converge.system import System


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A foreign root; what lies beside it in tmp_path is "the host"."""
    folder = tmp_path / "root"
    for name in ("etc", "var"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))
