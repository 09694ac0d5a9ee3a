"""zram on a live root: what is in use stays as it is, and the rest is owed; what is not there is made at once.

The devices are the running kernel's. systemd does not run in a box: in its place a script writes down what it is asked.
"""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from converge.cli import app
from converge.providers.swap.zram.generator import PROGRAMS
from tests.real.livebox import Livebox, livebox, needs_livebox
from tests.real.loops import call
from tests.real.zramdevices import added, needs_zram, of, swap, swap_to

pytestmark = [needs_livebox, needs_zram]

SYSTEMCTL = """\
#!/bin/sh
case "$1" in
    is-system-running) cat /run/state ;;
    show) echo WantedBy=swap.target; echo ActiveState=active ;;
    list-jobs) ;;
    *) echo "$*" >>/run/asked ;;
esac
"""
MANIFEST = """\
converge: 1
product: test
resources:
  zram:
    type: zram
    apply: {policy}
    on_user_change: {user}
    with: {with_}
"""


def run_here(verb: str) -> tuple[int, str]:
    """Run converge, already loaded, on the test's manifest: the exit code, and what it said."""
    with redirect_stdout(StringIO()) as told:
        code = app.run([verb, "/root/test.yaml", "--format", "json"])
    return code, told.getvalue()


@frozen
class Machine:
    """A box, and the one device in it that is the test's."""

    box: Livebox
    device: str

    def at(self, path: str) -> Path:
        return self.box.root / path.lstrip("/")

    def converge(
        self, verb: str = "apply", *, code: int = 0, policy: str = "always", user: str = "overwrite", **params: Any
    ) -> dict[str, Any]:
        """The step of the only resource."""
        with_ = json.dumps({"device": self.device, **params})
        self.at("/root/test.yaml").write_text(MANIFEST.format(policy=policy, user=user, with_=with_))
        ended, told = self.box.call(run_here, verb)
        assert ended == code, told
        (step,) = json.loads(told)["steps"]
        return dict(step)

    def asked(self) -> list[str]:
        """What systemd was asked since the last time."""
        path = self.at("/run/asked")
        said = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return said

    @property
    def config(self) -> str:
        path = self.at(f"/etc/systemd/zram-generator.conf.d/90-converge-{self.device}.conf")
        return path.read_text() if path.exists() else ""


@pytest.fixture
def machine() -> Iterator[Machine]:
    with added() as device, livebox() as box:
        made = Machine(box, device)
        for path, text in ((PROGRAMS[0], ""), ("/run/state", "running\n"), ("/usr/bin/systemctl", SYSTEMCTL)):
            made.at(path).unlink(missing_ok=True)
            made.at(path).write_text(text)
        made.at("/usr/bin/systemctl").chmod(0o755)
        made.at("/run/systemd/system").mkdir(parents=True)
        numbers = os.makedev(*map(int, of(device, "dev").split(":")))
        os.mknod(made.at(f"/dev/{device}"), 0o600 | stat.S_IFBLK, numbers)
        made.at("/etc/systemd/zram-generator.conf").unlink(missing_ok=True)
        yield made


def boots(machine: Machine) -> None:
    """From here on the boot is still under way."""
    machine.at("/run/state").write_text("starting\n")


def without_generator(machine: Machine) -> None:
    machine.at(PROGRAMS[0]).unlink()


@pytest.mark.parametrize("policy", ["always", "once"])
def test_a_device_in_use_is_left_and_the_rest_is_owed_until_the_next_boot(policy: str, machine: Machine) -> None:
    swap_to(machine.device, "16M", priority=3)
    before = swap(machine.device)
    first = machine.converge(size="64MiB", policy=policy)
    assert first["outcome"] == "owed"
    assert "is in use with 16 MiB, lzo-rle, priority 3" in first["reason"]
    assert "64 MiB, lzo-rle, priority 100 from the next boot on" in first["reason"]
    assert "64" in machine.config
    assert machine.asked() == ["daemon-reload"]
    # The same again changes nothing, and says so again.
    for verb in ("plan", "apply"):
        again = machine.converge(verb, size="64MiB", policy=policy)
        assert (again["decision"], again["changes"]) == ("owed", [])
        assert again["reason"] == first["reason"]
    assert machine.asked() == []
    assert swap(machine.device) == before
    assert of(machine.device, "disksize") == str(16 << 20)
    # The boot makes what is configured.
    call("swapoff", f"/dev/{machine.device}")
    swap_to(machine.device, "64M")
    assert machine.converge(size="64MiB", policy=policy)["decision"] == "in-place"
    assert machine.converge(size="64MiB", policy=policy)["decision"] == {"once": "settled"}.get(policy, "in-place")


def test_what_is_owed_is_no_change_of_the_users(machine: Machine) -> None:
    """The configuration that was left while the device was in use is ours to change again."""
    swap_to(machine.device, "16M")
    machine.converge(size="64MiB")
    owed = machine.converge(size="96MiB", user="keep")
    assert [change["field"] for change in owed["changes"]] == ["size"]
    assert "user" not in owed["reason"]
    assert "96" in machine.config


def test_a_device_that_somebody_uses_for_something_else_stays_theirs(machine: Machine) -> None:
    Path(f"/sys/block/{machine.device}/disksize").write_text("16M")
    call("mkfs.ext4", "-q", f"/dev/{machine.device}")
    for _ in range(2):
        assert "is in use with something else and stays so" in machine.converge(size="64MiB")["reason"]
    assert machine.asked() == ["daemon-reload"]
    assert of(machine.device, "disksize") == str(16 << 20)


