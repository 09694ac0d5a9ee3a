"""Specimens of `command`: with each of the guards, already done, and with its own environment."""

from typing import Any

from converge.model import Secret
from converge.system import System
from tests.laws.workshop import Workshop
from tests.programs import put_programs


def creates(system: System, workshop: Workshop) -> dict[str, Any]:  # noqa: ARG001  (the same for all specimens)
    put_programs(system.root)
    return {"argv": ["mkdir", "-p", "/var/lib/made"], "domain": "machine", "creates": "/var/lib/made"}


def creates_existing_path(system: System, workshop: Workshop) -> dict[str, Any]:
    system.make_folder("/var/lib/made")
    return creates(system, workshop)


def unless(system: System, workshop: Workshop) -> dict[str, Any]:  # noqa: ARG001  (the same for all specimens)
    put_programs(system.root)
    system.write("/etc/list", b"old\n")
    return {
        "argv": ["sed", "-i", "s/old/new/", "/etc/list"],
        "domain": "deployment",
        "unless": ["grep", "-q", "new", "/etc/list"],
    }


def unless_already_met(system: System, workshop: Workshop) -> dict[str, Any]:
    params = unless(system, workshop)
    system.write("/etc/list", b"new\n")
    return params


def either_guard(system: System, workshop: Workshop) -> dict[str, Any]:
    return {**unless(system, workshop), "creates": "/etc/never-made"}


def with_own_environment(system: System, workshop: Workshop) -> dict[str, Any]:  # noqa: ARG001  (the same for all)
    put_programs(system.root)
    system.make_folder("/var/work")
    return {
        "argv": ["sh", "-c", 'cat >"$NAME"; echo "$TOKEN" >>"$NAME"'],
        "domain": "machine",
        "creates": "/var/work/made",
        "cwd": "/var/work",
        "environment": {"NAME": "made"},
        "secrets": {"TOKEN": Secret("correct horse")},
        "stdin": "given\n",
        "network": True,
    }


def following(system: System, workshop: Workshop) -> dict[str, Any]:  # noqa: ARG001  (the same for all specimens)
    """No followed resource has changed; `tests/stories/test_command.py` tests a change."""
    put_programs(system.root)
    return {"argv": ["touch", "/var/ran"], "domain": "machine", "after_change": ["other"]}


SPECIMENS = (creates, creates_existing_path, unless, unless_already_met, either_guard, with_own_environment, following)
