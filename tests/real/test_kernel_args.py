"""Kernel arguments of a real ostree sysroot: not booted, booted by `ostreeboot`, or with a waiting update.

There are three deployments: the running one (or the one to run), the former one for a rollback, and a pinned one. In
the last two only the path in `ostree=` changes, which ostree itself numbers.
"""

import re
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.real.ostreeboot import boot
from tests.real.ostreesysroot import Sysroot, needs_ostree
from tests.real.threedeployments import (
    AFTER,
    APPLY,
    BEFORE,
    MANIFEST,
    MORE,
    REBOOT,
    SHUT_DOWN,
    STAGED,
    WITH_MORE,
    bytes_of_entries,
    converge,
    declare,
    deploy,
    deployed,
    entries,
    three_deployments,
)

pytestmark = needs_ostree
needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")


@pytest.fixture
def sysroot(tmp_path: Path) -> Iterator[Sysroot]:
    with three_deployments(tmp_path) as sysroot:
        yield sysroot


@pytest.mark.parametrize("by", ["sysroot", "deployment"])
def test_sysroot_not_booted_gets_arguments_in_place(sysroot: Sysroot, by: str) -> None:
    before, texts = deployed(sysroot), bytes_of_entries(sysroot)
    assert before[0][1] == BEFORE
    root = sysroot.path if by == "sysroot" else entries(sysroot)[0].deployment
    first, second = converge(sysroot, root), converge(sysroot, root)
    assert (first.returncode, second.returncode) == (0, 0), first
    assert deployed(sysroot) == [(before[0][0], AFTER), *before[1:]]
    assert bytes_of_entries(sysroot)[1:] == texts[1:]
    assert "Applied: 0 added, 1 changed" in first.stdout
    assert "Applied: 0 added, 0 changed" in second.stdout
    assert REBOOT not in first.stdout


def test_deployment_that_does_not_boot_next_is_refused(sysroot: Sysroot) -> None:
    before = deployed(sysroot)
    failed = converge(sysroot, entries(sysroot)[1].deployment)
    assert failed.returncode == 4
    assert "this deployment does not boot next: " in failed.stdout
    assert "set `--root` to the sysroot" in failed.stdout
    assert deployed(sysroot) == before


@pytest.mark.parametrize("read_only", [pytest.param(False, marks=pytest.mark.vm), True])
def test_running_deployment_is_deployed_again(sysroot: Sysroot, read_only: bool) -> None:
    before, running = deployed(sysroot), entries(sysroot)[0]
    plan = boot(sysroot, running.deployment, "converge plan /var/test.yaml", read_only=read_only)
    assert re.search(r'^ {8}keys\[nomodeset\] +"nomodeset" +-> unset$', plan, re.MULTILINE)
    assert deployed(sysroot) == before
    script = f"{APPLY}echo then\n{APPLY}echo then\n{SHUT_DOWN}"
    first, second, _ = boot(sysroot, running.deployment, script, read_only=read_only).split("then\n")
    again = re.sub(r"\d+$", lambda serial: str(int(serial[0]) + 1), running.name)
    assert deployed(sysroot) == [(again, AFTER), *before]
    assert (REBOOT in first, REBOOT in second) == (True, False)
    for printed in (first, second):
        assert f"owed  {STAGED}" in printed
        assert "1 owed" in printed


@pytest.mark.parametrize("staged", [False, pytest.param(True, marks=pytest.mark.vm)])
def test_overlays_of_initial_ram_disk_are_kept(sysroot: Sysroot, staged: bool) -> None:
    """Microcode or settings of an administrator; without them the machine may not boot."""
    overlay = sysroot.path / "ostree/deploy/os/var/overlay.img"
    overlay.write_text("overlay")
    with_overlay = "ostree admin deploy --os=os --stage --overlay-initrd=/var/overlay.img main\n"
    deploy(sysroot, "--retain", f"--overlay-initrd={overlay}")
    boot(sysroot, entries(sysroot)[0].deployment, f"{with_overlay if staged else ''}{APPLY}{SHUT_DOWN}")
    assert entries(sysroot)[0].arguments == AFTER
    assert ["initramfs-overlays" in text for text in bytes_of_entries(sysroot)][:2] == [True, True]


def test_more_arguments_before_reboot_replace_the_staged(sysroot: Sysroot) -> None:
    before, running = deployed(sysroot), entries(sysroot)[0].deployment
    declare(sysroot, MANIFEST + MORE, "more.yaml")
    more = APPLY.replace("test.yaml", "more.yaml")
    printed = boot(sysroot, running, f"{APPLY}echo then\n{more}{SHUT_DOWN}", read_only=True).split("then\n")[1]
    assert REBOOT in printed
    assert "2 owed" in printed
    (first, *rest) = deployed(sysroot)
    assert first[1] == WITH_MORE
    assert rest == before


