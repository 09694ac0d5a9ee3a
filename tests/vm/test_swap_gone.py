"""A machine whose /etc has it swap to what is no more, as after a rollback: no boot waits for it, and nothing fails."""

from pathlib import Path

import pytest

from converge.providers import swap
from converge.system import System
from tests.real.converging import converge
from tests.vm.deployed import Deployed
from tests.vm.ostree_disk import NAME

pytestmark = pytest.mark.vm

FILE, PARTITION = r"var-swap-gone.swap", r"dev-disk-by\x2dlabel-gone.swap"
LOOK = f"""\
systemctl show --property=ActiveState --value '{FILE}'
systemctl show --property=ConditionResult --value '{FILE}'
systemctl show --property=Before --value '{PARTITION}'
systemctl show --property=ActiveState --value swap.target
systemctl show --property=Wants --value swap.target
"""


def leave_units(sysroot: Path) -> None:
    (deployment,) = (path for path in (sysroot / f"ostree/deploy/{NAME}/deploy").iterdir() if path.is_dir())
    system = System(str(deployment))
    converge(swap, system, path="/var/swap/gone", size="1MiB")
    converge(swap, system, device="LABEL=gone")
    system.remove("/var/swap/gone", keep=False)


def test_no_boot_waits_for_what_is_gone(deployed: Deployed) -> None:
    with deployed.disk() as sysroot:
        leave_units(sysroot)
    state, condition, before, target, wants = deployed.boot(LOOK).splitlines()
    assert (state, condition, target) == ("inactive", "no", "active")
    assert before.split() == ["umount.target"]
    assert FILE in wants
    assert "label-gone.swap" in wants  # it is shown with quotes and twice as many backslashes
