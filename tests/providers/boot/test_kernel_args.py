from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Decision, Domain, Event
from converge.providers.boot import kernel_args
from converge.system import System
from tests.machine import Machine, decisions, outcomes, reasons
from tests.real.converging import acting, changes_of, converge, state_of, take_back

CMDLINE = "etc/kernel/cmdline"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc/kernel").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def after(root: Path, system: System, before: str, **params: Any) -> str:
    """The command line after the parameters are applied; undoing them leads back to the same state."""
    (root / CMDLINE).write_text(before + "\n")
    state = state_of(kernel_args, system, **params)
    converge(kernel_args, system, **params)
    done = (root / CMDLINE).read_text().rstrip("\n")
    take_back(kernel_args, system, state, **params)
    return done


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"append": ["debug"]}, "root=LABEL=a ro quiet console=tty0 console=ttyS0 debug"),
        ({"append": ["console=tty1"]}, "root=LABEL=a ro quiet console=tty0 console=ttyS0 console=tty1"),
        ({"append": ["console=tty0", "quiet"]}, "root=LABEL=a ro quiet console=tty0 console=ttyS0"),
        ({"append": ["a=b c"]}, 'root=LABEL=a ro quiet console=tty0 console=ttyS0 a="b c"'),
        ({"append": ['"a=b c"', "d="]}, 'root=LABEL=a ro quiet console=tty0 console=ttyS0 a="b c" d='),
        ({"delete": ["quiet", "nomodeset"]}, "root=LABEL=a ro console=tty0 console=ttyS0"),
        ({"delete": ["console"]}, "root=LABEL=a ro quiet"),
        ({"delete": ["console=ttyS0"]}, "root=LABEL=a ro quiet console=tty0"),
        ({"replace": {"console": "ttyS0"}}, "root=LABEL=a ro quiet console=ttyS0"),
        ({"replace": {"console": ["ttyS0", "tty0"]}}, "root=LABEL=a ro quiet console=ttyS0 console=tty0"),
        ({"replace": {"loglevel": "3", "quiet": ""}}, "root=LABEL=a ro quiet= console=tty0 console=ttyS0 loglevel=3"),
        ({"append": ["console=tty1"], "delete": ["console=tty0"]}, "root=LABEL=a ro quiet console=ttyS0 console=tty1"),
    ],
)
def test_command_line_is_changed_as_declared(root: Path, system: System, params: dict[str, Any], expected: str) -> None:
    assert after(root, system, "root=LABEL=a ro quiet console=tty0 console=ttyS0", **params) == expected


def test_arguments_are_planned_one_by_one(root: Path, system: System) -> None:
    (root / CMDLINE).write_text("quiet nomodeset=1 nomodeset\n")
    found = changes_of(kernel_args, system, append=["quiet", "debug"], delete=["nomodeset", "x=1"])
    assert found == (
        Change("arguments", {"quiet": True, "debug": None, "x=1": None}, {"quiet": True, "debug": True, "x=1": None}),
        Change("keys", {"nomodeset": "nomodeset=1 nomodeset"}, {"nomodeset": None}),
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "no parameter set: give at least one of append, delete, replace"),
        ({"append": []}, "no parameter set"),
        ({"append": ["ostree=/ostree/boot.0/x"]}, "ostree= cannot be changed: ostree itself sets it"),
        ({"delete": ["ostree"]}, "ostree= cannot be changed"),
        ({"replace": {"ostree": "x"}}, "ostree= cannot be changed"),
        ({"delete": ["root"]}, "root= cannot be changed: the machine would not boot"),
        ({"delete": ["root=LABEL=a"]}, "root= cannot be changed"),
        ({"replace": {"root": "LABEL=b"}}, "root= cannot be changed"),
        ({"append": ["quiet splash"]}, "'quiet splash' is not a kernel argument"),
        ({"append": [""]}, "'' is not a kernel argument"),
        ({"append": ["=1"]}, "'=1' is not a kernel argument"),
        ({"append": ["--"]}, "'--' is not a kernel argument"),
        ({"append": ["a=b\nc"]}, "is not a kernel argument"),
        ({"append": ['a="b']}, "is not a kernel argument"),
        ({"append": ['a=b"c d"']}, "is not a kernel argument"),
        ({"append": ["quiet"], "delete": ["quiet"]}, "'quiet' is declared in two ways"),
        ({"append": ["console=tty0"], "delete": ["console"]}, "'console' is declared in two ways"),
        ({"append": ["console=tty0"], "replace": {"console": "tty1"}}, "'console' is declared in two ways"),
        ({"delete": ["a-b"], "replace": {"a_b": "1"}}, "'a-b' is declared in two ways"),
        ({"append": ["a=1"], "delete": ["a=1"]}, "'a=1' is declared twice"),
        ({"append": ["a-b", "a_b"]}, "'a-b' is declared twice"),
    ],
)
def test_contradictory_parameters_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError) as caught:
        kernel_args.parse(params)
    assert message in caught.value.message
    assert caught.value.hint


