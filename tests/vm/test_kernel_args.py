"""Kernel arguments on a booted ostree system: what the next kernel really gets, and what is staged as it goes down."""

import pytest

from tests.vm.deployed import Deployed
from tests.vm.ostree_disk import ARGUMENTS

pytestmark = pytest.mark.vm

MANIFEST = """\
converge: 1
product: test
resources:
  sensors:
    type: kernel-args
    apply: once
    with: {append: [module_blacklist=hid_sensor_hub, 'dyndbg="file a.c +p"'], delete: [quiet]}
"""
MORE = """\
  level:
    type: kernel-args
    apply: always
    with: {replace: {loglevel: "3"}}
"""
APPLY = "python3 -m converge apply /var/test.yaml\n"
STAGE = "ostree admin deploy --os=os --stage main\n"
REBOOT = "asked for a reboot"
OURS = 'module_blacklist=hid_sensor_hub dyndbg="file a.c +p"'


def test_a_life_with_reboots(deployed: Deployed) -> None:
    deployed.write("/var/test.yaml", MANIFEST)
    assert REBOOT in deployed.boot(APPLY)
    new, old = deployed.entries()
    without_quiet = [argument for argument in ARGUMENTS if argument != "quiet"]
    assert [word for word in new.options.split(" ") if not word.startswith("ostree=")] == [
        *without_quiet,
        *OURS.split(" "),
    ]
    assert set(old.arguments) >= set(ARGUMENTS)

    deployed.write("/var/test.yaml", MANIFEST + MORE)
    second = deployed.boot(f"cat /proc/cmdline\n{STAGE}{APPLY}")
    assert OURS in second
    assert "quiet" not in second.splitlines()[0]
    assert "1 owed" in second
    assert REBOOT in second

    third = deployed.boot(f"cat /proc/cmdline\n{APPLY}{APPLY}ostree admin status\n")
    assert f"{OURS} loglevel=3" in third
    assert REBOOT not in third
    assert "2 in place or settled" in third or "2 in place" in third
    assert "failed" not in third.replace("0 failed", "")
    assert len(deployed.entries()) == 2
