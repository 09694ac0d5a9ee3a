"""zram on a live root: a device in use stays as it is, and the rest is owed; a missing device is made at once.

The devices belong to the running kernel. systemd does not run in a box: a script in its place records the requests.
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
    *) echo "$*" >>/run/requests ;;
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
    """Run converge, already loaded, on the test's manifest: the exit code, and the output."""
    with redirect_stdout(StringIO()) as output:
        code = app.run([verb, "/root/test.yaml", "--format", "json"])
    return code, output.getvalue()


@frozen
class Machine:
    """A box, and the test's device in it."""

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
        ended, output = self.box.call(run_here, verb)
        assert ended == code, output
        (step,) = json.loads(output)["steps"]
        return dict(step)

    def requests(self) -> list[str]:
        """The requests to systemd since the last call."""
        path = self.at("/run/requests")
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

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
    """Let the machine appear as still booting."""
    machine.at("/run/state").write_text("starting\n")


def without_generator(machine: Machine) -> None:
    machine.at(PROGRAMS[0]).unlink()


@pytest.mark.parametrize("policy", ["always", "once"])
def test_device_in_use_stays_and_the_rest_is_owed(policy: str, machine: Machine) -> None:
    swap_to(machine.device, "16M", priority=3)
    before = swap(machine.device)
    first = machine.converge(size="64MiB", policy=policy)
    assert first["outcome"] == "owed"
    assert "is in use (16 MiB, lzo-rle, priority 3)" in first["reason"]
    assert "64 MiB, lzo-rle, priority 100 takes effect at the next boot" in first["reason"]
    assert "64" in machine.config
    assert machine.requests() == ["daemon-reload"]
    # The same again changes nothing, and has the same reason.
    for verb in ("plan", "apply"):
        again = machine.converge(verb, size="64MiB", policy=policy)
        assert (again["decision"], again["changes"]) == ("owed", [])
        assert again["reason"] == first["reason"]
    assert machine.requests() == []
    assert swap(machine.device) == before
    assert of(machine.device, "disksize") == str(16 << 20)
    # The boot makes the configured device.
    call("swapoff", f"/dev/{machine.device}")
    swap_to(machine.device, "64M")
    assert machine.converge(size="64MiB", policy=policy)["decision"] == "in-place"
    assert machine.converge(size="64MiB", policy=policy)["decision"] == {"once": "settled"}.get(policy, "in-place")


def test_owed_configuration_is_not_a_change_of_the_user(machine: Machine) -> None:
    """The configuration written while the device was in use is ours, and may be changed again."""
    swap_to(machine.device, "16M")
    machine.converge(size="64MiB")
    owed = machine.converge(size="96MiB", user="keep")
    assert [change["field"] for change in owed["changes"]] == ["size"]
    assert "user" not in owed["reason"]
    assert "96" in machine.config


def test_device_in_other_use_stays(machine: Machine) -> None:
    Path(f"/sys/block/{machine.device}/disksize").write_text("16M")
    call("mkfs.ext4", "-q", f"/dev/{machine.device}")
    for _ in range(2):
        assert "is in use (something else); " in machine.converge(size="64MiB")["reason"]
    assert machine.requests() == ["daemon-reload"]
    assert of(machine.device, "disksize") == str(16 << 20)


def test_missing_device_is_made_at_once(machine: Machine) -> None:
    step = machine.converge(size="64MiB")
    assert step["outcome"] == "changed"
    assert machine.requests() == ["daemon-reload", f"start -- dev-{machine.device}.swap"]
    swap_to(machine.device, "64M")
    assert machine.converge(size="64MiB")["decision"] == "in-place"
    assert machine.requests() == []


def test_missing_device_without_generator_is_made_by_unit(machine: Machine) -> None:
    without_generator(machine)
    machine.converge(size="64MiB", algorithms=["nonesuch", "lzo-rle"])
    assert machine.requests() == ["daemon-reload", f"start -- converge-{machine.device}.service"]
    swap_to(machine.device, "64M")
    assert machine.converge(size="64MiB", algorithms=["nonesuch", "lzo-rle"])["decision"] == "in-place"


