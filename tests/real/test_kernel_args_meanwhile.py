"""Kernel arguments of a running ostree system that its user, its administrator and its updater change as well."""

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

LEFT = "not applied again: the deployment with these arguments was rolled back"
STAGE_WITHOUT_ETC = "ostree admin deploy --os=os --stage --no-merge --karg=root=LABEL=root main\n"
USER_DATA = "etc/userdata"
WORK = f"echo password > /{USER_DATA}\n"


@pytest.fixture
def sysroot(tmp_path: Path) -> Iterator[Sysroot]:
    with three_deployments(tmp_path) as sysroot:
        yield sysroot


def test_changes_in_etc_before_reboot_are_kept(sysroot: Sysroot) -> None:
    """Such as a password."""
    boot(sysroot, entries(sysroot)[0].deployment, f"{APPLY}echo changed > /etc/app.d/default\n{SHUT_DOWN}")
    assert (entries(sysroot)[0].deployment / "etc/app.d/default").read_text() == "changed\n"


def test_older_deployment_is_pinned_until_new_one_has_booted(sysroot: Sysroot) -> None:
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


def test_staged_deployment_lost_with_power_is_made_again(sysroot: Sysroot) -> None:
    before, running = deployed(sysroot), entries(sysroot)[0].deployment
    boot(sysroot, running, APPLY)
    assert deployed(sysroot) == before
    assert REBOOT in boot(sysroot, running, APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == AFTER
    assert deployed(sysroot)[1:] == before
    boot(sysroot, entries(sysroot)[0].deployment, APPLY)
    assert [is_pinned(entry.deployment) for entry in entries(sysroot)] == [False, False, False, True]


def test_new_deployment_keeps_origin_but_not_the_pin(sysroot: Sysroot) -> None:
    ostree(sysroot, "pin", "0")
    boot(sysroot, entries(sysroot)[0].deployment, f"{APPLY}test ! -e /run/converge/origin\n{SHUT_DOWN}")
    assert origin(entries(sysroot)[0].deployment).split() == ["[origin]", "refspec=main"]
    assert is_pinned(entries(sysroot)[1].deployment)


def test_rollback_by_undeploying_is_kept(sysroot: Sysroot) -> None:
    """The user chooses the older deployment in the boot loader's menu, and undeploys the new one."""
    running = entries(sysroot)[0]
    boot(sysroot, running.deployment, APPLY + SHUT_DOWN)
    assert "1 in place" in boot(sysroot, running.deployment, APPLY)
    ostree(sysroot, "undeploy", "0")
    assert entries(sysroot)[0] == running
    assert "1 in place or settled" in boot(sysroot, running.deployment, APPLY + SHUT_DOWN)
    assert entries(sysroot)[0] == running


@pytest.mark.parametrize("policy", ["once", "always"])
def test_rollback_by_new_default_is_kept_until_an_update(sysroot: Sysroot, policy: str) -> None:
    declare(sysroot, MANIFEST.replace("once", policy))
    running = entries(sysroot)[0]
    boot(sysroot, running.deployment, APPLY + SHUT_DOWN)
    boot(sysroot, entries(sysroot)[0].deployment, APPLY)
    go_back(sysroot)
    before = deployed(sysroot)
    assert before[0] == (running.name, BEFORE)
    printed = boot(sysroot, running.deployment, APPLY + SHUT_DOWN)
    assert f"owed  {LEFT}" in printed
    assert REBOOT not in printed
    assert deployed(sysroot) == before
    upgrade(sysroot)
    boot(sysroot, running.deployment, STAGE + APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == AFTER


def test_update_waiting_for_reboot_gets_the_arguments(sysroot: Sysroot) -> None:
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
    assert "as declared" in booted or "1 in place" in booted
    assert REBOOT not in booted


def test_staged_update_gets_the_arguments(sysroot: Sysroot) -> None:
    running, before = entries(sysroot)[0], deployed(sysroot)
    upgrade(sysroot)
    first, second, _ = boot(
        sysroot, running.deployment, f"{STAGE}{APPLY}echo then\n{APPLY}echo then\n{SHUT_DOWN}", read_only=True
    ).split("then\n")
    for printed in (first, second):
        assert f"owed  {STAGED}" in printed
        assert "1 owed" in printed
    assert (REBOOT in first, REBOOT in second) == (True, False)
    (new, *rest) = deployed(sysroot)
    assert (commit(new) != commit(before[0]), new[1]) == (True, AFTER)
    assert rest == [before[0], before[2]]  # every staged update removes the deployment before the running one
    booted = boot(sysroot, entries(sysroot)[0].deployment, f"{APPLY}echo then\n{APPLY}").split("then\n")
    assert ["1 in place, 0 failed" in booted[0], "1 in place or settled" in booted[1]] == [True, True]
    assert REBOOT not in booted[0]


def test_staged_update_lost_with_power_is_made_up_for(sysroot: Sysroot) -> None:
    running, before = entries(sysroot)[0], deployed(sysroot)
    upgrade(sysroot)
    boot(sysroot, running.deployment, STAGE + APPLY)
    assert deployed(sysroot) == before
    assert REBOOT in boot(sysroot, running.deployment, APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == AFTER
    assert deployed(sysroot)[1:] == before


def test_staged_update_with_all_arguments_is_in_place(sysroot: Sysroot) -> None:
    boot(sysroot, entries(sysroot)[0].deployment, APPLY + SHUT_DOWN)
    declare(sysroot, MANIFEST.replace("once", "always"))
    upgrade(sysroot)
    printed = boot(sysroot, entries(sysroot)[0].deployment, STAGE + APPLY)
    assert "0 owed, 1 in place" in printed


def test_newer_deployment_in_use_keeps_its_etc(sysroot: Sysroot) -> None:
    """The user chose the older one in the boot loader's menu this time."""
    older = entries(sysroot)[0].deployment
    upgrade(sysroot)
    boot(sysroot, older, STAGE + SHUT_DOWN)
    newer = entries(sysroot)[0]
    boot(sysroot, newer.deployment, WORK)
    printed = boot(sysroot, older, APPLY + SHUT_DOWN, read_only=True)
    assert REBOOT in printed
    assert "0 owed" in printed
    assert [entries(sysroot)[0].name, entries(sysroot)[0].arguments] == [newer.name, AFTER]
    assert (newer.deployment / USER_DATA).read_text() == "password\n"


def test_newer_deployment_of_converge_keeps_its_etc(sysroot: Sysroot) -> None:
    older = entries(sysroot)[0].deployment
    boot(sysroot, older, APPLY + SHUT_DOWN)
    newer = entries(sysroot)[0].deployment
    boot(sysroot, newer, APPLY + WORK)
    declare(sysroot, MANIFEST + MORE)
    boot(sysroot, older, APPLY + SHUT_DOWN)
    assert entries(sysroot)[0].deployment == newer
    assert entries(sysroot)[0].arguments == WITH_MORE
    assert (newer / USER_DATA).exists()


def test_staged_deployment_always_lost_fails_without_reboot(sysroot: Sysroot) -> None:
    """Every merge fails because a folder of /usr/etc is a file in /etc."""
    running, before = entries(sysroot)[0].deployment, deployed(sysroot)
    boot(sysroot, running, "rm -r /etc/app.d\ntouch /etc/app.d\n")
    fails = f"! {SHUT_DOWN}"
    outputs = [boot(sysroot, running, APPLY + fails), boot(sysroot, running, APPLY + fails)]
    assert [REBOOT in printed for printed in outputs] == [True, True]
    printed = boot(sysroot, running, f"! {APPLY}! {APPLY}{fails}")
    assert printed.count("earlier staged ones were not deployed at shutdown") == 2
    assert "journalctl --unit ostree-finalize-staged" in printed
    assert REBOOT not in printed
    assert deployed(sysroot) == before
    boot(sysroot, running, f"rm /etc/app.d\nmkdir /etc/app.d\n! {APPLY}{SHUT_DOWN}")
    assert deployed(sysroot)[0][1] == AFTER
    assert "1 in place, 0 failed" in boot(sysroot, entries(sysroot)[0].deployment, APPLY)


def rolled_back(sysroot: Sysroot) -> Path:
    """Make the older deployment the default again, as a user would; returns it."""
    older = entries(sysroot)[0].deployment
    boot(sysroot, older, APPLY + SHUT_DOWN)
    boot(sysroot, entries(sysroot)[0].deployment, APPLY)
    go_back(sysroot)
    assert entries(sysroot)[0].deployment == older
    return older


def test_rolled_back_arguments_do_not_return_with_others(sysroot: Sysroot) -> None:
    older = rolled_back(sysroot)
    declare(sysroot, MANIFEST + MORE)
    with_more = BEFORE.replace("console=tty1", "console=tty0 console=ttyS0")
    boot(sysroot, older, APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == with_more
    printed = boot(sysroot, entries(sysroot)[0].deployment, APPLY + SHUT_DOWN)
    assert f"owed  {LEFT}" in printed
    assert REBOOT not in printed
    assert deployed(sysroot)[0][1] == with_more


def test_rolled_back_arguments_stay_out_after_admin_change(sysroot: Sysroot) -> None:
    older = rolled_back(sysroot)
    ours = older.name.partition(".")[0]
    boot(sysroot, older, f"{APPLY}ostree admin deploy --os=os --stage --karg-append=debug {ours}\n{APPLY}{SHUT_DOWN}")
    assert deployed(sysroot)[0][1] == f"{BEFORE} debug"
    assert f"owed  {LEFT}" in boot(sysroot, entries(sysroot)[0].deployment, APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == f"{BEFORE} debug"


def test_hotfix_in_usr_is_not_lost(sysroot: Sysroot) -> None:
    running = entries(sysroot)[0]
    printed = boot(sysroot, running.deployment, f"ostree admin unlock --hotfix\n{APPLY}{SHUT_DOWN}")
    assert "owed  the running deployment has a hotfix in /usr, which a new deployment would lack" in printed
    assert REBOOT not in printed
    assert entries(sysroot)[0] == running


def test_update_staged_after_us_removes_the_usual_deployment(sysroot: Sysroot) -> None:
    running, before = entries(sysroot)[0].deployment, deployed(sysroot)
    boot(sysroot, running, APPLY)
    upgrade(sysroot)
    boot(sysroot, running, APPLY + STAGE + APPLY + SHUT_DOWN)
    assert deployed(sysroot)[0][1] == AFTER
    assert deployed(sysroot)[1:] == [before[0], before[2]]


def test_update_staged_without_etc_gets_the_arguments(sysroot: Sysroot) -> None:
    upgrade(sysroot)
    printed = boot(sysroot, entries(sysroot)[0].deployment, STAGE_WITHOUT_ETC + APPLY)
    assert f"owed  {STAGED}" in printed


def test_follower_runs_once_after_the_change(sysroot: Sysroot) -> None:
    follower = "{argv: [touch, /var/followed], after_change: [sensors], domain: machine}"
    declare(sysroot, f"{MANIFEST}  note: {{type: command, apply: always, with: {follower}}}\n")
    boot(sysroot, entries(sysroot)[0].deployment, f"{APPLY}rm /var/followed\n{APPLY}test ! -e /var/followed\n")
