"""A swap file on a booted system: used at once and at each boot, grown while it is used, and gone without a trace."""

import pytest

from tests.vm.deployed import Deployed

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


def test_a_swap_file_from_boot_to_boot(deployed: Deployed) -> None:
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