def test_arguments_after_reboot_are_done_without_another(sysroot: Sysroot) -> None:
    boot(sysroot, entries(sysroot)[0].deployment, APPLY + SHUT_DOWN)
    after = deployed(sysroot)
    first, second = boot(sysroot, entries(sysroot)[0].deployment, f"{APPLY}echo then\n{APPLY}").split("then\n")
    assert "1 in place, 0 failed" in first
    assert "1 in place or settled" in second
    assert REBOOT not in first + second
    assert deployed(sysroot) == after


def test_arguments_in_chroot_are_set_in_place(sysroot: Sysroot) -> None:
    before = deployed(sysroot)
    boot(sysroot, entries(sysroot)[0].deployment, f"rm /run/ostree-booted\n{APPLY}")
    assert deployed(sysroot) == [(before[0][0], AFTER), *before[1:]]


LAWS = """
from itertools import count
from types import ModuleType
from converge.providers.boot import kernel_args as provider
from converge.providers.boot import bootargs
from converge.system import System
from converge.testing.interrupted import CutOffError, Interrupted
from tests.real.converging import changes_of, converge, state_of, take_back

# Staged arguments count at once here; another test covers that they are owed until the reboot.
kernel_args = ModuleType("kernel_args")
vars(kernel_args).update(vars(provider))
kernel_args.inspect = lambda system, spec: provider._state(spec, bootargs.place_of(system).read(system))

params = {"append": ["debug", "console=ttyS0"], "delete": ["nomodeset"], "replace": {"rw": "1", "loglevel": ["3", "4"]}}
spec, system = kernel_args.parse(params), System()
before = state_of(kernel_args, system, **params)

def parts():
    for change in (changes := changes_of(kernel_args, system, **params)):
        kernel_args.apply(system, spec, (change,))
        left = changes_of(kernel_args, system, **params)
        assert left == tuple(each for each in changes if each != change), left
        take_back(kernel_args, system, before, **params)

def cut_off():
    for limit in count():
        try:
            kernel_args.apply(Interrupted("/", limit), spec, changes_of(kernel_args, system, **params))
            return limit
        except CutOffError:
            converge(kernel_args, system, **params)
            assert converge(kernel_args, system, **params) == ()
            take_back(kernel_args, system, before, **params)

parts()
assert cut_off() >= 1
"""


def test_laws_hold_on_running_system(sysroot: Sysroot) -> None:
    before, running = deployed(sysroot), entries(sysroot)[0].deployment
    boot(sysroot, running, f"python3 - <<'END'\n{LAWS}END\n{SHUT_DOWN}")
    (first, *rest) = deployed(sysroot)
    assert rest == before
    assert first[1] == "root=LABEL=root rw=1 console=tty1 quiet debug console=ttyS0 loglevel=3 loglevel=4"


KILLED = """
strace -f -qq -o /run/trace -e inject={call}:signal=KILL:when={nth} python3 -m converge apply /var/test.yaml || true
grep -q killed /run/trace || echo nothing was killed
"""


def killed_and_finished(sysroot: Sysroot, call: str, nth: int) -> bool:
    """Kill converge, or ostree, at a system call, and run again; returns whether anything was killed."""
    before, running = deployed(sysroot), entries(sysroot)[0].deployment
    printed = boot(sysroot, running, f"{KILLED.format(call=call, nth=nth)}\n{APPLY}{APPLY}{SHUT_DOWN}")
    assert f"owed  {STAGED}" in printed.split("Applied:")[-2]
    assert REBOOT in printed, (call, nth)
    assert deployed(sysroot)[1:] == before, (call, nth)
    assert deployed(sysroot)[0][1] == AFTER, (call, nth)
    assert len(list(sysroot.path.glob("ostree/deploy/os/deploy/*.?"))) == len(before) + 1, (call, nth)
    return "nothing was killed" not in printed


@needs_strace
@pytest.mark.parametrize("nth", [5, 6])
def test_killed_run_is_finished_without_another_deployment(sysroot: Sysroot, nth: int) -> None:
    """By its 5th rename something is staged; after that the work is done."""
    assert killed_and_finished(sysroot, "renameat", nth)


@pytest.mark.vm
@needs_strace
@pytest.mark.parametrize("call", ["renameat", "syncfs"])
def test_run_killed_anywhere_is_finished(tmp_path: Path, call: str) -> None:
    for nth in count(1):
        folder = tmp_path / str(nth)
        folder.mkdir()
        with three_deployments(folder) as sysroot:
            if not killed_and_finished(sysroot, call, nth):
                return
