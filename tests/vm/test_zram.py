"""zram on a booted system: a device in use stays until the next boot, a missing device is made at once."""

import pytest

from tests.vm.deployed import Deployed

pytestmark = pytest.mark.vm

MANIFEST = """\
converge: 1
product: test
resources:
  zram: {{type: zram, apply: always, with: {{size: {size}MiB, algorithms: [nonesuch, lz4]}}}}
"""
APPLY = """\
python3 -m converge apply /var/test-{size}.yaml; echo code $?
timeout 30 sh -c 'until grep -q zram0 /proc/swaps; do :; done'  # it is started in the background
cat /proc/swaps
"""
WITHOUT_GENERATOR = """\
mkdir /run/nothing
mount --bind /run/nothing /usr/lib/systemd/system-generators
rm -f /etc/systemd/zram-generator.conf /etc/systemd/zram-generator.conf.d/*
systemctl daemon-reload
"""
STOP = "swapoff /dev/zram0; systemctl stop systemd-zram-setup@zram0.service; cat /proc/swaps\n"
UNIT = """\
cat /proc/swaps
systemctl show --property=SubState dev-zram0.swap
systemctl show --property=Result,SubState converge-zram0.service
"""


def test_device_over_several_boots_follows_the_manifest(deployed: Deployed) -> None:
    for size in (200, 300):
        deployed.write(f"/var/test-{size}.yaml", MANIFEST.format(size=size))
    # Debian's own configuration made a device, which is in use.
    first = deployed.boot("cat /proc/swaps\n" + (APPLY + APPLY).format(size=300))
    before, once, twice = first.split("test (test):")
    device = next(line for line in before.splitlines() if line.startswith("/dev/zram0"))
    for report in (once, twice):
        assert "zram0 is in use (" in report
        assert "300 MiB, lz4, priority 100 takes effect at the next boot" in report
        assert "code 0" in report
        assert device in report
    assert "\n        size  " in once
    assert "\n        size  " not in twice
    # At the next boot it is as declared; a device that was turned off gets another size at once.
    second = deployed.boot((APPLY + STOP + APPLY.replace("300", "200")).format(size=300))
    assert "1 in place" in second
    assert "307196" in second  # KiB
    # Without zram-generator our own unit makes it, now and at each boot.
    last = deployed.boot(
        STOP + WITHOUT_GENERATOR + APPLY.format(size=200) + "swapoff /dev/zram0\n" + APPLY.format(size=200)
    )
    assert "\n        through  " in last
    assert "204796" in last
    # It was turned off, and is recreated; the unit that systemd makes from /proc/swaps turns it off.
    assert last.count("code 0") == 2
    again = deployed.boot(UNIT + APPLY.format(size=200))
    assert "204796" in again
    assert "SubState=active\nResult=success\nSubState=dead\n" in again
    assert "\n        through  " in again  # zram-generator is back, and makes it from now on
    assert "code 0" in again