def test_device_of_our_unit_moves_to_a_new_generator(machine: Machine) -> None:
    """An upgrade of the system brings the generator. The running device is as declared, and stays."""
    program = machine.at(PROGRAMS[0])
    without_generator(machine)
    swap_to(machine.device, "64M")
    machine.converge(size="64MiB", algorithms=["nonesuch", "lzo-rle"])
    program.write_text("")
    machine.requests()
    step = machine.converge(size="64MiB", algorithms=["nonesuch", "lzo-rle"])
    assert {change["field"]: change["after"] for change in step["changes"]} == {
        "through": "zram-generator",
        "algorithm": "lzo-rle",
    }
    assert step["outcome"] == "changed"
    assert machine.requests() == ["daemon-reload"]
    assert not machine.at(f"/etc/systemd/system/converge-{machine.device}.service").exists()
    assert swap(machine.device)


def test_device_not_made_yet_in_the_boot_is_in_place(machine: Machine) -> None:
    """A run early in the boot comes before the device: the user did not remove it."""
    machine.converge(size="64MiB")
    swap_to(machine.device, "64M")
    machine.converge(size="64MiB")
    call("swapoff", f"/dev/{machine.device}")
    machine.requests()
    boots(machine)
    assert machine.converge(size="64MiB", user="keep")["reason"] == "as declared"
    assert machine.requests() == []


@pytest.mark.parametrize("unit", ["dev-{}.swap", "converge-{}.service"])
def test_device_configured_in_a_boot_starts_in_that_boot(unit: str, machine: Machine) -> None:
    if unit.startswith("converge"):
        without_generator(machine)
    boots(machine)
    step = machine.converge(size="64MiB")
    assert (step["outcome"], "running" in [change["field"] for change in step["changes"]]) == ("changed", False)
    assert machine.requests() == ["daemon-reload", f"--no-block start -- {unit.format(machine.device)}"]


def test_device_turned_off_by_user_returns_unless_kept(machine: Machine) -> None:
    machine.converge(size="64MiB")
    swap_to(machine.device, "64M")
    machine.converge(size="64MiB")
    call("swapoff", f"/dev/{machine.device}")
    machine.requests()
    assert (
        machine.converge(size="64MiB", user="keep")["reason"] == "changed by the user (running); on_user_change: keep"
    )
    assert machine.requests() == []
    assert "overwrites a user's change (running)" in machine.converge(size="64MiB")["reason"]
    assert f"start -- dev-{machine.device}.swap" in machine.requests()


@pytest.mark.parametrize("unit", ["dev-{}.swap", "systemd-zram-setup@{}.service", "converge-{}.service"])
def test_masked_unit_counts_as_removed_by_the_user(unit: str, machine: Machine) -> None:
    if unit.startswith("converge"):
        without_generator(machine)
    machine.converge(size="64MiB")
    mask = machine.at(f"/etc/systemd/system/{unit.format(machine.device)}")
    mask.unlink(missing_ok=True)
    mask.symlink_to("/dev/null")
    machine.requests()
    assert machine.converge(size="64MiB", user="keep")["reason"] == "removed by the user; on_user_change: keep"
    assert mask.is_symlink()
    step = machine.converge(size="64MiB")
    assert "overwrites a user's change (ensure, " in step["reason"]
    assert not mask.is_symlink()
    assert machine.requests()[0] == "daemon-reload"


def test_device_in_use_is_removed_at_the_next_boot(machine: Machine) -> None:
    swap_to(machine.device, "64M")
    machine.converge(size="64MiB")
    gone = machine.converge(ensure="absent")
    assert (gone["outcome"], machine.config) == ("owed", "")
    assert gone["reason"].endswith("it is removed at the next boot")
    assert machine.converge(ensure="absent")["decision"] == "owed"
    assert swap(machine.device)


def test_memory_above_the_limit_gets_no_device(machine: Machine) -> None:
    step = machine.converge(size="64MiB", host_memory_limit="1MiB")
    assert (step["outcome"], machine.requests()) == ("changed", ["daemon-reload"])
    assert machine.converge(size="64MiB", host_memory_limit="1MiB")["decision"] == "in-place"


def test_algorithm_missing_in_kernel_fails_with_its_list(machine: Machine) -> None:
    failed = machine.converge(size="64MiB", algorithms=["nonesuch"], code=4)
    assert failed["error"].startswith(
        "the kernel does not have any of the `algorithms` nonesuch (add one that it has: "
    )
    assert (machine.config, machine.requests()) == ("", [])
