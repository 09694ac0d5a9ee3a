"""A run that is killed at any of its system calls is finished by the next one, as if nothing had happened.

The points are found by tracing an undisturbed run. After each kill a user changes what a `once` has delivered, if the
ledger says that it has; the run after it must leave that alone.
"""

import fcntl
import io
import json
import multiprocessing
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from attrs import frozen

from converge.cli import app
from tests.machine import snapshot
from tests.real import flatpakrepo
from tests.stories import killed_machines as scenes
from tests.stories import killing
from tests.stories.killed_machines import Scene
from tests.stories.killing import Call, counted, evenly

LEDGERS = ("etc/converge/ledger", "var/lib/converge/ledger")
MACHINE_LEDGER = LEDGERS[1]
USERS = "the user's\n"

TWICE = {"adopting": (5, 4), "upgrading": (6, 5), "following": (4, 4), "installing": (3, 4)}
"""The number of points at which the first run is killed, and the one after it."""
WITHIN = 10
FLATPAKS_SCRATCH = tuple(f"var/lib/flatpak/{name}" for name in (".removed", "lock", "repo-lock", "repo/tmp/"))

_T = TypeVar("_T")
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
    """As many processes as processors, all with the same hash seed: they act in the same order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", "0")
        with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
            yield pool


@pytest.fixture(scope="module")
def adopting(crew: ProcessPoolExecutor, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return crew.submit(play, scenes.to_adopt(tmp_path_factory.mktemp("adopt"))).result()


@pytest.fixture(scope="module")
def upgrading(crew: ProcessPoolExecutor, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return crew.submit(play, scenes.to_upgrade(tmp_path_factory.mktemp("upgrade"))).result()


@pytest.fixture(scope="module")
def following(crew: ProcessPoolExecutor, tmp_path_factory: pytest.TempPathFactory) -> Played:
    if not shutil.which("bwrap"):
        pytest.skip("needs bubblewrap")
    return crew.submit(play, scenes.to_follow(tmp_path_factory.mktemp("follow"))).result()


@pytest.fixture(scope="module")
def installing(crew: ProcessPoolExecutor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The app comes from a repository that is served as long as the tests of this file run."""
    if not all(map(shutil.which, ("flatpak", "ostree", "gpg", "bwrap"))):
        pytest.skip("needs flatpak")
    folder = tmp_path_factory.mktemp("install")
    with flatpakrepo.signing_key() as key:
        flatpakrepo.build(folder / "repo", ["org.example.Hello"], **flatpakrepo.sign_with(key))
        with flatpakrepo.serve(folder / "repo") as server:
            yield crew.submit(play, scenes.to_install(folder, server.url, key.public)).result()


def play(scene: Scene) -> Played:
    end = copy_of(scene.machine.root, scene)
    calls = killing.trace(command(scene, end), end)
    return Played(scene, end, tuple(calls))


def copy_of(root: Path, scene: Scene) -> Path:
    """In a folder of its own."""
    copy = Path(tempfile.mkdtemp(dir=scene.machine.root.parent), "root")
    subprocess.run(["cp", "-a", str(root), str(copy)], check=True)
    return copy


def command(scene: Scene, root: Path) -> list[str]:
    """The first run gets the event; once the machine's ledger knows it, another run finds it there."""
    options = ["--event", scene.event] if scene.event and not _knows_event(root) else []
    return ["apply", str(scene.machine.manifest), "--root", str(root), *options]


