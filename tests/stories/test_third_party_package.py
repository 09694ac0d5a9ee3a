"""A package of a third party, installed with pip, whose type is used from the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.machine import Machine

TOP = Path(__file__).parents[2]
PACKAGE = Path(__file__).parent / "third_party_package"
BUILD = ("--no-build-isolation", "--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check")

Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(find_spec("hatchling") is None, reason="needs hatchling, which builds the package")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the package and of its metadata, as in any environment's site-packages."""
    target = tmp_path_factory.mktemp("site-packages")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action=ignore", *BUILD]
    subprocess.run([*pip, "--target", str(target), str(PACKAGE)], check=True, capture_output=True, text=True)
    return target


@pytest.fixture
def converge(installed: Path) -> Run:
    """The command, in a process of its own that finds the package."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TOP), str(installed))), "NO_COLOR": "1"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "converge", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine.make(tmp_path)
    machine.declare(NOTICE)
    return machine


NOTICE = """
hours:
  type: notice
  apply: always
  with: {name: 20-hours, text: "Open from 8 to 16."}
"""


def steps(printed: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(printed)["steps"]
    return found


def test_nothing_is_left_in_its_sources(installed: Path) -> None:
    assert (installed / "converge_notice/notice.json").exists()
    assert sorted(path.name for path in PACKAGE.iterdir()) == ["converge_notice", "laws_of_notice.py", "pyproject.toml"]


def test_its_type_is_listed_and_explained_with_its_schema(converge: Run) -> None:
    printed = converge("explain").stdout
    assert "Resource types of other packages\n  notice  A notice above the login prompt.\n" in printed
    assert json.loads(converge("explain", "--format", "json").stdout)["types"]["notice"]
    printed = converge("explain", "notice").stdout
    assert printed.startswith("notice: A notice above the login prompt.\n")
    assert "on_user_change: keep" in printed
    assert converge("explain", "notice.name").stdout.startswith("notice.name  text, required\n")


def test_misspelt_type_gets_a_hint_with_its_name(converge: Run, machine: Machine) -> None:
    assert converge("explain", "notise").stderr.endswith("hint: did you mean 'notice'?\n")
    machine.declare(NOTICE.replace("type: notice", "type: notise"))
    done = converge("validate", str(machine.manifest))
    assert done.returncode == 65
    assert "error[unknown-type]: there is no resource type 'notise'" in done.stdout
    assert "did you mean 'notice'?" in done.stdout


def test_manifest_is_validated_by_its_schema_and_its_provider(converge: Run, machine: Machine) -> None:
    assert converge("validate", str(machine.manifest)).returncode == 0
    machine.declare(NOTICE.replace("text:", "txet:").replace("20-hours", "Hours"))
    done = converge("validate", str(machine.manifest))
    assert done.returncode == 65
    assert "error[unknown-parameter]: notice has no parameter 'txet'" in done.stdout
    assert "did you mean 'text'?" in done.stdout
    assert "'name' must be small letters, digits and '-', not 'Hours'" in done.stdout
    machine.declare(NOTICE.replace("Open", r"\\\\n"))
    done = converge("validate", str(machine.manifest))
    assert "error[bad-parameters]: the text of a notice must not contain a backslash" in done.stdout


def test_type_is_planned_applied_and_maintained(converge: Run, machine: Machine) -> None:
    words = (str(machine.manifest), "--root", str(machine.root))
    (step,) = steps(converge("plan", *words, "--event", "install", "--format", "json").stdout)
    assert (step["type"], step["action"], step["domains"]) == ("notice", "add", ["deployment"])
    done = converge("apply", *words, "--event", "install")
    assert done.stdout.endswith("Applied: 1 added, 0 changed, 0 removed; 0 kept, 0 owed, 0 in place, 0 failed.\n")
    notice = machine.path("/etc/issue.d/20-hours.issue")
    assert notice.read_text() == "Open from 8 to 16.\n"
    (step,) = steps(converge("apply", *words, "--format", "json").stdout)
    assert (step["decision"], step["outcome"]) == ("in-place", "unchanged")
    notice.write_text("Closed.\n")
    assert converge("status", *words).returncode == 0
    assert steps(converge("apply", *words, "--format", "json").stdout)[0]["decision"] == "keep"
    assert notice.read_text() == "Closed.\n"


def test_its_laws_are_run_by_its_own_tests(installed: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TOP), str(installed)))}
    words = ["-q", "--noconftest", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", os.devnull]
    command = [sys.executable, "-m", "pytest", *words, str(PACKAGE / "laws_of_notice.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=installed)
    assert (done.returncode, "36 passed" in done.stdout) == (0, True), done.stdout


def test_without_the_package_its_type_is_unknown(machine: Machine) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    command = [sys.executable, "-m", "converge", "validate", str(machine.manifest)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "there is no resource type 'notice'" in done.stdout) == (65, True)
