"""Kernel arguments of a running system without ostree: GRUB's configuration and boot entries are really generated."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import plainboot
from tests.real.plainboot import VERSION, Disk, needs_disk

pytestmark = needs_disk
needs_grub = pytest.mark.skipif(not shutil.which("grub-mkconfig"), reason="needs GRUB")
needs_kernel_install = pytest.mark.skipif(not shutil.which("kernel-install"), reason="needs kernel-install")

MANIFEST = """\
converge: 1
product: test
resources:
  sensors:
    type: kernel-args
    apply: always
    with: {append: [module_blacklist=hid_sensor_hub, 'dyndbg="file a.c +p"'], delete: [nomodeset]}
"""
KERNEL = {f"/boot/vmlinuz-{VERSION}": "kernel\n", f"/boot/initrd.img-{VERSION}": "initramfs\n"}
GRUB = """\
# Edited by hand
GRUB_DEFAULT=0
GRUB_CMDLINE_LINUX_DEFAULT="quiet nomodeset"
GRUB_CMDLINE_LINUX=""
"""
APPLY = "converge apply /etc/test.yaml\n"
KILL = r"#!/bin/sh\nkill -9 -1\n"
"""Kills all processes on the machine except the first one."""
REBOOT = "requested a reboot"
MAKE_GRUB = "mkdir -p /boot/grub\ngrub-mkconfig -o /boot/grub/grub.cfg 2>/dev/null\n"
SHOW_GRUB = "grep -o 'root=/dev/vdq .*' /boot/grub/grub.cfg | sed 's/  */ /g; s/ $//'\n"
MODULES = f"mkdir -p /usr/lib/modules/{VERSION}\n"
"""/usr is new for each script."""
ENTRY = f"/boot/loader/entries/test-{VERSION}.conf"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with plainboot.disk(tmp_path) as disk:
        disk.write({"/etc/test.yaml": MANIFEST, "/etc/passwd": "root:x:0:0::/root:/bin/sh\n", **KERNEL})
        yield disk


@pytest.fixture
def with_grub(disk: Disk) -> Disk:
    scripts = {str(path): path.read_text() for path in Path("/etc/grub.d").glob("[01]0_*")}
    disk.write({"/etc/default/grub": GRUB, **scripts})
    disk.run(f"chmod -R 0755 /etc/grub.d\n{MAKE_GRUB}")
    return disk


@needs_grub
def test_grub_cfg_is_generated_again(with_grub: Disk) -> None:
    before = with_grub.run(SHOW_GRUB).splitlines()
    assert before == ["root=/dev/vdq ro quiet nomodeset"] * 2 + ["root=/dev/vdq ro single"]
    first, shown, second = with_grub.run(f"{APPLY}echo then\n{SHOW_GRUB}echo then\n{APPLY}").split("then\n")
    ours = 'module_blacklist=hid_sensor_hub dyndbg="file a.c +p"'
    assert shown.splitlines() == [f"root=/dev/vdq ro {ours} quiet"] * 2 + [f"root=/dev/vdq ro single {ours}"]
    assert (REBOOT in first, REBOOT in second) == (True, False)
    assert "1 in place" in second


BROKEN = "echo 'exit 1' >/etc/grub.d/09_broken\nchmod 0755 /etc/grub.d/09_broken\n"
FIXED = "rm /etc/grub.d/09_broken\n"
FAILING = f"{APPLY.strip()} || echo code $?\n"
KILLED = (
    f"printf '{KILL}' >/etc/grub.d/09_kill\nchmod 0755 /etc/grub.d/09_kill\n{APPLY.strip()} || rm /etc/grub.d/09_kill\n"
)


@needs_grub
def test_grub_cfg_not_generated_keeps_defaults_and_retries(with_grub: Disk) -> None:
    failed, after = with_grub.run(f"{BROKEN}{FAILING}cat /etc/default/grub\n{FIXED}echo then\n{APPLY}").split("then\n")
    assert "'grub-mkconfig -o /boot/grub/grub.cfg' failed with code 1" in failed
    assert "code 4" in failed
    assert failed.endswith(GRUB)
    assert "1 changed" in after


@needs_grub
def test_run_killed_before_grub_cfg_is_finished(with_grub: Disk) -> None:
    defaults, made = with_grub.run(f"{KILLED}cat /etc/default/grub\necho then\n{SHOW_GRUB}").split("then\n")
    assert ("nomodeset" in defaults, "nomodeset" in made) == (False, True)
    failed, after = with_grub.run(f"{BROKEN}{FAILING}cat /etc/default/grub\n{FIXED}echo then\n{APPLY}").split("then\n")
    assert "code 4" in failed
    assert "nomodeset" in failed.partition("code 4")[2]
    assert REBOOT in after
    assert "nomodeset" not in with_grub.run(SHOW_GRUB)


@pytest.fixture
def with_entries(disk: Disk) -> Disk:
    disk.write(
        {
            "/etc/kernel/cmdline": "root=LABEL=root ro quiet nomodeset\n",
            "/etc/kernel/entry-token": "test\n",
            "/etc/kernel/install.conf": "layout=bls\n",
            "/etc/machine-id": f"{'0' * 31}1\n",
            "/boot/loader/entries.srel": "type1\n",
        }
    )
    disk.run(f"{MODULES}kernel-install add {VERSION} /boot/vmlinuz-{VERSION}\n")
    return disk


SHOW_ENTRY = f"grep options {ENTRY}\n"


@needs_kernel_install
def test_kernelinstall_entries_are_generated_again(with_entries: Disk) -> None:
    assert with_entries.run(SHOW_ENTRY).split() == ["options", "root=LABEL=root", "ro", "quiet", "nomodeset"]
    first, shown, second = with_entries.run(f"{MODULES}{APPLY}echo then\n{SHOW_ENTRY}echo then\n{APPLY}").split(
        "then\n"
    )
    after = 'root=LABEL=root ro quiet module_blacklist=hid_sensor_hub dyndbg="file a.c +p"'
    assert shown.removeprefix("options").strip() == after
    assert with_entries.run("cat /etc/kernel/cmdline\n") == f"{after}\n"
    assert (REBOOT in first, REBOOT in second) == (True, False)


@needs_kernel_install
@pytest.mark.parametrize(
    ("obstacle", "message"),
    [
        ("echo 'exit 1' >/etc/kernel/install.d/10-broken.install", "failed with code 1"),
        ("echo layout=other >/etc/kernel/install.conf", f"kernel-install did not update {ENTRY}"),
    ],
)
def test_entry_not_generated_keeps_cmdline_and_retries(with_entries: Disk, obstacle: str, message: str) -> None:
    obstruct = f"mkdir -p /etc/kernel/install.d\n{obstacle}\nchmod -R 0755 /etc/kernel/install.d\n"
    failed = with_entries.run(f"{obstruct}{MODULES}{FAILING}cat /etc/kernel/cmdline\n")
    assert message in failed
    assert "code 4" in failed
    assert failed.endswith("root=LABEL=root ro quiet nomodeset\n")
    fix = "rm -rf /etc/kernel/install.d\necho layout=bls >/etc/kernel/install.conf\n"
    assert "1 changed" in with_entries.run(f"{fix}{MODULES}{APPLY}")


@needs_kernel_install
def test_run_killed_before_entry_is_finished(with_entries: Disk) -> None:
    plugin = "/etc/kernel/install.d/10-kill.install"
    kill = f"mkdir /etc/kernel/install.d\nprintf '{KILL}' >{plugin}\nchmod 0755 {plugin}\n"
    killed = f"{MODULES}{kill}{APPLY.strip()} || rm {plugin}\ncat /etc/kernel/cmdline\necho then\n{SHOW_ENTRY}"
    text, entry = with_entries.run(killed).split("then\n")
    assert ("nomodeset" in text, "nomodeset" in entry) == (False, True)
    after, entry = with_entries.run(f"{MODULES}{APPLY}echo then\n{SHOW_ENTRY}").split("then\n")
    assert REBOOT in after
    assert "nomodeset" not in entry


@needs_kernel_install
def test_arguments_of_running_kernel_need_no_reboot(with_entries: Disk) -> None:
    given = 'quiet module_blacklist=hid_sensor_hub dyndbg="file a.c +p"\n'
    script = f"{MODULES}cat >/run/cmdline <<'END'\n{given}END\nmount --bind /run/cmdline /proc/cmdline\n"
    printed = with_entries.run(f"{script}{APPLY}")
    assert "1 changed" in printed
    assert REBOOT not in printed