def _knows_event(root: Path) -> bool:
    ledger, journal = (read(root / f"{MACHINE_LEDGER}.{kind}") for kind in ("json", "journal"))
    return '"opened": {' in ledger or '"op":"open"' in journal


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def come_to_rest(root: Path) -> None:
    """Wait until no process of a killed run holds the lock any more."""
    with open(root / "run/converge.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def finish(scene: Scene, root: Path) -> None:
    """Run to the end."""
    come_to_rest(root)
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        code = app.run(command(scene, root))
    assert code == 0, output.getvalue()


def delivered(root: Path, id_: str) -> bool:
    """Whether a ledger has a resource as done in any way; read without converge's own code."""
    for name in LEDGERS:
        entries = json.loads(read(root / f"{name}.json") or "{}").get("entries", {})
        records = [json.loads(line.partition(" ")[2]) for line in read(root / f"{name}.journal").splitlines()]
        entries |= {record["entry"]["id"]: record["entry"] for record in records if record["op"] == "entry"}
        if entries.get(id_, {}).get("status") == "done":
            return True
    return False


def live_on(scene: Scene, root: Path) -> list[str]:
    """Change the files of every `once`, as a user would; returns them."""
    changed = [path for id_, path in scene.once.items() if delivered(root, id_)]
    for path in changed:
        (root / path).write_text(USERS)
    return changed


def state(root: Path, again: frozenset[str]) -> Tree:
    """Everything, the ledgers value by value; without flatpak's scratch files, which are left to flatpak.

    How often something was done that may be done `again` is left out too.
    """
    tree = {path: found for path, found in snapshot(root).items() if not path.startswith(FLATPAKS_SCRATCH)}
    for path in (f"{name}.json" for name in LEDGERS):
        if path in tree:
            tree[path] = tree[path][:-1]
            ledger = json.loads(read(root / path))
            for run in ledger["runs"]:
                run["changes"] = [change for change in run["changes"] if change["id"] not in again]
            tree |= {f"{path} {name}": (value,) for name, value in values(ledger)}
    return tree


def values(json_: Any, name: str = "") -> Iterator[tuple[str, object]]:
    """The content of a ledger, without times and the number of writes."""
    items = list(enumerate(json_) if isinstance(json_, list) else json_.items() if isinstance(json_, dict) else ())
    if not items:
        yield name, json_
    for key, value in items:
        if key not in ("time", "generation"):
            yield from values(value, f"{name}/{key}")


@cache
def undisturbed(end: Path, again: frozenset[str]) -> Tree:
    return state(end, again)


def differences(played: Played, root: Path, changed: Sequence[str]) -> list[str]:
    """The differences from the undisturbed run, except the user's changes."""
    again = played.scene.again
    wanted, found = dict(undisturbed(played.end, again)), state(root, again)
    wanted |= {path: (*wanted[path][:-1], USERS.encode()) for path in changed}
    paths = [path for path in sorted({*wanted, *found}) if wanted.get(path) != found.get(path)]
    return [f"{path}: {found.get(path)} instead of {wanted.get(path)}" for path in paths]


def recovered(played: Played, root: Path) -> list[str]:
    """Use a machine on after a kill, and finish the run; returns the wrong differences."""
    changed = live_on(played.scene, root)
    finish(played.scene, root)
    found = differences(played, root, changed)
    shutil.rmtree(root.parent)
    return found


def killed_once(played: Played, position: int) -> list[str]:
    root, call = copy_of(played.scene.machine.root, played.scene), played.calls[position]
    calls = killing.kill(command(played.scene, root), root, call)
    if [each.what for each in calls] != [each.what for each in played.calls[: position + 1]]:
        return [f"to be killed at {call}, was killed elsewhere: {calls[-1:]}"]
    return [f"killed at {call.what}: {each}" for each in recovered(played, root)]


def killed_twice(played: Played, count: int, position: int) -> list[str]:
    """Kill the run that resumes too, at `count` of its calls."""
    scene, call = played.scene, played.calls[position]
    killed = copy_of(scene.machine.root, scene)
    killing.kill(command(scene, killed), killed, call)
    come_to_rest(killed)
    resumed = copy_of(killed, scene)
    problems = []
    for second in evenly(killing.trace(command(scene, resumed), resumed), count):
        root = copy_of(killed, scene)
        killing.kill(command(scene, root), root, second)
        problems += [f"killed at {call.what}, then at {second.what}: {each}" for each in recovered(played, root)]
    return problems


def killed_within(played: Played, call: Call) -> list[str]:
    """Kill converge in the middle of flatpak's work."""
    root = copy_of(played.scene.machine.root, played.scene)
    killing.kill_within(command(played.scene, root), call)
    return [f"killed at {call.name} {call.nth} of flatpak: {each}" for each in recovered(played, root)]


def problems_of(crew: ProcessPoolExecutor, task: Callable[[_T], list[str]], tasks: Iterable[_T]) -> str:
    found = [problem for problems in crew.map(task, tasks) for problem in problems]
    return "\n".join([f"{len(found)} differences", *found[:20]]) if found else ""


def test_the_machines_have_something_to_lose(
    adopting: Played, upgrading: Played, following: Played, installing: Played
) -> None:
    """The results of the undisturbed runs, to compare the others with."""
    statuses = {
        "adopting": {"removed-before": "baselined", "owned": "done", "etc": "done", "var": "done"},
        "upgrading": dict.fromkeys(
            ("kept", "poster", "scans", "added", "os-collection", "defaults", "cache", "old-settings"), "done"
        ),
        "following": {"list": "done", "compiled": "done", "numbered": "done"},
        "installing": {"motd": "done", "apps": "done", "hello": "done", "later": "done"},
    }
    for played, wanted in zip((adopting, upgrading, following, installing), statuses.values(), strict=True):
        found = {id_: entry["status"] for id_, entry in entries(played.end).items()}
        assert found == found | wanted
        once = [change["id"] for run in runs(played.end) for change in run["changes"]]
        assert len(once) == len(set(once)) > 0
    assert read(adopting.end / "etc/owned") == read(upgrading.end / "etc/kept") == "the user's"
    assert read(following.end / "etc/numbered") == "1:second\n"
    assert {entry["event"] for entry in entries(installing.end).values()} == {"install"}
    assert {entry["adopting"] for entry in entries(adopting.end).values()} == {True}


def entries(root: Path) -> dict[str, Any]:
    return {id_: entry for name in LEDGERS for id_, entry in json.loads(read(root / f"{name}.json"))["entries"].items()}


def runs(root: Path) -> list[Any]:
    """Those of the last OS version."""
    found = [run for name in LEDGERS for run in json.loads(read(root / f"{name}.json"))["runs"]]
    return [run for run in found if run["version"] == found[-1]["version"]]


MACHINES = pytest.mark.parametrize("machine", ["adopting", "upgrading", "following", "installing"])


@MACHINES
def test_a_run_killed_anywhere_is_finished_by_the_next(
    machine: str, crew: ProcessPoolExecutor, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    played: Played = request.getfixturevalue(machine)
    with capsys.disabled():
        print(f"\n{machine}, killed at {len(played.calls)} points: {counted(played.calls)}")
    problems = problems_of(crew, partial(killed_once, played), range(len(played.calls)))
    assert not problems, problems


@MACHINES
def test_run_killed_again_when_resumed_is_finished_by_the_next(
    machine: str, crew: ProcessPoolExecutor, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    played: Played = request.getfixturevalue(machine)
    first, second = TWICE[machine]
    with capsys.disabled():
        print(f"\n{machine}, killed at {first} points, and the run after that at {second} points")
    positions = evenly(range(len(played.calls)), first)
    problems = problems_of(crew, partial(killed_twice, played, second), positions)
    assert not problems, problems


def test_run_killed_during_flatpaks_work_is_finished_by_the_next(
    installing: Played, crew: ProcessPoolExecutor, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = installing.scene
    root = copy_of(scene.machine.root, scene)
    calls = evenly(crew.submit(killing.renames_within, command(scene, root)).result(), WITHIN)
    assert calls
    with capsys.disabled():
        print(f"\ninstalling, killed at {len(calls)} points within flatpak: {counted(calls)}")
    problems = problems_of(crew, partial(killed_within, installing), calls)
    assert not problems, problems
