from pathlib import Path

import pytest

from converge.system import System


@pytest.fixture
def system(tmp_path: Path) -> System:
    return System(str(tmp_path))
