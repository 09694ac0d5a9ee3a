"""What people read: plan, apply and status of a machine with a resource of each topic, each in another decision.

The texts are in `reading/*.txt`. `CONVERGE_WRITE=1` writes them again: read the difference before you commit it.
"""

import os
import re
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

import pytest

from converge.engine.ledger import Ledgers
from converge.engine.plan import Plan
from converge.engine.request import prepare
from converge.engine.result import Run
from converge.model import Decision, Event
from converge.render import plan as plan_text
from converge.render import status as status_text
from converge.render.base import Line, plain, width, write
from converge.system import ReadOnlySystem
from tests.machine import Machine, decisions

TEXTS = Path(__file__).parent / "reading"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine that was adopted at 3.7.4 and then changed by its user, before the upgrade to 3.8.0."""
    machine = Machine.make(tmp_path_factory.mktemp("reading"))
    put(machine, "/var/lib/flatpak/repo/config", "[core]\nrepo_version=1\nmode=bare-user-only\n")
    put(machine, "/etc/app.conf", "[net]\ntimeout=30\n")
    put(machine, "/etc/passwd", machine.path("/etc/passwd").read_text() + "lp:x:7:7::/var/spool/lpd:/bin/sh\n")
    put(machine, "/var/cache/old/page", "x")
    put(machine, "/var/lib/scanner/a", "x")
    put(machine, "/var/lib/scanner/b", "x")
    declare(machine, "first.yaml")
    check("1-adopted", plan_text.run(machine.apply(), columns=100), machine)
    put(machine, "/etc/reader.conf", "[text]\nsize=small\ncolor=black\n")
    put(machine, "/etc/app.conf", "[net]\ntimeout=99\n")
    put(machine, "/var/lib/flatpak/repo/config", "[core]\nrepo_version=1\nmode=bare-user-only\n")
    machine.upgrade_os("3.8.0")
    declare(machine, "second.yaml")
    return machine


def put(machine: Machine, path: str, text: str) -> None:
    machine.path(path).parent.mkdir(parents=True, exist_ok=True)
    machine.path(path).write_text(text)


def declare(machine: Machine, name: str) -> None:
    machine.manifest.write_text((TEXTS / name).read_text())


def check(name: str, lines: Iterable[Line], machine: Machine) -> None:
    """Compare with the golden text; the machine's folder and times are left out."""
    text = "".join(f"{plain(line)}\n" for line in lines)
    text = text.replace(str(machine.root), "/srv/machine").replace(str(machine.manifest.parent), "/srv")
    text = re.sub(r"\d{4}-\d\d-\d\d(T[\d:+]+)?", "2026-01-01", text)
    golden = TEXTS / f"{name}.txt"
    if os.environ.get("CONVERGE_WRITE"):
        golden.write_text(text)
    assert text == golden.read_text()


def status(machine: Machine, id_: str | None = None) -> Iterable[Line]:
    found, ledgers = machine.status(), Ledgers.load(ReadOnlySystem(str(machine.root)))
    if id_ is None:
        return status_text.status(found, ledgers, columns=80)
    return status_text.details(found.of(id_), columns=80)


def planned(machine: Machine) -> Plan:
    return prepare(machine.request(), ReadOnlySystem(str(machine.root)))[0]


@pytest.fixture(scope="module")
def plan(machine: Machine) -> Plan:
    return planned(machine)


def test_plan_reads_well_at_each_width(machine: Machine, plan: Plan) -> None:
    for columns in (80, 160):
        lines = list(plan_text.plan(plan, columns=columns))
        # The first line has the test's own folder, and the last one, which programs count by, is never broken.
        assert max(width(plain(line)) for line in lines[1:-1]) <= columns
        check(f"2-plan-{columns}", lines, machine)


def test_each_resource_is_in_another_decision(plan: Plan) -> None:
    assert set(decisions(plan).values()) >= set(Decision) - {Decision.BLOCKED}
    assert len({step.reason_code for step in plan.steps}) >= 11


def test_plan_in_colour_has_the_same_text(plan: Plan) -> None:
    coloured, bare = StringIO(), StringIO()
    write(plan_text.plan(plan, columns=80), coloured, color=True)
    write(plan_text.plan(plan, columns=80), bare, color=False)
    assert "\x1b[" in coloured.getvalue()
    without = re.sub(r"\x1b\[[0-9;]*m", "", coloured.getvalue())
    assert [line.rstrip() for line in without.splitlines()] == bare.getvalue().splitlines()


def test_apply_and_status_read_well(machine: Machine, plan: Plan) -> None:  # noqa: ARG001  (the plan comes first)
    check("3-status-before", status(machine), machine)
    run: Run = machine.apply(Event.UPGRADE)
    assert decisions(run)["index"] is Decision.BLOCKED
    check("4-apply", plan_text.run(run, columns=80), machine)
    check("5-status", status(machine), machine)
    for id_ in ("timeout", "reader-settings", "cache", "old-sheets"):
        check(f"6-status-{id_}", status(machine, id_), machine)
