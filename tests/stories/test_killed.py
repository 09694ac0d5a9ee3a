"""A run that is killed at any of its system calls is finished by the next one, as if nothing had happened.

The points are found by tracing an undisturbed run. After each kill a user changes what a `once` has delivered, if the
ledger says that it has; the run after it must leave that alone.
"""

import io
import json
import multiprocessing
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from converge.cli import app
from tests.machine import snapshot
from tests.real import flatpakrepo
from tests.stories import killed_machines, killing
from tests.stories.killed_machines import Scene
from tests.stories.killing import Call, counted, evenly

LEDGERS = ("etc/converge/ledger", "var/lib/converge/ledger")
MACHINE_LEDGER = LEDGERS[1]
USERS = "the user's\n"

Tree = dict[str, tuple[object, ...]]

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("strace"), reason="needs root, for its files have several owners, and strace"
)


@frozen
class Played:
    """A scene, its machine after an undisturbed run, and the calls of that run."""

    scene: Scene
    end: Path
    calls: tuple[Call, ...]


@pytest.fixture(scope="module")
def crew() -> Iterator[ProcessPoolExecutor]:
    """As many processes as processors; they have converge imported, so that finishing a run costs no start."""
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def installing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    if not all(map(shutil.which, ("flatpak", "ostree", "gpg", "bwrap"))):
        pytest.skip("needs flatpak")
    folder = tmp_path_factory.mktemp("install")
    with flatpakrepo.signing_key() as key:
        flatpakrepo.build(folder / "repo", ["org.example.Hello"], **flatpakrepo.sign_with(key))
        with flatpakrepo.serve(folder / "repo") as server:
            yield play(killed_machines.to_install(folder, server.url, key.public))


def play(scene: Scene) -> Played:
    end = scratch_copy(scene.machine.root, scene.machine.root.parent)
    calls = killing.trace(command(scene, end), end)
    return Played(scene, end, tuple(calls))


def scratch_copy(root: Path, folder: Path) -> Path:
    copy = Path(tempfile.mkdtemp(dir=folder), "root")
    subprocess.run(["cp", "-a", str(root), str(copy)], check=True)
    return copy


def command(scene: Scene, root: Path) -> list[str]:
    event = scene.event if not _has_event(root) else None
    return killing.apply(scene.machine.manifest, root, *(("--event", event) if event else ()))


def _has_event(root: Path) -> bool:
    """Whether the machine's ledger knows by itself why the next run is."""
    texts = [read(root / f"{MACHINE_LEDGER}.{kind}") for kind in ("json", "journal")]
    return '"opened": {' in texts[0] or '"op":"open"' in texts[1]


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def finish(scene: Scene, root: Path) -> None:
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = app.run(command(scene, root)[3:])
    assert code == 0, said.getvalue()


def delivered(root: Path, id_: str) -> bool:
    """Whether a ledger says in any way that a resource is done; read without converge's own code."""
    for name in LEDGERS:
        entries = json.loads(read(root / f"{name}.json") or "{}").get("entries", {})
        if entries.get(id_, {}).get("status") == "done":
            return True
        records = [json.loads(line.partition(" ")[2]) for line in read(root / f"{name}.journal").splitlines()]
        if any(each["op"] == "entry" and each["entry"]["id"] == id_ for each in records):
            return True
    return False


def live_on(scene: Scene, root: Path) -> list[str]:
    """A user changes what every `once` has delivered; returns the files."""
    changed = [path for id_, path in scene.once.items() if delivered(root, id_)]
    for path in changed:
        (root / path).write_text(USERS)
    return changed


def remembered(text: bytes) -> Any:
    """A ledger without what another run may have otherwise: times, and how often it was written."""
    ledger = json.loads(text)
    runs = [{key: value for key, value in run.items() if key != "time"} for run in ledger["runs"]]
    return {**ledger, "runs": runs, "generation": None}


def state(root: Path) -> Tree:
    tree = snapshot(root)
    for path in (f"{name}.json" for name in LEDGERS):
        if path in tree:
            *attributes, text = tree[path]
            tree[path] = (*attributes, remembered(text))  # type: ignore[arg-type]  # a file's bytes
    return tree


@cache
def undisturbed(end: Path) -> Tree:
    return state(end)


def differences(played: Played, root: Path, changed: Sequence[str]) -> list[str]:
    wanted, found = dict(undisturbed(played.end)), state(root)
    for path in changed:
        *attributes, _ = wanted[path]
        wanted[path] = (*attributes, USERS.encode())
    return [
        f"{path}: {found.get(path)} instead of {wanted.get(path)}"
        for path in sorted({*wanted, *found})
        if wanted.get(path) != found.get(path)
    ]


def killed_once(played: Played, position: int) -> list[str]:
    """Kill at a call, live on, finish; what is then otherwise than it should be."""
    scene, call = played.scene, played.calls[position]
    root = scratch_copy(scene.machine.root, scene.machine.root.parent)
    try:
        calls = killing.kill(command(scene, root), root, call)
        if [each.what for each in calls] != [each.what for each in played.calls[: position + 1]]:
            return [f"{call}: was killed elsewhere, at {calls[-1:]}"]
        changed = live_on(scene, root)
        finish(scene, root)
        return [f"killed at {call.what}: {each}" for each in differences(played, root, changed)]
    finally:
        shutil.rmtree(root.parent)


def killed_twice(played: Played, count: int, position: int) -> list[str]:
    """Kill at a call, and the run that resumes at `count` of its own; what is then otherwise than it should be."""
    scene, call = played.scene, played.calls[position]
    folder = scene.machine.root.parent
    killed = scratch_copy(scene.machine.root, folder)
    killing.kill(command(scene, killed), killed, call)
    resumed = scratch_copy(killed, folder)
    problems = []
    for second in evenly(killing.trace(command(scene, resumed), resumed), count):
        root = scratch_copy(killed, folder)
        killing.kill(command(scene, root), root, second)
        changed = live_on(scene, root)
        finish(scene, root)
        found = differences(played, root, changed)
        problems += [f"killed at {call.what}, then at {second.what}: {each}" for each in found]
        shutil.rmtree(root.parent)
    return problems


def all_of(
    crew: ProcessPoolExecutor, task: Callable[[int], list[str]], positions: Sequence[int]
) -> list[str]:
    return [problem for problems in crew.map(task, positions) for problem in problems]


def show(problems: list[str]) -> str:
    return "\n".join([f"{len(problems)} differences", *problems[:20]])


@pytest.fixture(scope="module")
def adopting(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(killed_machines.to_adopt(tmp_path_factory.mktemp("adopt")))


@pytest.fixture(scope="module")
def upgrading(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(killed_machines.to_upgrade(tmp_path_factory.mktemp("upgrade")))


@pytest.mark.parametrize("name", ["adopting", "upgrading", "installing"])
def test_a_run_killed_anywhere_is_finished_by_the_next(
    name: str, crew: ProcessPoolExecutor, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    played: Played = request.getfixturevalue(name)
    with capsys.disabled():
        print(f"\n{name}: killed at {len(played.calls)} points: {counted(played.calls)}")
    problems = all_of(crew, partial(killed_once, played), range(len(played.calls)))
    assert not problems, show(problems)
