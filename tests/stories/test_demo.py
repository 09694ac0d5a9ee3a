"""The demo shows each of its points on a line of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stories.demo import NO_FLATPAK

REPOSITORY = Path(__file__).parent.parent.parent

POINTS = (
    "the installation exits 0",
    "plan --detailed-exitcode exits 2 before",
    "plan --detailed-exitcode exits 0 after",
    "the second apply exits 0",
    "the second apply changes nothing on the machine",
    "she changed a file's mode",
    "the upgrade exits 0",
    "install-only things are untouched",
    "the collection ID is on the old remote of the OS too",
    "the school's setting is back",
    "the permission fix ran where the fault was",
    "the permission fix ran only there",
    "the permission fix ran once",
    "the new installation never ran the permission fix",
)
FLATPAK_POINTS = (
    "the installation exits 0",
    "its apps are there",
    "she removed an app",
    "she changed a remote's title",
    "the removed app stays removed",
    "the user's title of the remote stays",
    "one app has replaced another",
    "the collection ID is on the old remote",
    "flatpak update works with it, over http",
)


def demo(**environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "tests.stories.demo"]
    environment = {**os.environ, **environment}
    return subprocess.run(argv, cwd=REPOSITORY, env=environment, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def printed() -> str:
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def has_point(printed: str, point: str) -> bool:
    return any(line == f"[ok] {point}" or line.startswith(f"[ok] {point}: ") for line in printed.splitlines())


@pytest.mark.parametrize("point", POINTS)
def test_each_point_has_a_line(printed: str, point: str) -> None:
    assert has_point(printed, point)


@pytest.mark.parametrize("point", FLATPAK_POINTS)
def test_each_point_about_flatpaks_has_a_line(printed: str, point: str) -> None:
    if NO_FLATPAK in printed:
        pytest.skip("flatpak does not run here")
    assert has_point(printed, point)


def test_every_command_is_printed_before_its_output(printed: str) -> None:
    assert (
        "\n$ converge plan school --root machine --event upgrade --out upgrade.plan\nMeadow OS School edition"
        in printed
    )


def test_the_second_apply_counts_no_changes(printed: str) -> None:
    again = printed.partition("Applying it again changes nothing")[2]
    assert again.partition("Applied: ")[2].startswith("0 added, 0 changed, 0 removed; 0 kept, 0 owed, ")


def test_demo_runs_without_flatpak_too() -> None:
    done = demo(PATH="/nowhere")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(NO_FLATPAK)
    assert [point for point in POINTS if not has_point(done.stdout, point)] == []
