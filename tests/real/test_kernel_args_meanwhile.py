"""Kernel arguments of a running ostree system that its user, its administrator and its updater work on as well."""

from collections.abc import Iterator
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
    STAGE,
    STAGED,
    WITH_MORE,
    commit,
    declare,
    deployed,
    entries,
    go_back,
    is_pinned,
    origin,
    ostree,
    three_deployments,
    upgrade,
)

pytestmark = needs_ostree

LEFT = "not set again, since somebody went back from the deployment that has it"
STAGE_WITHOUT_ETC = "ostree admin deploy --os=os --stage --no-merge --karg=root=LABEL=root main\n"
USER_DATA = "etc/userdata"
WORK = f"echo password > /{USER_DATA}\n"


@pytest.fixture
def sysroot(tmp_path: Path) -> Iterator[Sysroot]:
    with three_deployments(tmp_path) as sysroot:
        yield sysroot


def test_what_changes_in_etc_until_the_reboot_is_kept(sysroot: Sysroot) -> None:
    """A password, for one."""
    boot(sysroot, entries(sysroot)[0].deployment, f"{APPLY}echo changed > /etc/app.d/default\n{SHUT_DOWN}")
    assert (entries(sysroot)[0].deployment / "etc/app.d/default").read_text() == "changed\n"


def test_what_is_older_is_pinned_until_the_new_one_has_booted_and_no_longer(sysroot: Sysroot) -> None:
    older, pinned_before = (entry.deployment for entry in entries(sysroot)[1:])
    boot(sysroot, entries(sysroot)[0].deployment, APPLY + SHUT_DOWN)
    assert is_pinned(older)
    boot(
        sysroot,
        entries(sysroot)[0].deployment,
        APPLY + "! grep -q pinned..../ /var/lib/converge/staged.json",
        read_only=True,
    )
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
    assert f"owed: {LEFT}" in said
    assert REBOOT not in said
    assert deployed(sysroot) == before
    upgrade(sysroot)
    boot(sysroot, running.deployment, STAGE + APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == AFTER


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


def test_a_newer_deployment_that_is_in_use_keeps_its_etc(sysroot: Sysroot) -> None:
    """Its user has chosen the older one in the boot loader's menu, for once."""
    older = entries(sysroot)[0].deployment
    upgrade(sysroot)
    boot(sysroot, older, STAGE + SHUT_DOWN)
    newer = entries(sysroot)[0]
    boot(sysroot, newer.deployment, WORK)
    said = boot(sysroot, older, APPLY + SHUT_DOWN, read_only=True)
    assert REBOOT in said
    assert "0 owed" in said
    assert [entries(sysroot)[0].name, entries(sysroot)[0].arguments] == [newer.name, AFTER]
    assert (newer.deployment / USER_DATA).read_text() == "password\n"


def test_so_does_one_that_converge_has_made(sysroot: Sysroot) -> None:
    older = entries(sysroot)[0].deployment
    boot(sysroot, older, APPLY + SHUT_DOWN)
    newer = entries(sysroot)[0].deployment
    boot(sysroot, newer, APPLY + WORK)
    declare(sysroot, MANIFEST + MORE)
    boot(sysroot, older, APPLY + SHUT_DOWN)
    assert entries(sysroot)[0].deployment == newer
    assert entries(sysroot)[0].arguments == WITH_MORE
    assert (newer / USER_DATA).exists()


def test_what_is_never_deployed_is_an_error_in_the_end_and_no_reboot_is_asked_for(sysroot: Sysroot) -> None:
    """A folder of /usr/etc that is a file in /etc makes every merge fail."""
    running, before = entries(sysroot)[0].deployment, deployed(sysroot)
    boot(sysroot, running, "rm -r /etc/app.d\ntouch /etc/app.d\n")
    fails = f"! {SHUT_DOWN}"
    asked = [boot(sysroot, running, APPLY + fails), boot(sysroot, running, APPLY + fails)]
    assert [REBOOT in said for said in asked] == [True, True]
    said = boot(sysroot, running, f"! {APPLY}! {APPLY}{fails}")
    assert said.count("were not deployed as the machine went down") == 2
    assert "journalctl --unit ostree-finalize-staged" in said
    assert REBOOT not in said
    assert deployed(sysroot) == before
    boot(sysroot, running, f"rm /etc/app.d\nmkdir /etc/app.d\n! {APPLY}{SHUT_DOWN}")
    assert deployed(sysroot)[0][1] == AFTER
    assert "1 in place, 0 failed" in boot(sysroot, entries(sysroot)[0].deployment, APPLY)


def gone_back(sysroot: Sysroot) -> Path:
    """A machine whose user has made the older deployment the default again; that one."""
    older = entries(sysroot)[0].deployment
    boot(sysroot, older, APPLY + SHUT_DOWN)
    boot(sysroot, entries(sysroot)[0].deployment, APPLY)
    go_back(sysroot)
    assert entries(sysroot)[0].deployment == older
    return older


def test_what_they_went_back_from_does_not_come_with_other_arguments(sysroot: Sysroot) -> None:
    older = gone_back(sysroot)
    declare(sysroot, MANIFEST + MORE)
    with_more = BEFORE.replace("console=tty1", "console=tty0 console=ttyS0")
    boot(sysroot, older, APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == with_more
    said = boot(sysroot, entries(sysroot)[0].deployment, APPLY + SHUT_DOWN)
    assert f"owed: {LEFT}" in said
    assert REBOOT not in said
    assert deployed(sysroot)[0][1] == with_more


def test_nor_with_an_argument_of_the_administrators(sysroot: Sysroot) -> None:
    older = gone_back(sysroot)
    ours = older.name.partition(".")[0]
    boot(sysroot, older, f"{APPLY}ostree admin deploy --os=os --stage --karg-append=debug {ours}\n{APPLY}{SHUT_DOWN}")
    assert deployed(sysroot)[0][1] == f"{BEFORE} debug"
    assert f"owed: {LEFT}" in boot(sysroot, entries(sysroot)[0].deployment, APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == f"{BEFORE} debug"


def test_a_hotfix_is_not_left_behind(sysroot: Sysroot) -> None:
    running = entries(sysroot)[0]
    said = boot(sysroot, running.deployment, f"ostree admin unlock --hotfix\n{APPLY}{SHUT_DOWN}")
    assert "owed: the running deployment has a hotfix in /usr, which one that is made now would lack" in said
    assert REBOOT not in said
    assert entries(sysroot)[0] == running


def test_an_update_that_is_staged_after_us_drops_what_it_always_does(sysroot: Sysroot) -> None:
    running, before = entries(sysroot)[0].deployment, deployed(sysroot)
    boot(sysroot, running, APPLY)
    upgrade(sysroot)
    boot(sysroot, running, APPLY + STAGE + APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == AFTER
    assert deployed(sysroot)[1:] == [before[0], before[2]]


def test_an_update_that_takes_no_etc_with_it(sysroot: Sysroot) -> None:
    upgrade(sysroot)
    said = boot(sysroot, entries(sysroot)[0].deployment, STAGE_WITHOUT_ETC + APPLY)
    assert f"owed: {STAGED}" in said


def test_what_follows_the_change_is_told_of_it(sysroot: Sysroot) -> None:
    follower = "{argv: [touch, /var/followed], after_change: [sensors], domain: machine}"
    declare(sysroot, f"{MANIFEST}  note: {{type: command, apply: always, with: {follower}}}\n")
    boot(sysroot, entries(sysroot)[0].deployment, f"{APPLY}rm /var/followed\n{APPLY}test ! -e /var/followed\n")