def test_root_is_appended_only_if_missing(root: Path, system: System) -> None:
    assert after(root, system, "quiet", append=["root=LABEL=a"]) == "quiet root=LABEL=a"
    assert after(root, system, "root=LABEL=a", append=["root=LABEL=a"]) == "root=LABEL=a"
    (root / CMDLINE).write_text("root=LABEL=b\n")
    with pytest.raises(
        ProviderError, match="the machine boots with root=LABEL=b, and would not boot with root=LABEL=a"
    ):
        changes_of(kernel_args, system, append=["root=LABEL=a"])


def test_arguments_belong_to_deployment(system: System) -> None:
    spec = kernel_args.parse({"append": ["quiet"]})
    assert set(acting(kernel_args).domains(system, spec).values()) == {Domain.DEPLOYMENT}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine.make(tmp_path / "machine")
    machine.path(f"/{CMDLINE}").parent.mkdir()
    return machine


def given(machine: Machine, text: str) -> None:
    machine.path(f"/{CMDLINE}").write_text(text + "\n")


def command_line(machine: Machine) -> str:
    return machine.path(f"/{CMDLINE}").read_text().rstrip("\n")


RESOURCE = """
it:
  type: kernel-args
  apply: always
  on_user_change: {on_user_change}
  with: {{append: [debug], replace: {{console: tty0}}}}
"""


def test_change_of_user_with_keep_is_kept(machine: Machine) -> None:
    machine.declare(RESOURCE.format(on_user_change="keep"))
    given(machine, "ro")
    machine.apply(Event.INSTALL)
    assert command_line(machine) == "ro debug console=tty0"
    given(machine, "ro console=ttyS0")
    kept = machine.apply()
    assert decisions(kept)["it"] is Decision.KEEP
    assert "changed by the user (arguments, keys); on_user_change: keep" in reasons(kept)["it"]
    assert command_line(machine) == "ro console=ttyS0"


def test_change_of_user_with_overwrite_is_overwritten(machine: Machine) -> None:
    machine.declare(RESOURCE.format(on_user_change="overwrite"))
    given(machine, "ro")
    machine.apply(Event.INSTALL)
    given(machine, "ro console=ttyS0")
    run = machine.apply()
    assert "overwrites a user's change (arguments, keys)" in reasons(run)["it"]
    assert command_line(machine) == "ro console=tty0 debug"


def test_existing_arguments_are_replaced_on_adoption(machine: Machine) -> None:
    machine.declare(RESOURCE.format(on_user_change="overwrite"))
    given(machine, "ro console=ttyS0 debug")
    plan = machine.plan()
    assert "adopted: replaces what was found (keys)" in reasons(plan)["it"]
    machine.declare(RESOURCE.format(on_user_change="keep"))
    machine.apply()
    assert command_line(machine) == "ro console=ttyS0 debug"


def test_resources_with_different_arguments_do_not_conflict(machine: Machine) -> None:
    machine.declare(
        """
        one: {type: kernel-args, apply: once, with: {append: [console=tty0]}}
        other: {type: kernel-args, apply: once, with: {append: [console=ttyS0], delete: [quiet]}}
        """
    )
    given(machine, "ro quiet")
    assert outcomes(machine.apply(Event.INSTALL)) == {"one": "changed", "other": "changed"}
    assert command_line(machine) == "ro console=tty0 console=ttyS0"


@pytest.mark.parametrize("other", ["delete: [console]", "delete: [console=tty0]", "replace: {console: ttyS0}"])
def test_resources_with_contradictory_arguments_both_fail(machine: Machine, other: str) -> None:
    machine.declare(
        f"""
        one: {{type: kernel-args, apply: once, with: {{append: [console=tty0]}}}}
        other: {{type: kernel-args, apply: once, with: {{{other}, append: [debug]}}}}
        """
    )
    given(machine, "ro console=tty1")
    run = machine.apply(Event.INSTALL)
    assert outcomes(run) == {"one": "failed", "other": "failed"}
    assert "'other' wants another value for " in reasons(run)["one"]
    assert ": change one of them, or its `when`" in reasons(run)["one"]
    assert command_line(machine) == "ro console=tty1"


def test_missing_place_fails_with_a_hint(machine: Machine) -> None:
    machine.declare("it: {type: kernel-args, apply: once, with: {append: [debug]}}")
    run = machine.apply(Event.INSTALL)
    assert outcomes(run) == {"it": "failed"}
    expected = "/etc/kernel/cmdline and /etc/default/grub are missing (on a system with systemd-boot"
    assert expected in reasons(run)["it"]


def test_grub_on_root_that_does_not_run_is_owed(machine: Machine) -> None:
    machine.path("/etc/default").mkdir()
    machine.path("/etc/default/grub").write_text("GRUB_CMDLINE_LINUX=quiet\n")
    machine.path("/boot/grub").mkdir(parents=True)
    machine.path("/boot/grub/grub.cfg").write_text("# It is automatically generated by grub-mkconfig\n")
    machine.declare("it: {type: kernel-args, apply: once, with: {append: [debug]}}")
    run = machine.apply(Event.INSTALL)
    assert outcomes(run) == {"it": "owed"}
    assert "only the running system can generate /boot/grub/grub.cfg" in reasons(run)["it"]
    assert machine.path("/etc/default/grub").read_text() == "GRUB_CMDLINE_LINUX=quiet\n"
