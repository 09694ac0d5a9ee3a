"""Kernel arguments of a real ostree sysroot: not booted, booted as `ostreeboot` has it, with an update that waits.

There are three deployments: the one that runs, or is to, the one before it to roll back to, and one that is pinned. Of
those two nothing changes but the path in `ostree=`, by which ostree itself counts them.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.real import ostreeboot, ostreesysroot
from tests.real.ostreeboot import Entry, boot
from tests.real.ostreesysroot import Sysroot, needs_ostree

pytestmark = needs_ostree
needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")

MANIFEST = """\
converge: 1
product: test
resources:
  sensors:
    type: kernel-args
    apply: once
    with: {append: [module_blacklist=hid_sensor_hub, quiet, 'dyndbg="file a.c +p"'], delete: [nomodeset]}
"""
MORE = """\
  console:
    type: kernel-args
    apply: always
    with: {replace: {console: [tty0, ttyS0]}}
"""
BEFORE = "root=LABEL=root rw nomodeset console=tty1 quiet"
AFTER = 'root=LABEL=root rw console=tty1 quiet module_blacklist=hid_sensor_hub dyndbg="file a.c +p"'
WITH_MORE = 'root=LABEL=root rw console=tty0 console=ttyS0 quiet module_blacklist=hid_sensor_hub dyndbg="file a.c +p"'
APPLY = "converge apply /var/test.yaml\n"
REBOOT = "asked for a reboot"
STAGED = "set in the deployment that is staged, and done once that has booted"
STAGE = "ostree admin deploy --os=os --stage main\n"
SHUT_DOWN = "ostree admin finalize-staged\n"


@pytest.fixture
def sysroot(tmp_path: Path) -> Iterator[Sysroot]:
    with three_deployments(tmp_path) as sysroot:
        yield sysroot


@contextmanager
def three_deployments(folder: Path) -> Iterator[Sysroot]:
    with ostreesysroot.made(folder) as sysroot:
        ostree(sysroot, "pin", "0")
        for arguments in ("root=LABEL=root rw before", BEFORE):
            deploy(sysroot, "--retain", "--karg-none", *(f"--karg-append={each}" for each in arguments.split()))
        declare(sysroot, MANIFEST)
        yield sysroot


def ostree(sysroot: Sysroot, verb: str, *words: str) -> None:
    done = sysroot.ostree("admin", verb, f"--sysroot={sysroot.path}", *words)
    assert done.returncode == 0, done.stderr


def deploy(sysroot: Sysroot, *words: str) -> None:
    ostree(sysroot, "deploy", "--os=os", *words, "main")


def upgrade(sysroot: Sysroot) -> None:
    """Commit another version of the OS."""
    tree = sysroot.path.with_name("tree")
    (tree / "usr/lib/os-release").write_text('ID=test\nVERSION_ID="2"\n')
    words = ("commit", f"--repo={sysroot.path}/ostree/repo", "--branch=main", f"--tree=dir={tree}")
    assert sysroot.ostree(*words).returncode == 0


def declare(sysroot: Sysroot, text: str, name: str = "test.yaml") -> None:
    """Write the product where all deployments see it."""
    (sysroot.path / "ostree/deploy/os/var" / name).write_text(text)


def entries(sysroot: Sysroot) -> tuple[Entry, ...]:
    return ostreeboot.entries(sysroot)


def deployed(sysroot: Sysroot) -> list[tuple[str, str]]:
    """Checksum and serial, and arguments, of all deployments in their order."""
    return [(entry.name, entry.arguments) for entry in entries(sysroot)]


def commit(deployment: tuple[str, str]) -> str:
    return deployment[0].partition(".")[0]


def converge(sysroot: Sysroot, root: Path) -> "subprocess.CompletedProcess[str]":
    manifest = sysroot.path / "ostree/deploy/os/var/test.yaml"
    argv = [sys.executable, "-m", "converge", "apply", str(manifest), "--root", str(root), "--event", "install"]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def origin(deployment: Path) -> str:
    return Path(f"{deployment}.origin").read_text()


def is_pinned(deployment: Path) -> bool:
    return "pinned=true" in origin(deployment)


def bytes_of_entries(sysroot: Sysroot) -> list[str]:
    """The files without the path in `ostree=`, the one that boots next first."""
    files = sorted((sysroot.path / "boot/loader/entries").iterdir(), reverse=True)
    return [re.sub(r"\bostree=/ostree/boot\.\d", "ostree=", file.read_text()) for file in files]


@pytest.mark.parametrize("by", ["sysroot", "deployment"])
def test_a_sysroot_that_is_not_booted(sysroot: Sysroot, by: str) -> None:
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


def test_a_deployment_that_does_not_boot_next_is_left_alone(sysroot: Sysroot) -> None:
    before = deployed(sysroot)
    failed = converge(sysroot, entries(sysroot)[1].deployment)
    assert failed.returncode == 4
    assert "this deployment is not the one that boots next" in failed.stdout
    assert "name the sysroot by --root" in failed.stdout
    assert deployed(sysroot) == before


@pytest.mark.parametrize("read_only", [pytest.param(False, marks=pytest.mark.vm), True])
def test_the_running_deployment_is_deployed_once_more(sysroot: Sysroot, read_only: bool) -> None:
    before, running = deployed(sysroot), entries(sysroot)[0]
    plan = boot(sysroot, running.deployment, "converge plan /var/test.yaml", read_only=read_only)
    assert "keys[nomodeset]:" in plan
    assert deployed(sysroot) == before
    script = f"{APPLY}echo then\n{APPLY}echo then\n{SHUT_DOWN}"
    first, second, _ = boot(sysroot, running.deployment, script, read_only=read_only).split("then\n")
    again = re.sub(r"\d+$", lambda serial: str(int(serial[0]) + 1), running.name)
    assert deployed(sysroot) == [(again, AFTER), *before]
    assert (REBOOT in first, REBOOT in second) == (True, False)
    for said in (first, second):
        assert f"owed: {STAGED}" in said
        assert "1 owed" in said


def test_what_changes_in_etc_until_the_reboot_is_kept(sysroot: Sysroot) -> None:
    """A password, for one."""
    boot(sysroot, entries(sysroot)[0].deployment, f"{APPLY}echo changed > /etc/app.d/default\n{SHUT_DOWN}")
    assert (entries(sysroot)[0].deployment / "etc/app.d/default").read_text() == "changed\n"


def test_what_is_older_is_pinned_until_the_new_one_has_booted_and_no_longer(sysroot: Sysroot) -> None:
    older, pinned_before = (entry.deployment for entry in entries(sysroot)[1:])
    boot(sysroot, entries(sysroot)[0].deployment, APPLY + SHUT_DOWN)
    assert is_pinned(older)
    boot(sysroot, entries(sysroot)[0].deployment, APPLY + "test ! -e /var/lib/converge/pinned.json", read_only=True)
    assert not is_pinned(older)
    assert is_pinned(pinned_before)


def test_what_is_staged_is_lost_with_the_power_and_made_again(sysroot: Sysroot) -> None:
    before, running = deployed(sysroot), entries(sysroot)[0].deployment
    boot(sysroot, running, APPLY)
    assert deployed(sysroot) == before
    assert REBOOT in boot(sysroot, running, APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == AFTER
    assert deployed(sysroot)[1:] == before
    boot(sysroot, entries(sysroot)[0].deployment, APPLY)
    assert [is_pinned(entry.deployment) for entry in entries(sysroot)] == [False, False, False, True]


def test_what_it_was_deployed_from_goes_with_it_and_that_it_is_pinned_does_not(sysroot: Sysroot) -> None:
    ostree(sysroot, "pin", "0")
    boot(sysroot, entries(sysroot)[0].deployment, f"{APPLY}test ! -e /run/converge/origin\n{SHUT_DOWN}")
    assert origin(entries(sysroot)[0].deployment).split() == ["[origin]", "refspec=main"]
    assert is_pinned(entries(sysroot)[1].deployment)


@pytest.mark.parametrize("staged", [False, pytest.param(True, marks=pytest.mark.vm)])
def test_what_is_laid_over_its_initial_ram_disk_goes_with_it(sysroot: Sysroot, staged: bool) -> None:
    """Microcode or settings that an administrator has there; without them the machine may not boot."""
    overlay = sysroot.path / "ostree/deploy/os/var/overlay.img"
    overlay.write_text("overlay")
    with_overlay = "ostree admin deploy --os=os --stage --overlay-initrd=/var/overlay.img main\n"
    deploy(sysroot, "--retain", f"--overlay-initrd={overlay}")
    boot(sysroot, entries(sysroot)[0].deployment, f"{with_overlay if staged else ''}{APPLY}{SHUT_DOWN}")
    assert entries(sysroot)[0].arguments == AFTER
    assert ["initramfs-overlays" in text for text in bytes_of_entries(sysroot)][:2] == [True, True]


def test_more_arguments_before_the_reboot_make_no_other_deployment(sysroot: Sysroot) -> None:
    before, running = deployed(sysroot), entries(sysroot)[0].deployment
    declare(sysroot, MANIFEST + MORE, "more.yaml")
    more = APPLY.replace("test.yaml", "more.yaml")
    said = boot(sysroot, running, f"{APPLY}echo then\n{more}{SHUT_DOWN}", read_only=True).split("then\n")[1]
    assert REBOOT in said
    assert "2 owed" in said
    (first, *rest) = deployed(sysroot)
    assert first[1] == WITH_MORE
    assert rest == before


def test_after_the_reboot_it_is_found_done_and_no_other_reboot_is_asked_for(sysroot: Sysroot) -> None:
    boot(sysroot, entries(sysroot)[0].deployment, APPLY + SHUT_DOWN)
    after = deployed(sysroot)
    first, second = boot(sysroot, entries(sysroot)[0].deployment, f"{APPLY}echo then\n{APPLY}").split("then\n")
    assert "1 in place, 0 failed" in first
    assert "1 in place or settled" in second
    assert REBOOT not in first + second
    assert deployed(sysroot) == after


def test_whoever_takes_the_new_one_away_keeps_what_they_went_back_to(sysroot: Sysroot) -> None:
    """They choose the older one in the boot loader's menu, and undo what was deployed."""
    running = entries(sysroot)[0]
    boot(sysroot, running.deployment, APPLY + SHUT_DOWN)
    assert "1 in place" in boot(sysroot, running.deployment, APPLY)
    ostree(sysroot, "undeploy", "0")
    assert entries(sysroot)[0] == running
    assert "1 in place or settled" in boot(sysroot, running.deployment, APPLY + SHUT_DOWN)
    assert entries(sysroot)[0] == running


