"""systemd-boot on a real FAT, which does not have owners and modes; a read-only one stays as it is."""

import subprocess

import pytest

from tests.vm.deployed import Deployed

pytestmark = pytest.mark.vm

ESP, CONF = "/boot/efi", "/boot/efi/loader/loader.conf"
MANIFEST = """\
converge: 1
product: test
resources:
  menu: {{type: bootloader-setting, apply: always, with: {{setting: timeout, value: {seconds}}}}}
"""
MOUNT = f"""\
mkdir -p {ESP}
mount -o loop,umask=0077 /var/esp.img {ESP}
mkdir -p {ESP}/EFI/systemd
echo MZ >{ESP}/EFI/systemd/systemd-bootx64.efi
"""
APPLY = f"""\
python3 -m converge apply /var/{{seconds}}.yaml 2>/dev/null | grep -i '^applied\\|read-only'
cat {CONF}
ls {ESP}/loader
"""


def test_timeout_of_systemd_boot_is_set_on_its_partition(deployed: Deployed) -> None:
    with deployed.disk() as sysroot:
        image = sysroot / "ostree/deploy/os/var/esp.img"
        image.write_bytes(bytes(8 << 20))
        subprocess.run(["mkfs.vfat", str(image)], check=True, capture_output=True)
    for seconds in (3, 0, 9):
        deployed.write(f"/var/{seconds}.yaml", MANIFEST.format(seconds=seconds))
    apply = [APPLY.format(seconds=seconds) for seconds in (3, 0, 9)]
    printed = deployed.boot(f"{MOUNT}{apply[0]}{apply[1]}mount -o remount,ro {ESP}\n{apply[2]}").splitlines()
    assert printed[0].startswith("Applied: 1 added")
    assert printed[1:3] == ["timeout 3", "loader.conf"]
    assert printed[3].startswith("Applied: 0 added, 1 changed")
    assert printed[4:6] == ["timeout 0", "loader.conf"]
    assert "read-only" in printed[6].lower()
    assert printed[-3].endswith("1 failed.")
    assert printed[-2:] == ["timeout 0", "loader.conf"]
