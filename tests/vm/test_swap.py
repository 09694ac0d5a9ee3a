"""Swap on a booted system: used at once and at each boot, grown while in use, and removed completely."""

from pathlib import Path

import pytest

from converge.providers.swap import swap
from converge.system import System
from tests.real.converging import converge
from tests.vm.deployed import Deployed
from tests.vm.ostree_disk import NAME

pytestmark = pytest.mark.vm

MANIFEST = """\
converge: 1
product: test
resources:
  swap: {{type: swap, apply: always, with: {{path: /var/swap/swapfile, {wanted}}}}}
"""
UNIT = r"var-swap-swapfile.swap"
APPLY = f"""\
python3 -m converge apply /var/{{name}}.yaml 2>/dev/null | tail -1
grep swapfile /proc/swaps
systemctl is-active {UNIT}
"""
WANTED = {
    "small": "size: 64MiB, priority: 7",
    "large": "size: 96MiB, priority: 7",
    "none": "ensure: absent",
}


def test_swap_file_over_several_boots_follows_the_manifest(deployed: Deployed) -> None:
    for name, wanted in WANTED.items():
        deployed.write(f"/var/{name}.yaml", MANIFEST.format(wanted=wanted))
    first = deployed.boot(APPLY.format(name="small")).splitlines()
    assert first[0].startswith("Applied: 1 added, 0 changed, 0 removed;")
    assert first[1].split()[2::2] == ["65532", "7"]
    assert first[2] == "active"
    second = deployed.boot(f"grep swapfile /proc/swaps\nsystemctl is-active {UNIT}\n{APPLY.format(name='large')}")
    before, active, applied, after, still = second.splitlines()
    assert before.split()[2::2] == ["65532", "7"]
    assert active == still == "active"
    assert applied.startswith("Applied: 0 added, 1 changed, 0 removed;")
    assert after.split()[2::2] == ["98300", "7"]
    last = deployed.boot(APPLY.format(name="none") + "ls /var/swap /etc/systemd/system/swap.target.wants").splitlines()
    assert last[0].startswith("Applied: 0 added, 0 changed, 1 removed;")
    assert last[1] == "inactive"
    assert last[2:] == ["/etc/systemd/system/swap.target.wants:", "", "/var/swap:"]


BY_TYPE = """\
converge: 1
product: test
resources:
  swap: {type: swap, apply: always, with: {device: PARTLABEL=swap, ensure: absent}}
"""
LEAVE = "python3 -m converge apply /var/absent.yaml\ngrep vda2 /proc/swaps\n"


def test_partition_used_because_of_its_type_is_turned_off(deployed: Deployed) -> None:
    deployed.write("/var/absent.yaml", BY_TYPE)
    deployed.boot("mkswap -L swap /dev/vda2\n")
    second = deployed.boot(f"grep vda2 /proc/swaps; echo then\n{LEAVE}")
    assert second.startswith("/dev/vda2")
    assert "\n        at_boot  " in second
    assert "/dev/vda2" not in second.split("then\n")[1]
    third = deployed.boot(f"grep vda2 /proc/swaps\n{LEAVE}cat /etc/fstab\n")
    assert "/dev/vda2" not in third
    assert "Applied: 0 added, 0 changed, 0 removed; 0 kept, 0 owed, 1 in place" in third
    assert "PARTLABEL=swap none swap noauto,x-converge 0 0" in third


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


def test_boot_does_not_wait_for_removed_swaps(deployed: Deployed) -> None:
    """As after a rollback: an older /etc configures swaps that were removed."""
    with deployed.disk() as sysroot:
        leave_units(sysroot)
    state, condition, before, target, wants = deployed.boot(LOOK).splitlines()
    assert (state, condition, target) == ("inactive", "no", "active")
    assert before.split() == ["umount.target"]
    assert FILE in wants
    assert "label-gone.swap" in wants  # it is shown with quotes and twice as many backslashes
