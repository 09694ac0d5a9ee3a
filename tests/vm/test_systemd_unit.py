"""Units on a running machine: the declared state is applied once, and survives a reboot."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.vm.booted import Booted
from tests.vm.conftest import Boot

pytestmark = pytest.mark.vm

FOLDER = "usr/lib/systemd/system"
PRINTERS = Path(__file__).parents[1] / "cases/systemd-unit/printer-leftovers/manifest.yaml"
CLASSROOM = """\
[Service]
Environment=NAME=plain
ExecStart=/bin/sh -c 'echo "started $NAME" >>/var/log/%N; exec sleep infinity'
ExecReload=/bin/sh -c 'echo "reloaded $NAME" >>/var/log/%N'

[Install]
WantedBy=multi-user.target
"""
VENDORS = {f"{FOLDER}/{name}.service": CLASSROOM for name in ("classroom", "library", "kiosk@")}
APPLY = ["python3", "-m", "converge", "apply", "/root/test.yaml", "--json-into", "/root/run.json"]
EARLY = f"""\
[Unit]
DefaultDependencies=no
RequiresMountsFor=/var
After=local-fs.target
Before=sysinit.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
Environment=PYTHONPATH=/opt/converge:/opt/libraries
ExecStart={" ".join(APPLY)} --phase boot
"""
KILLED = """
import os, signal, sys
from converge.cli import app
from converge.engine import effects
effects.run = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
app.run(sys.argv[1:])
"""
"""Runs converge and kills it after the changes, before their effects."""


IMPATIENT = """
import sys
from converge.cli import app
from converge.system import systemd
systemd.WAIT = 0.5
sys.exit(app.run(sys.argv[1:]))
"""


def declare(machine: Booted, **units: dict[str, Any]) -> None:
    """Write the product, with a resource per unit: `classroom` is for classroom.service."""
    machine.write("/root/test.yaml", manifest(**units))


def manifest(**units: dict[str, Any]) -> str:
    resources = {
        name: {"type": "systemd-unit", "apply": "always", "with": {"name": f"{name}.service", **with_}}
        for name, with_ in units.items()
        if "type" not in with_
    }
    others = {name: {"apply": "always", **each} for name, each in units.items() if "type" in each}
    product = {"converge": 1, "product": "test", "title": "Test", "resources": {**others, **resources}}
    return json.dumps(product)  # which is YAML too


def apply(machine: Booted, code: int = 0) -> Any:
    done = machine.run(APPLY)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(machine.read("/root/run.json"))


def effects(run: Any) -> list[str]:
    return [f"{effect['kind']} {effect['unit']}".strip() for effect in run["effects"]]


def decisions(run: Any) -> dict[str, str]:
    return {step["id"]: step["decision"] for step in run["steps"]}


def log(machine: Booted, unit: str = "classroom") -> list[str]:
    """The lines that the service wrote when it was started or reloaded."""
    return machine.read(f"/var/log/{unit}").splitlines()


def reloads(machine: Booted) -> int:
    printed = machine.run(["journalctl", "--boot", "--output=cat", "--identifier=systemd"]).stdout
    return printed.splitlines().count("Reloading.")


def drop_in(name: str) -> dict[str, str]:
    return {"name": f"[Service]\nEnvironment=NAME={name}\n"}


def test_unit_is_enabled_started_and_restarted_once(boot: Boot) -> None:
    machine = boot({})
    wanted = {"content": CLASSROOM, "enabled": True, "running": True}
    declare(machine, classroom={**wanted, "drop_ins": drop_in("one")})
    assert effects(apply(machine)) == ["daemon-reload", "start classroom.service"]
    assert log(machine) == ["started one"]
    assert machine.systemctl("is-enabled", "classroom") == "enabled"

    declare(machine, classroom={**wanted, "drop_ins": drop_in("two")})
    assert effects(apply(machine)) == ["daemon-reload", "restart classroom.service"]
    assert log(machine) == ["started one", "started two"]

    run = apply(machine)
    assert (decisions(run), effects(run)) == ({"classroom": "in-place"}, [])
    assert (log(machine), reloads(machine)) == (["started one", "started two"], 2)

    machine.reboot()
    assert machine.systemctl("is-active", "classroom") == "active"
    assert log(machine) == ["started one", "started two", "started two"]
    assert decisions(apply(machine)) == {"classroom": "in-place"}


def test_several_changes_cause_one_reload_and_one_restart(boot: Boot) -> None:
    machine = boot(VENDORS)
    machine.systemctl("start", "classroom")

    def declared(text: str) -> None:
        files = {name: {"type": "file", "with": {"path": f"/etc/{name}", "content": text}} for name in ("a", "b")}
        classroom = {"after_change": ["a", "b"], "drop_ins": drop_in(text)}
        declare(machine, **files, classroom=classroom, library={"enabled": True, "after_change": ["a"]})

    declared("one")
    expected = ["daemon-reload", "restart classroom.service", "restart library.service"]
    assert effects(apply(machine)) == expected
    assert (log(machine), log(machine, "library"), reloads(machine)) == (["started plain", "started one"], [], 1)
    assert effects(apply(machine)) == []


def test_on_change_reload_reloads_and_none_does_nothing(boot: Boot) -> None:
    machine = boot(VENDORS)
    machine.systemctl("start", "classroom", "library")
    changed = {"type": "file", "with": {"path": "/etc/a", "content": "x"}}
    reloaded = {"after_change": ["a"], "on_change": "reload"}
    declare(machine, a=changed, classroom=reloaded, library={"drop_ins": drop_in("x"), "on_change": "none"})
    assert effects(apply(machine)) == ["daemon-reload", "reload classroom.service"]
    assert (log(machine), log(machine, "library")) == (["started plain", "reloaded plain"], ["started plain"])


def test_cups_is_restarted_once_after_cleanup(boot: Boot) -> None:
    leftovers = {"var/lib/eos-config-printer/marker": "done\n", "var/cache/cups/job.cache": "job 7\n"}
    machine = boot({f"{FOLDER}/cups.service": CLASSROOM, "root/test.yaml": PRINTERS.read_text(), **leftovers})
    machine.systemctl("enable", "--now", "cups")
    run = apply(machine)
    assert (decisions(run), effects(run)) == (
        {"set-up": "apply", "cache": "apply", "cups": "apply"},
        ["daemon-reload", "restart cups.service"],
    )
    assert machine.run(["find", "/var/lib/eos-config-printer", "/var/cache/cups"]).stdout == "/var/cache/cups\n"
    assert log(machine, "cups") == ["started plain"] * 2

    machine.write("/var/cache/cups/job.cache", "job 8\n")
    assert effects(apply(machine)) == []
    machine.write("/etc/os-release", 'ID=test\nVERSION_ID="3.9.0"\n')
    assert effects(apply(machine)) == []
    assert (machine.read("/var/cache/cups/job.cache"), log(machine, "cups")) == ("job 8\n", ["started plain"] * 2)


def test_unit_is_masked_and_unmasked(boot: Boot) -> None:
    machine = boot(VENDORS)
    machine.systemctl("enable", "--now", "classroom")
    declare(machine, classroom={"masked": True, "running": False}, telemetry={"masked": True})
    apply(machine)
    assert machine.systemctl("is-enabled", "classroom", "telemetry") == "masked\nmasked"
    assert machine.systemctl("is-active", "classroom") == "inactive"
    machine.reboot()
    assert decisions(apply(machine)) == {"classroom": "in-place", "telemetry": "in-place"}
    assert machine.systemctl("is-active", "classroom") == "inactive"

    declare(machine, classroom={"masked": False, "enabled": True, "running": True})
    apply(machine)
    assert machine.systemctl("is-active", "classroom") == "active"
    assert decisions(apply(machine)) == {"classroom": "in-place"}


def test_presets_enable_and_disable(boot: Boot) -> None:
    machine = boot({**VENDORS, "usr/lib/systemd/system-preset/10-test.preset": "enable classroom.*\ndisable *\n"})
    machine.systemctl("enable", "library")
    declare(machine, classroom={"preset": True}, library={"preset": True})
    apply(machine)
    assert machine.systemctl("is-enabled", "classroom", "library") == "enabled\ndisabled"
    assert decisions(apply(machine)) == {"classroom": "in-place", "library": "in-place"}


def test_unit_started_or_stopped_by_user_is_reset(boot: Boot) -> None:
    machine = boot(VENDORS)
    declare(machine, classroom={"running": True}, library={"running": False})
    apply(machine)
    machine.systemctl("stop", "classroom")
    machine.systemctl("start", "library")
    assert effects(apply(machine)) == ["start classroom.service", "stop library.service"]
    assert machine.systemctl("is-active", "classroom", "library") == "active\ninactive"


def test_removed_unit_is_stopped(boot: Boot) -> None:
    machine = boot({})
    declare(machine, classroom={"content": CLASSROOM, "enabled": True, "running": True})
    apply(machine)
    declare(machine, classroom={"ensure": "absent"})
    assert effects(apply(machine)) == ["daemon-reload", "stop classroom.service"]
    assert machine.systemctl("show", "--property=LoadState,ActiveState", "classroom") == (
        "LoadState=not-found\nActiveState=inactive"
    )
    assert machine.run(["find", "/etc/systemd/system", "-name", "classroom*"]).stdout == ""


def test_unit_that_does_not_start_fails_the_run(boot: Boot) -> None:
    machine = boot({})
    broken = CLASSROOM.replace("[Service]", "[Service]\nType=exec").replace("/bin/sh", "/bin/no-shell")
    declare(machine, classroom={"content": broken, "running": True})
    run = apply(machine, code=4)
    assert run["effect_errors"] == [
        "start classroom.service: Job for classroom.service failed because the control process exited with error code."
    ]
    assert apply(machine, code=4)["effect_errors"]
    declare(machine, classroom={"content": CLASSROOM, "running": True})
    assert apply(machine)["effect_errors"] == []
    assert log(machine) == ["started plain"]


def test_slow_unit_does_not_delay_the_run(boot: Boot) -> None:
    slow = CLASSROOM.replace("[Service]", "[Service]\nTimeoutStartSec=infinity\nExecStartPre=/bin/sleep infinity")
    machine = boot({f"{FOLDER}/classroom.service": slow})
    declare(machine, classroom={"running": True})
    assert machine.run(["python3", "-c", IMPATIENT, *APPLY[3:]]).returncode == 0
    assert machine.systemctl("is-active", "classroom") == "activating"
    assert decisions(apply(machine)) == {"classroom": "in-place"}


def test_unit_that_ends_cannot_be_kept_running(boot: Boot) -> None:
    machine = boot({f"{FOLDER}/once.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n"})
    declare(machine, once={"running": True})
    (step,) = apply(machine, code=4)["steps"]
    assert step["error"].startswith("once.service does its work and ends: it cannot be kept running")


def test_run_killed_before_restart_is_finished_by_next(boot: Boot) -> None:
    machine = boot(VENDORS)
    machine.systemctl("start", "classroom")
    declare(machine, classroom={"drop_ins": drop_in("one")}, library={"running": True})
    done = machine.run(["python3", "-c", KILLED, *APPLY[3:]])
    assert (done.returncode, log(machine), log(machine, "library")) == (-9, ["started plain"], [])
    assert effects(apply(machine)) == ["daemon-reload", "restart classroom.service", "start library.service"]
    assert (log(machine), log(machine, "library")) == (["started plain", "started one"], ["started plain"])
    assert effects(apply(machine)) == []


def test_run_killed_before_follower_is_finished_by_next(boot: Boot) -> None:
    machine = boot(VENDORS)
    machine.systemctl("start", "classroom")
    changed = {"type": "file", "with": {"path": "/etc/a", "content": "x"}}
    declare(machine, a=changed, classroom={"after_change": ["a"]})
    killed = KILLED.replace("effects.run", "execution.Execution._take_notices")
    killed = killed.replace("import effects", "import execution")
    assert machine.run(["python3", "-c", killed, *APPLY[3:]]).returncode == -9
    assert (machine.read("/etc/a"), log(machine)) == ("x", ["started plain"])
    assert effects(apply(machine)) == ["daemon-reload", "restart classroom.service"]
    assert log(machine) == ["started plain", "started plain"]


def test_unit_enabled_early_in_boot_starts_in_that_boot(boot: Boot) -> None:
    never = CLASSROOM.replace("multi-user.target", "rescue.target")
    wanted: dict[str, dict[str, Any]] = {
        "classroom": {"enabled": True},
        "library": {"enabled": True, "running": True, "drop_ins": drop_in("one")},
        "elsewhere": {"content": never, "enabled": True},
        "kiosk": {"name": "kiosk@hall.service", "enabled": True, "running": False},
    }
    machine = boot(
        {
            **VENDORS,
            f"{FOLDER}/early.service": EARLY,
            f"{FOLDER}/sysinit.target.d/early.conf": "[Unit]\nWants=early.service\n",
            "root/test.yaml": manifest(**wanted),
        }
    )
    run = json.loads(machine.read("/root/run.json"))
    assert effects(run) == ["daemon-reload", "start library.service", "boot-start classroom.service"]
    assert (run["effect_errors"], machine.systemctl("is-system-running")) == ([], "running")
    assert (log(machine), log(machine, "library")) == (["started plain"], ["started one"])
    assert (log(machine, "elsewhere"), log(machine, "kiosk@hall")) == ([], [])

    machine.reboot()
    run = json.loads(machine.read("/root/run.json"))
    started = dict.fromkeys(("classroom", "library", "elsewhere"), "in-place")
    assert (decisions(run), effects(run)) == ({**started, "kiosk": "apply"}, ["stop kiosk@hall.service"])
    assert (log(machine), log(machine, "library")) == (["started plain"] * 2, ["started one"] * 2)


def test_unit_without_running_systemd_is_not_started(boot: Boot) -> None:
    machine = boot(VENDORS)
    declare(machine, classroom={"enabled": True, "running": True})
    hidden = machine.run(["unshare", "--mount", "sh", "-c", 'mount -t tmpfs run /run && exec "$@"', "sh", *APPLY])
    assert hidden.returncode == 0, hidden.stdout + hidden.stderr
    assert effects(json.loads(machine.read("/root/run.json"))) == []
    assert machine.systemctl("is-enabled", "classroom") == "enabled"
    assert effects(apply(machine)) == ["start classroom.service"]
