"""The swap partition of a booted ostree system with an ext4 root in use and a read-only /sysroot."""

import pytest

from tests.vm.deployed import Deployed

pytestmark = pytest.mark.vm

MANIFEST = """\
converge: 1
product: test
resources:
  swap: {type: swap-partition, apply: always, with: {%s}}
"""
LOOK = """
cat /sys/class/block/vda1/size
df --block-size=512 --output=size /sysroot | tail -1
grep -c vda /proc/swaps
"""
ROOT, SWAP, DISK = 4_000_000, 400_000, (3 << 30) // 512
"""Sectors of 512 bytes, as in `tests/vm/ostree_disk.py`."""


def look(printed: str) -> tuple[int, int, int]:
    """The last output of LOOK: the sizes of the root partition and its file system, and the number of swaps."""
    partition, filesystem, swaps = printed.split()[-3:]
    return int(partition), int(filesystem), int(swaps)


def test_swap_partition_is_removed_and_made_while_running(deployed: Deployed) -> None:
    deployed.write("/var/absent.yaml", MANIFEST % "ensure: absent")
    deployed.write("/var/present.yaml", MANIFEST % "size: 64MiB")
    apply = "python3 -m converge apply /var/%s.yaml --event upgrade; echo code $?\n"
    first = deployed.boot(f"mkswap -q /dev/vda2\nswapon /dev/vda2\n{apply % 'absent'}{apply % 'absent'}{LOOK}")
    assert "Applied: 0 added, 0 changed, 1 removed" in first, first
    assert first.count("code 0\n") == 2
    partition, filesystem, swaps = look(first)
    assert (partition, swaps) == (ROOT + SWAP, 0)
    assert 0 < partition - filesystem < ROOT // 20  # the file system's own data
    second = deployed.boot(f"{apply % 'present'}{apply % 'present'}swapon LABEL=swap{LOOK}")
    assert "Applied: 1 added, 0 changed, 0 removed" in second, second
    assert second.count("code 0\n") == 2
    partition, filesystem, swaps = look(second)
    assert DISK - (128 << 11) < partition < DISK - (64 << 11)
    assert swaps == 1
    assert look(deployed.boot(f"swapon LABEL=swap{LOOK}")) == (partition, filesystem, 1)
