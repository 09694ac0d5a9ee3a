from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from converge.system import System
from tests.laws.workshop import Specimen, Stand, Workshop
from tests.real.partitioned import GPT_ID, LINUX, RECOVERY, Blueprint, attached, available, image

GPT = f"label: gpt\nlabel-id: {GPT_ID}\n\n"
MBR = "label: dos\nlabel-id: 0x12345678\n\n"
ROOM = Blueprint(
    f"{GPT}start=2048, size=65536, type={LINUX}, name=root, uuid={GPT_ID}\n"
    f"start=122880, size=2048, type={RECOVERY}, uuid={RECOVERY}\n",
    size=64,
    contents={1: "xfs"},
)
FULL = Blueprint(
    f"{MBR}start=63, size=65537, type=83, bootable\nstart=65600, size=30000, type=82\nstart=100000, type=27\n",
    size=64,
    contents={1: "xfs", 2: "swap"},
)


def on(blueprint: Blueprint) -> Stand:
    """Put a root on its own disk."""

    def stand(root: Path, undo: ExitStack) -> None:
        if not available():
            pytest.skip("needs root, loop devices, and the tools for partition tables")
        disk = undo.enter_context(attached(image(root.with_suffix(".img"), blueprint)))
        undo.enter_context(disk.mounted(root))

    return stand


def made_and_root_grown(_: System, __: Workshop) -> dict[str, Any]:
    return {"size": "8MiB", "free_at_least": "20MiB"}


def made(_: System, __: Workshop) -> dict[str, Any]:
    return {"size": 3_000_000, "label": "more", "grow_root": False}


def taken_away(_: System, __: Workshop) -> dict[str, Any]:
    return {"ensure": "absent"}


SPECIMENS = (
    Specimen("swap-partition", made_and_root_grown, on(ROOM), one_way=True),
    Specimen("swap-partition", made, on(ROOM)),
    Specimen("swap-partition", taken_away, on(FULL), one_way=True),
)
