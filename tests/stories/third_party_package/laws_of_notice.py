"""The type `notice` keeps the laws of converge: `pytest laws_of_notice.py`."""

from pathlib import Path
from typing import Any

import pytest

from converge.system import System
from converge.testing import LAWS, Law, Specimen, machines


def new_notice(_: System) -> dict[str, Any]:
    return {"name": "hours", "text": "Open from 8 to 16."}


def another_text(system: System) -> dict[str, Any]:
    system.write("/etc/issue.d/hours.issue", b"Closed.\n")
    return {"name": "hours", "text": "Open from 8 to 16."}


def unwanted_notice(system: System) -> dict[str, Any]:
    system.write("/etc/issue.d/hours.issue", b"Closed.\n")
    return {"name": "hours", "ensure": "absent"}


SPECIMENS = [Specimen("notice", each) for each in (new_notice, another_text, unwanted_notice)]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("specimen", SPECIMENS, ids=str)
def test_law(law: Law, specimen: Specimen, tmp_path: Path) -> None:
    law(machines(specimen, tmp_path))