@pytest.mark.parametrize("policy", ["once", "always"])
def test_whoever_makes_the_older_one_the_default_keeps_it_until_an_update(sysroot: Sysroot, policy: str) -> None:
    declare(sysroot, MANIFEST.replace("once", policy))
    running = entries(sysroot)[0]
    boot(sysroot, running.deployment, APPLY + SHUT_DOWN)
    boot(sysroot, entries(sysroot)[0].deployment, APPLY)
    go_back(sysroot)
    before = deployed(sysroot)
    assert before[0] == (running.name, BEFORE)
    said = boot(sysroot, running.deployment, APPLY + SHUT_DOWN)
    assert "owed: not set again, since somebody went back from the deployment that has it" in said
    assert REBOOT not in said
    assert deployed(sysroot) == before
    upgrade(sysroot)
    boot(sysroot, running.deployment, STAGE + APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == AFTER


def go_back(sysroot: Sysroot) -> None:
    """Have the second deployment be the default, as `rpm-ostree rollback` does."""
    first, second = sorted((sysroot.path / "boot/loader/entries").iterdir(), reverse=True)[:2]
    texts, version = [first.read_text(), second.read_text()], re.compile(r"^version (\d+)$", re.MULTILINE)
    numbers = [found[1] for found in map(version.search, texts) if found]
    for path, text, number in zip((first, second), texts, reversed(numbers), strict=True):
        path.write_text(version.sub(f"version {number}", text))


def test_an_update_that_waits_for_its_reboot(sysroot: Sysroot) -> None:
    running = entries(sysroot)[0].deployment
    upgrade(sysroot)
    boot(sysroot, running, "ostree admin deploy --os=os --retain main\n")
    before = deployed(sysroot)
    assert before[0][1] == BEFORE
    assert REBOOT in boot(sysroot, running, APPLY + SHUT_DOWN)
    (new, *rest) = deployed(sysroot)
    assert (commit(new), new[1]) == (commit(before[0]), AFTER)
    assert rest == before[1:]
    booted = boot(sysroot, entries(sysroot)[0].deployment, APPLY)
    assert "already as declared" in booted or "1 in place" in booted
    assert REBOOT not in booted


def test_in_a_chroot_nothing_is_booted_and_the_arguments_are_set_in_place(sysroot: Sysroot) -> None:
    before = deployed(sysroot)
    boot(sysroot, entries(sysroot)[0].deployment, f"rm /run/ostree-booted\n{APPLY}")
    assert deployed(sysroot) == [(before[0][0], AFTER), *before[1:]]


LAWS = """
from itertools import count
from types import ModuleType
from converge.providers import kernel_args as provider
from converge.system import System, bootargs
from tests.laws.interrupted import CutOffError, Interrupted
from tests.real.converging import changes_of, converge, state_of, take_back

kernel_args = ModuleType("kernel_args")  # what is staged is what is: that it is owed until the reboot is another law
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


def test_the_laws_hold_on_a_running_system(sysroot: Sysroot) -> None:
    before, running = deployed(sysroot), entries(sysroot)[0].deployment
    boot(sysroot, running, f"python3 - <<'END'\n{LAWS}END\n{SHUT_DOWN}")
    (first, *rest) = deployed(sysroot)
    assert rest == before
    assert first[1] == "root=LABEL=root rw=1 console=tty1 quiet debug console=ttyS0 loglevel=3 loglevel=4"


CUT_OFF = """
import os, subprocess
from itertools import count
from converge.engine import carry_out
from converge.model import Effect, EffectKind
from converge.request import Request, prepare
from converge.system import System, lock, ostree
from tests.laws.interrupted import CutOffError, Interrupted

def asked(system):
    with lock(system):
        plan, planner = prepare(Request("/var/test.yaml", "/"), system.read_only())
        return Effect(EffectKind.REBOOT) in carry_out(plan, planner, system).effects

def cut_off(limit):
    subprocess.run("rm -rf /etc/converge /var/lib/converge; ostree admin undeploy 0", shell=True, check=limit > 0)
    try:
        asked(Interrupted("/", limit))
        return False
    except CutOffError:
        return True

found = []
for limit in count():
    if not cut_off(limit):
        break
    staged = os.path.exists(ostree.STAGED)
    found.append((staged, asked(System())))
    assert not asked(System()), limit
assert (True, True) in found
assert sorted(found, key=lambda each: not each[1]) == found
"""


def test_cut_off_once_something_is_staged_the_next_run_still_asks_for_the_reboot(sysroot: Sysroot) -> None:
    script = APPLY + CUT_OFF.join(("python3 - <<'END'\n", "END\n"))
    boot(sysroot, entries(sysroot)[0].deployment, script)


KILLED = """
strace -f -qq -o /run/trace -e inject={call}:signal=KILL:when={nth} python3 -m converge apply /var/test.yaml || true
grep -q killed /run/trace || echo nothing was killed
"""


def killed_and_finished(sysroot: Sysroot, call: str, nth: int) -> bool:
    """Kill converge, or ostree, at a system call, and run again; returns whether anything was killed."""
    before, running = deployed(sysroot), entries(sysroot)[0].deployment
    said = boot(sysroot, running, f"{KILLED.format(call=call, nth=nth)}\n{APPLY}{APPLY}{SHUT_DOWN}")
    assert f"owed: {STAGED}" in said.split("Applied:")[-2]
    assert REBOOT in said, (call, nth)
    assert deployed(sysroot)[1:] == before, (call, nth)
    assert deployed(sysroot)[0][1] == AFTER, (call, nth)
    assert len(list(sysroot.path.glob("ostree/deploy/os/deploy/*.?"))) == len(before) + 1, (call, nth)
    return "nothing was killed" not in said


@needs_strace
@pytest.mark.parametrize("nth", [5, 6])
def test_killed_on_the_way_the_next_run_finishes_it_with_no_other_deployment(sysroot: Sysroot, nth: int) -> None:
    """By its 5th rename something is staged; what is killed after that has done its work."""
    assert killed_and_finished(sysroot, "renameat", nth)


@pytest.mark.vm
@needs_strace
@pytest.mark.parametrize("call", ["renameat", "syncfs"])
def test_killed_anywhere(tmp_path: Path, call: str) -> None:
    for nth in count(1):
        folder = tmp_path / str(nth)
        folder.mkdir()
        with three_deployments(folder) as sysroot:
            if not killed_and_finished(sysroot, call, nth):
                return


def test_an_update_that_is_staged(sysroot: Sysroot) -> None:
    running, before = entries(sysroot)[0], deployed(sysroot)
    upgrade(sysroot)
    first, second, _ = boot(
        sysroot, running.deployment, f"{STAGE}{APPLY}echo then\n{APPLY}echo then\n{SHUT_DOWN}", read_only=True
    ).split("then\n")
    for said in (first, second):
        assert f"owed: {STAGED}" in said
        assert "1 owed" in said
    assert (REBOOT in first, REBOOT in second) == (True, False)
    (new, *rest) = deployed(sysroot)
    assert (commit(new) != commit(before[0]), new[1]) == (True, AFTER)
    assert rest == [before[0], before[2]]  # as after any staged update, the one before the running one is gone
    booted = boot(sysroot, entries(sysroot)[0].deployment, f"{APPLY}echo then\n{APPLY}").split("then\n")
    assert ["1 in place, 0 failed" in booted[0], "1 in place or settled" in booted[1]] == [True, True]
    assert REBOOT not in booted[0]


def test_an_update_that_was_staged_is_lost_with_the_power(sysroot: Sysroot) -> None:
    running, before = entries(sysroot)[0], deployed(sysroot)
    upgrade(sysroot)
    boot(sysroot, running.deployment, STAGE + APPLY)
    assert deployed(sysroot) == before
    assert REBOOT in boot(sysroot, running.deployment, APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == AFTER
    assert deployed(sysroot)[1:] == before


def test_an_update_that_is_staged_with_all_arguments_is_nothing_to_wait_for(sysroot: Sysroot) -> None:
    boot(sysroot, entries(sysroot)[0].deployment, APPLY + SHUT_DOWN)
    declare(sysroot, MANIFEST.replace("once", "always"))
    upgrade(sysroot)
    said = boot(sysroot, entries(sysroot)[0].deployment, STAGE + APPLY)
    assert "0 owed, 1 in place" in said
