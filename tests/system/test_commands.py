"""Commands: bounded in time and output, nothing left of them, and under a foreign root nowhere to write but in it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.system import CommandTimeout, System
from converge.system.commands import OUTPUT_LIMIT
from tests.programs import put_programs

LIVE = System("/")


@pytest.fixture(params=["live", "foreign"])
def either(request: pytest.FixtureRequest, system: System) -> System:
    return LIVE if request.param == "live" else system


def alive(marker: str) -> bool:
    """Whether a process has the marker among its arguments."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if marker.encode() in path.read_bytes().split(b"\0"):
                return True
    return False


def wait_until_gone(marker: str) -> bool:
    deadline = time.monotonic() + 10
    while alive(marker) and time.monotonic() < deadline:
        os.sched_yield()
    return not alive(marker)


def test_a_command_is_run_as_it_stands(either: System) -> None:
    done = either.run(["sh", "-c", 'echo "$@"; echo odd >&2; exit 3', "sh", "a  b", "$HOME;*"])
    assert (done.returncode, done.stdout, done.stderr, done.ok) == (3, "a  b $HOME;*\n", "odd\n", False)
    with pytest.raises(ProviderError, match="failed with code 3: odd"):
        done.require()
    assert either.query(["true"]).require().ok


def test_the_environment_is_fixed(either: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_NOT", "x")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    names = {line.partition("=")[0] for line in either.run(["env"]).stdout.splitlines()}
    assert names - {"PWD", "_", "SHLVL"} == {"HOME", "LC_ALL", "PATH"}
    home = either.run(["sh", "-c", 'touch "$HOME/x" && rm "$HOME/x" && pwd'])
    assert (home.stdout, home.stderr) == ("/\n", "")


def test_a_missing_program_is_an_error_with_its_remedy(either: System) -> None:
    with pytest.raises(ProviderError, match="the program 'no-such-program' is missing") as caught:
        either.run(["no-such-program"])
    assert caught.value.hint


def test_nothing_outlives_the_time_limit(either: System) -> None:
    seconds = f"7{os.getpid()}"
    with pytest.raises(CommandTimeout, match=r"took longer than 0\.2 seconds"):
        either.run(["sh", "-c", f"sleep {seconds} & sleep {seconds}"], timeout=0.2)
    assert wait_until_gone(seconds)


def test_what_ignores_a_polite_request_is_killed(system: System) -> None:
    started = time.monotonic()
    with pytest.raises(CommandTimeout):
        system.run(["sh", "-c", "trap '' TERM; while :; do :; done"], timeout=0.2)
    assert time.monotonic() - started < 30


def test_a_daemon_left_behind_holds_up_nobody() -> None:
    seconds = f"8{os.getpid()}"
    done = LIVE.run(["sh", "-c", f"sleep {seconds} & echo done"], timeout=20)
    assert done.stdout == "done\n"
    assert wait_until_gone(seconds)


KILLED = """
import sys
from converge.system import System
root, seconds = sys.argv[1:]
System(root).run(["sh", "-c", "echo up; exec sleep " + seconds], on_output=lambda line: print(line, flush=True))
"""


@pytest.mark.parametrize("kind", ["live", "foreign"])
def test_a_command_dies_with_a_killed_run(root: Path, kind: str) -> None:
    seconds = f"9{os.getpid()}"
    command = [sys.executable, "-c", KILLED, "/" if kind == "live" else str(root), seconds]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as run:
        assert run.stdout
        assert run.stdout.readline() == b"up\n"
        run.send_signal(signal.SIGKILL)
    assert wait_until_gone(seconds)


def test_output_comes_line_by_line_and_at_carriage_returns(either: System) -> None:
    lines: list[str] = []
    done = either.run(["printf", "10%%\\r20%%\\r\\nlast"], on_output=lines.append)
    assert lines == ["10%", "20%", "last"]
    assert done.stdout == "10%\r20%\r\nlast"


def test_output_has_a_limit(system: System) -> None:
    done = system.run(["head", "-c", str(OUTPUT_LIMIT + 100_000), "/dev/zero"])
    assert len(done.stdout) == OUTPUT_LIMIT


def test_a_question_gets_no_answer(either: System) -> None:
    assert not either.run(["sh", "-c", "read answer"], timeout=10).ok


def mounts(system: System, run: str) -> list[tuple[str, str, str]]:
    """Where it is mounted, ro or rw, and the kind of file system, for every mount that a command sees."""
    show = ["cat", "/proc/self/mountinfo"]
    listing = system.run(show) if run == "run" else system.query(show)
    rows = [line.split() for line in listing.require().stdout.splitlines()]
    return [(row[4], row[5].split(",")[0], row[row.index("-") + 1]) for row in rows]


@pytest.mark.parametrize(("run", "roots"), [("run", {"/var", "/boot", "/etc/ostree"}), ("query", set())])
def test_nothing_but_the_root_can_be_written(root: Path, system: System, run: str, roots: set[str]) -> None:
    for name in ("boot", "etc/ostree"):
        (root / name).mkdir()
    private = {"/proc", "/dev", "/run", "/tmp", "/sys"}
    found = [
        path
        for path, mode, _ in mounts(system, run)
        if mode == "rw" and not any(f"{path}/".startswith(f"{folder}/") for folder in private)
    ]
    assert set(found) == roots
    assert all(mode == "ro" for path, mode, _ in mounts(system, run) if path == "/")
    kinds = {path: kind for path, _, kind in mounts(system, run) if path in {"/run", "/tmp", "/dev"}}
    assert kinds == {"/run": "tmpfs", "/tmp": "tmpfs", "/dev": "tmpfs"}


def test_commands_see_the_roots_data_and_the_hosts_programs(tmp_path: Path, root: Path, system: System) -> None:
    (root / "etc/flatpak").mkdir()
    (root / "etc/flatpak/mine").touch()
    (tmp_path / "elsewhere").mkdir()
    script = "ls /etc/flatpak; echo x > /var/made; test -e /etc/passwd; ls -A /etc/ostree; touch /etc/ostree/x"
    done = system.run(["sh", "-c", script])
    assert done.stdout == "mine\n"
    assert "Read-only file system" in done.stderr
    assert (root / "var/made").read_text() == "x\n"


def test_a_var_that_is_a_link_resolves_inside(tmp_path: Path, root: Path, system: System) -> None:
    (tmp_path / "host").mkdir()
    (root / "var").rmdir()
    (root / "var").symlink_to(tmp_path / "host")
    system.run(["touch", "/var/made"]).require()
    assert os.listdir(root / str(tmp_path).lstrip("/") / "host") == ["made"]
    assert os.listdir(tmp_path / "host") == []


def test_a_root_without_var_gets_one_when_it_is_changed(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    bare = System(str(tmp_path / "bare"))
    assert bare.query(["ls", "-A", "/var"]).require().stdout == ""
    assert os.listdir(tmp_path / "bare") == []
    bare.run(["touch", "/var/made"]).require()
    assert os.listdir(tmp_path / "bare/var") == ["made"]


HOST = ("/var/lib/flatpak", "/etc/flatpak", "/var/tmp", "/root/.cache", "/root/.local", "/etc/ostree", "/run/flatpak")


def host_state() -> list[tuple[str, int, int]]:
    """Each path where flatpak might leave something on the host, with its change time (ns) and size."""
    return [
        (path, found.st_ctime_ns, found.st_size)
        for top in HOST
        for folder, _, names in os.walk(top)
        for path in (folder, *(os.path.join(folder, name) for name in names))
        for found in [os.lstat(path)]
    ]


@pytest.mark.skipif(shutil.which("flatpak") is None, reason="flatpak is not installed")
def test_real_flatpak_changes_the_root_and_not_the_host(root: Path, system: System) -> None:
    before = host_state()
    repo = "/var/repo"
    system.run(["ostree", "init", f"--repo={repo}", "--mode=archive"]).require()
    metadata = f"[Application]\nname=org.example.App\nruntime=org.example.Platform/{os.uname().machine}/1\n"
    system.write("/var/build/metadata", metadata.encode())
    system.make_folder("/var/build/files")
    system.make_folder("/var/build/export")
    system.run(["flatpak", "build-export", "--disable-sandbox", repo, "/var/build", "stable"]).require()
    add = ["flatpak", "--system", "remote-add", "--no-gpg-verify", "local", f"file://{repo}"]
    system.run(add).require()
    install = ["flatpak", "--system", "install", "-y", "--noninteractive", "--no-deps", "--no-related", "local"]
    system.run([*install, "org.example.App//stable"]).require()
    listed = system.query(["flatpak", "--system", "list", "--columns=application,origin"]).require()
    assert listed.stdout.split() == ["org.example.App", "local"]
    assert (root / "var/lib/flatpak/app/org.example.App/current/active/metadata").exists()
    assert host_state() == before


def test_program_starts_in_the_given_folder(tmp_path: Path, root: Path, system: System) -> None:
    put_programs(root)
    (root / "var/work").mkdir()
    (root / "var/link").symlink_to("/var/work")
    system.run(["touch", "made"], view="inside", cwd="/var/link").require()
    LIVE.run(["touch", "made"], cwd=str(tmp_path)).require()
    assert (os.listdir(root / "var/work"), (tmp_path / "made").exists()) == (["made"], True)
    for each in (system, LIVE):
        with pytest.raises(ProviderError, match="the working folder /var/no-such-folder is missing"):
            each.run(["touch", "made"], view="inside", cwd="/var/no-such-folder")


def test_file_that_is_not_a_program_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("echo x\n")
    (tmp_path / "script").chmod(0o755)
    with pytest.raises(ProviderError, match=r"cannot run '.*script': Exec format error") as caught:
        LIVE.run([str(tmp_path / "script")])
    assert caught.value.hint


@pytest.fixture
def inhabited(root: Path) -> Path:
    """The root, with programs and the folders that a running system has."""
    put_programs(root)
    for name in ("proc", "dev", "sys", "run", "tmp"):
        (root / name).mkdir(exist_ok=True)
    return root


ENTERING = """
set -e
echo given >"$2/given" 2>/dev/null && exit 1
cat "$2/given"
test ! -e "$3"
echo x >"$1/tmp/scratch"
chroot "$1" sh -c 'cat /tmp/scratch; test -e /proc/self && echo x >/dev/null && echo x >/run/scratch; echo x >/var/made'
"""


def test_a_root_that_is_entered_is_all_that_can_be_written(tmp_path: Path, inhabited: Path, system: System) -> None:
    for name in ("given", "hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "given").write_text("read\n")
    words = ["sh", "-c", ENTERING, "sh", "{root}", str(tmp_path / "given"), str(tmp_path / "hidden")]
    done = system.run(words, view="entered", reads=[str(tmp_path / "given")])
    assert (done.returncode, done.stdout) == (0, "read\nx\n"), done.stderr
    assert (inhabited / "var/made").read_text() == "x\n"
    assert os.listdir(inhabited / "tmp") == os.listdir(inhabited / "run") == []
    (inhabited / "var/made").unlink()
    asked = system.query(words, view="entered", reads=[str(tmp_path / "given")])
    assert "Read-only file system" in asked.stderr
    assert not (inhabited / "var/made").exists()


def test_on_the_live_root_the_root_that_is_entered_is_the_root() -> None:
    assert LIVE.query(["echo", "{root}"], view="entered").stdout == "/\n"