def test_a_device_that_is_not_there_is_made_at_once(machine: Machine) -> None:
    step = machine.converge(size="64MiB")
    assert step["outcome"] == "changed"
    assert machine.asked() == ["daemon-reload", f"start -- dev-{machine.device}.swap"]
    swap_to(machine.device, "64M")
    assert machine.converge(size="64MiB")["decision"] == "in-place"
    assert machine.asked() == []


def test_without_zram_generator_our_unit_makes_it(machine: Machine) -> None:
    without_generator(machine)
    machine.converge(size="64MiB", algorithms=["nonesuch", "lzo-rle"])
    assert machine.asked() == ["daemon-reload", f"start -- converge-{machine.device}.service"]
    swap_to(machine.device, "64M")
    assert machine.converge(size="64MiB", algorithms=["nonesuch", "lzo-rle"])["decision"] == "in-place"


def test_a_device_that_is_in_place_changes_over_when_the_generator_comes(machine: Machine) -> None:
    """With an upgrade of the system. What runs is as it is to be, and goes on."""
    program = machine.at(PROGRAMS[0])
    without_generator(machine)
    swap_to(machine.device, "64M")
    machine.converge(size="64MiB", algorithms=["nonesuch", "lzo-rle"])
    program.write_text("")
    machine.asked()
    step = machine.converge(size="64MiB", algorithms=["nonesuch", "lzo-rle"])
    assert {change["field"]: change["after"] for change in step["changes"]} == {
        "through": "zram-generator",
        "algorithm": "lzo-rle",
    }
    assert step["outcome"] == "changed"
    assert machine.asked() == ["daemon-reload"]
    assert not machine.at(f"/etc/systemd/system/converge-{machine.device}.service").exists()
    assert swap(machine.device)


def test_what_the_boot_has_yet_to_make_is_in_place(machine: Machine) -> None:
    """A run early in the boot comes before the device. It is no user who has taken that away."""
    machine.converge(size="64MiB")
    swap_to(machine.device, "64M")
    machine.converge(size="64MiB")
    call("swapoff", f"/dev/{machine.device}")
    machine.asked()
    boots(machine)
    assert machine.converge(size="64MiB", user="keep")["reason"] == "already as declared"
    assert machine.asked() == []


@pytest.mark.parametrize("unit", ["dev-{}.swap", "converge-{}.service"])
def test_what_is_configured_in_a_boot_starts_in_that_boot(unit: str, machine: Machine) -> None:
    if unit.startswith("converge"):
        without_generator(machine)
    boots(machine)
    step = machine.converge(size="64MiB")
    assert (step["outcome"], "running" in [change["field"] for change in step["changes"]]) == ("changed", False)
    assert machine.asked() == ["daemon-reload", f"--no-block start -- {unit.format(machine.device)}"]


def test_a_device_that_the_user_swaps_off_comes_back_unless_that_is_to_be_kept(machine: Machine) -> None:
    machine.converge(size="64MiB")
    swap_to(machine.device, "64M")
    machine.converge(size="64MiB")
    call("swapoff", f"/dev/{machine.device}")
    machine.asked()
    assert machine.converge(size="64MiB", user="keep")["reason"] == "the user's: running"
    assert machine.asked() == []
    assert "overwrites what the user changed: running" in machine.converge(size="64MiB")["reason"]
    assert f"start -- dev-{machine.device}.swap" in machine.asked()


@pytest.mark.parametrize("unit", ["dev-{}.swap", "systemd-zram-setup@{}.service", "converge-{}.service"])
def test_a_masked_unit_is_a_device_that_the_user_has_taken_away(unit: str, machine: Machine) -> None:
    if unit.startswith("converge"):
        without_generator(machine)
    machine.converge(size="64MiB")
    mask = machine.at(f"/etc/systemd/system/{unit.format(machine.device)}")
    mask.unlink(missing_ok=True)
    mask.symlink_to("/dev/null")
    machine.asked()
    assert machine.converge(size="64MiB", user="keep")["reason"] == "removed by the user"
    assert mask.is_symlink()
    step = machine.converge(size="64MiB")
    assert "overwrites what the user changed: ensure" in step["reason"]
    assert not mask.is_symlink()
    assert machine.asked()[0] == "daemon-reload"


def test_what_is_no_longer_wanted_stays_until_the_next_boot(machine: Machine) -> None:
    swap_to(machine.device, "64M")
    machine.converge(size="64MiB")
    gone = machine.converge(ensure="absent")
    assert (gone["outcome"], machine.config) == ("owed", "")
    assert gone["reason"].endswith("it is gone after the next boot")
    assert machine.converge(ensure="absent")["decision"] == "owed"
    assert swap(machine.device)


def test_more_memory_than_the_limit_means_none(machine: Machine) -> None:
    step = machine.converge(size="64MiB", host_memory_limit="1MiB")
    assert (step["outcome"], machine.asked()) == ("changed", ["daemon-reload"])
    assert machine.converge(size="64MiB", host_memory_limit="1MiB")["decision"] == "in-place"


def test_an_algorithm_that_the_kernel_lacks_is_an_error_with_those_that_it_has(machine: Machine) -> None:
    failed = machine.converge(size="64MiB", algorithms=["nonesuch"], code=4)
    assert failed["error"].startswith("the kernel has none of nonesuch (it has ")
    assert (machine.config, machine.asked()) == ("", [])
