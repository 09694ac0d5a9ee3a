"""Kernel arguments on a booted ostree system: those that the next kernel really gets, and staging at shutdown."""

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
CHANGE_ETC = 'echo "the user\'s" > /etc/changed\n'
STATUS = "ostree admin status\n"
STAGE = "ostree admin deploy --os=os --stage main\n"
REBOOT = "requested a reboot"
OURS = 'module_blacklist=hid_sensor_hub dyndbg="file a.c +p"'


def test_arguments_over_several_reboots_are_applied_once(deployed: Deployed) -> None:
    deployed.write("/var/test.yaml", MANIFEST)
    first = deployed.boot(f"{APPLY}{CHANGE_ETC}")
    assert REBOOT in first
    assert "1 owed" in first
    new, old = deployed.entries()
    without_quiet = [argument for argument in ARGUMENTS if argument != "quiet"]
    assert [word for word in new.options.split(" ") if not word.startswith("ostree=")] == [
        *without_quiet,
        *OURS.split(" "),
    ]
    assert set(old.arguments) >= set(ARGUMENTS)

    deployed.write("/var/test.yaml", MANIFEST + MORE)
    second = deployed.boot(f"cat /proc/cmdline /etc/changed\n{APPLY}{STATUS}")
    assert OURS in second
    assert "quiet" not in second.splitlines()[0]
    assert "the user's" in second
    assert "1 owed, 1 in place" in second
    assert REBOOT in second
    assert "Pinned: yes" in second
    assert len(deployed.entries()) == 3  # the deployment to roll back to still exists

    third = deployed.boot(f"cat /proc/cmdline\n{APPLY}{APPLY}{STATUS}")
    assert f"{OURS} loglevel=3" in third
    assert "2 in place or settled" in third
    assert "0 owed, 1 in place" in third
    assert REBOOT not in third
    assert "failed" not in third.replace("0 failed", "")
    assert "Pinned" not in third
    assert len(deployed.entries()) == 3


def test_staged_update_gets_the_arguments(deployed: Deployed) -> None:
    deployed.write("/var/test.yaml", MANIFEST)
    assert "1 owed" in deployed.boot(f"{STAGE}{APPLY}")
    assert OURS in deployed.boot("cat /proc/cmdline\n")


EARLY = """\
[Unit]
DefaultDependencies=no
RequiresMountsFor=/var /sysroot
After=local-fs.target systemd-tmpfiles-setup.service
Before=sysinit.target shutdown.target
Conflicts=shutdown.target
ConditionPathExists=/var/test.yaml

[Service]
Type=oneshot
Environment=PYTHONPATH=/var/opt/converge LC_ALL=C.UTF-8
ExecStart=/bin/sh -c '\\
    python3 -m converge apply /var/test.yaml >>/var/errand/output 2>&1; \\
    if grep -q "requested a reboot" /var/errand/output; then systemctl --no-block reboot; fi'

[Install]
WantedBy=sysinit.target
"""


def test_early_run_with_reboot_at_once_is_deployed(deployed: Deployed) -> None:
    """The usual services are not started by then, not even the one that deploys the staged deployment."""
    deployed.write("/var/early.service", EARLY)
    deployed.boot("cp /var/early.service /etc/systemd/system/; systemctl enable early.service; echo done\n")
    deployed.write("/var/test.yaml", MANIFEST)
    first = deployed.boot("echo the errand is run\n")
    assert REBOOT in first
    assert "the errand" not in first
    assert len(deployed.entries()) == 2
    second = deployed.boot("cat /proc/cmdline\n")
    assert OURS in second
    assert REBOOT not in second
