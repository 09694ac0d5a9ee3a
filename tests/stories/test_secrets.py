"""A secret is never shown by any verb or format, and stays only in the files that need it, whatever goes wrong."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from converge.cli import app
from converge.cli import apply as apply_verb
from converge.engine.plan import Planner
from converge.errors import ExitCode
from converge.language import schema
from converge.providers import registry as providers
from tests.machine import Machine
from tests.programs import put_programs
from tests.stories import killing
from tests.stories.hunting import Hunt, forms

ENTRY_POINTS = "[converge.providers]\nwhisper = tests.stories.third_party.whisper\n"
FORMATS = ("text", "json", "github", "sarif", "junit")
PROFILE = "/etc/NetworkManager/system-connections/Desk.nmconnection"

PSK, PHRASE, THEIRS = "correct horse+battery/1", 'f1rst "quoted" \\ phrase', "what its user typed in"
"""In the network's profile, in the output of a program, and the value that a user puts in place of the first."""

WIFI = """
    desk:
      type: network-connection
      apply: always
      with: {name: Desk, type: wifi, ssid: Desk, security: wpa2-psk, psk: "{{ psk }}"}
"""
TALKATIVE: Mapping[str, str] = {
    "whisper": """
    whisper:
      type: whisper
      apply: once
      with: {secret: "{{ phrase }}", fault: "FAULT"}
""",
    "command": """
    command:
      type: command
      apply: once
      with:
        argv:
          - sh
          - -c
          - |
            echo "on stdout: $SECRET, and so on"
            echo "on stderr: $SECRET" >&2
            test "FAULT" != program && touch /var/done
        secrets: {SECRET: "{{ phrase }}"}
        creates: /var/done
        domain: machine
""",
}
"""Resources that give a secret to a program that prints it; with a FAULT of `program` that program fails."""

Converge = Callable[..., int]


@pytest.fixture(params=TALKATIVE)
def talkative(request: pytest.FixtureRequest) -> str:
    return TALKATIVE[request.param]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    package = tmp_path / "packages" / "whisper-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: whisper\nVersion: 1\n")
    (package / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.delenv("CONVERGE_DEBUG", raising=False)
    providers.load.cache_clear()
    schema.find.cache_clear()
    yield Machine.make(tmp_path)
    providers.load.cache_clear()
    schema.find.cache_clear()


@pytest.fixture
def hunt(machine: Machine, tmp_path: Path) -> Hunt:
    out = tmp_path / "out"
    out.mkdir()
    return Hunt((PSK, PHRASE), [machine.root, out])


@pytest.fixture
def converge(machine: Machine, hunt: Hunt, capfd: pytest.CaptureFixture[str]) -> Converge:
    """Run a verb, on the machine unless it is one for manifests; the hunt records its output."""

    def run(*words: str) -> int:
        on_machine = () if words[0] in ("validate", "explain") else ("--root", str(machine.root))
        code = app.run([*words, *on_machine])
        printed = capfd.readouterr()
        hunt.record(" ".join(words[:2]), printed.out + printed.err)
        return code

    return run


def declare(machine: Machine, resources: str, **faults: str) -> None:
    if "type: command" in resources and not machine.path("/bin").exists():
        put_programs(machine.root)
    text = resources.replace("FAULT", faults.get("fault", ""))
    machine.declare(text, parameters="psk: {type: secret}\nphrase: {type: secret}")


def put_site(machine: Machine, psk: str = PSK) -> None:
    write_site(machine, f"parameters: {{psk: {json.dumps(psk)}, phrase: {json.dumps(PHRASE)}}}\n")


def write_site(machine: Machine, text: str) -> None:
    site = machine.path("/etc/converge/site.yaml")
    site.parent.mkdir(exist_ok=True)
    site.write_text(text)
    site.chmod(0o600)


def holds_psk(machine: Machine, psk: str = PSK) -> bool:
    return f"psk={psk}\n" in machine.path(PROFILE).read_text()


def test_hunt_finds_a_secret_in_each_place_and_form(tmp_path: Path) -> None:
    """In any of the places and forms that are searched."""
    (tmp_path / "folder").mkdir()
    for number, form in enumerate(forms(PSK)):
        (tmp_path / "folder" / str(number)).write_bytes(b"\x00before " + form + b" after")
    hunt = Hunt((PSK, PHRASE), [tmp_path])
    hunt.record("a verb", f"  psk: {PSK}")
    hunt.record("another", json.dumps({"phrase": PHRASE}))
    assert len(hunt.found()) == 2 + len(forms(PSK))


def test_verbs_and_formats_show_no_secret(
    machine: Machine, hunt: Hunt, converge: Converge, talkative: str, tmp_path: Path
) -> None:
    declare(machine, WIFI + talkative)
    put_site(machine)
    manifest, out = str(machine.manifest), tmp_path / "out"
    for form in FORMATS:
        assert converge("validate", manifest, "--format", form, "--json-into", str(out / "validated")) == ExitCode.OK
    for form in ("text", "json"):
        assert converge("plan", manifest, "--format", form, "--verbose", "--color", "always") == ExitCode.OK
    assert converge("plan", manifest, "--out", str(out / "plan"), "--json-into", str(out / "planned")) == ExitCode.OK
    assert converge("apply", str(out / "plan"), "--verbose", "--json-into", str(out / "applied")) == ExitCode.OK
    assert holds_psk(machine)
    for form in ("text", "json"):
        for words in (
            ("apply", manifest, "--verbose"),
            ("plan", manifest, "--verbose"),
            ("status", manifest, "--verbose"),
            ("facts",),
            ("explain", "network-connection"),
            ("explain", "network-connection.psk"),
            ("ledger", "show"),
        ):
            assert converge(*words, "--format", form) == ExitCode.OK
    for id_ in [id_ for id_ in ("desk", *TALKATIVE) if f"{id_}:" in machine.manifest.read_text()]:
        assert converge("ledger", "forget", id_) == ExitCode.OK
        converge("ledger", "baseline", id_, manifest)
    converge("ledger", "show", "--format", "json")
    assert hunt.found() == []


def test_secret_of_the_command_line_is_not_shown(
    machine: Machine, hunt: Hunt, converge: Converge, talkative: str, tmp_path: Path
) -> None:
    declare(machine, WIFI + talkative)
    manifest, set_ = str(machine.manifest), ("--set", f"psk={PSK}", "--set", f"phrase={PHRASE}")
    for form in ("text", "json"):
        for verb in ("plan", "apply", "status"):
            assert converge(verb, manifest, "--format", form, "--verbose", *set_) == ExitCode.OK
    assert holds_psk(machine)
    assert converge("plan", manifest, "--out", str(tmp_path / "out/plan"), *set_) == ExitCode.USAGE
    assert converge("ledger", "baseline", "desk", manifest, *set_) == ExitCode.ERROR
    assert converge("plan", manifest, "--set", PSK) == ExitCode.USAGE
    assert converge("plan", manifest, "--set", f"={PSK}") == ExitCode.USAGE
    assert converge("plan", manifest, "--set", f"pks={PSK}") == ExitCode.INVALID
    assert hunt.found() == []


def test_former_secret_and_users_secret_are_not_shown_or_kept(machine: Machine, hunt: Hunt, converge: Converge) -> None:
    declare(machine, WIFI)
    write_site(machine, f"parameters: {{psk: {json.dumps('the former one')}, phrase: x}}\n")
    hunt.secrets = (*hunt.secrets, "the former one", THEIRS)
    manifest = str(machine.manifest)
    assert converge("apply", manifest) == ExitCode.OK
    profile = machine.path(PROFILE)
    profile.write_text(profile.read_text().replace("the former one", THEIRS))
    for form in ("text", "json"):
        assert converge("status", manifest, "--format", form) == ExitCode.DRIFT
        assert converge("plan", manifest, "--format", form) == ExitCode.OK
    write_site(machine, f"parameters: {{psk: {json.dumps(PSK)}, phrase: x}}\n")
    for form in ("text", "json"):
        assert converge("apply", manifest, "--format", form, "--verbose") == ExitCode.OK
        assert converge("ledger", "show", "--format", form) == ExitCode.OK
    assert holds_psk(machine)
    assert not machine.path("/var/lib/converge/store").exists()
    assert hunt.found() == []


@pytest.mark.parametrize("form", ["text", "json"])
def test_failed_program_that_prints_a_secret_does_not_show_it(
    machine: Machine, hunt: Hunt, converge: Converge, talkative: str, form: str, tmp_path: Path
) -> None:
    declare(machine, WIFI + talkative, fault="program")
    put_site(machine)
    manifest, into = str(machine.manifest), str(tmp_path / "out/applied")
    assert converge("apply", manifest, "--format", form, "--json-into", into, "--verbose") == ExitCode.FAILED
    assert "(secret)" in hunt.outputs[-1][1]
    assert converge("status", manifest, "--verbose", "--format", form) == ExitCode.FAILED
    for words in (("ledger", "show"), ("plan", manifest, "--verbose")):
        assert converge(*words, "--format", form) == ExitCode.OK
    assert hunt.found() == []


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_shows_no_secret(
    machine: Machine,
    hunt: Hunt,
    converge: Converge,
    talkative: str,
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declare(machine, talkative)
    put_site(machine)
    monkeypatch.setattr(apply_verb, "SLOW", 0)
    monkeypatch.setattr(apply_verb, "REPEAT", 0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert converge("apply", str(machine.manifest)) == ExitCode.OK
    assert "on stdout: (secret), and so on" in hunt.outputs[-1][1]
    assert hunt.found() == []


def test_bug_of_a_provider_shows_no_secret(machine: Machine, hunt: Hunt, converge: Converge) -> None:
    declare(machine, TALKATIVE["whisper"], fault="provider")
    put_site(machine)
    for form in ("text", "json"):
        assert converge("apply", str(machine.manifest), "--format", form) == ExitCode.FAILED
        assert "KeyError at " in hunt.outputs[-1][1]
    assert converge("ledger", "show") == ExitCode.OK
    assert hunt.found() == []


@pytest.mark.parametrize("verb", ["plan", "apply", "status"])
def test_bug_of_converge_shows_no_secret(
    machine: Machine, hunt: Hunt, converge: Converge, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(machine, WIFI)
    put_site(machine)

    def plan(planner: Planner, product: object) -> None:
        raise KeyError(planner, product, PSK)

    monkeypatch.setattr(Planner, "plan", plan)
    assert converge(verb, str(machine.manifest)) == ExitCode.ERROR
    assert "this is a bug in converge, please report it: KeyError at " in hunt.outputs[-1][1]
    assert hunt.found() == []


BROKEN = [
    "parameters: {psk: SECRET",
    'parameters: {psk: "SECRET\\q", phrase: x}',
    "parameters:\n  psk: !SECRET x",
    "parameters:\n  psk: {{ SECRET }}",
    "parameters:\n  psk: [SECRET]",
    "parameters:\n  psk: 12345678.25",
    "parameters:\n  psk: 1234567825",
    "parameters:\n  psk SECRET",
    "parameters: {psk: SECRET, phrase: x}\nresources: {}",
    "parameters: {psk: SECRET, phrase: x, phrasse: SECRET}",
    "parameters: {psk: SECRET, phrase: x}\noverride: {desk: {with: {psk: SECRET, identity: SECRET}}}",
]


@pytest.mark.parametrize("text", BROKEN)
def test_error_on_the_line_of_a_secret_does_not_show_it(
    machine: Machine, hunt: Hunt, converge: Converge, text: str, tmp_path: Path
) -> None:
    declare(machine, WIFI)
    write_site(machine, text.replace("SECRET", "hunter2-hunter2") + "\n")
    hunt.secrets = ("hunter2-hunter2", "1234567")
    for form in ("text", "json"):
        for verb in ("plan", "apply", "status"):
            into = str(tmp_path / "out/into")
            words = (str(machine.manifest), "--format", form, "--json-into", into)
            assert converge(verb, *words) == ExitCode.INVALID
    for form in FORMATS:
        converge("validate", str(machine.path("/etc/converge/site.yaml")), "--format", form)
    assert hunt.found() == []


WRITTEN_OUT = [
    "psk: hunter2-hunter2",
    "psk: 1234567825",
    "psk: [hunter2-hunter2]",
    "pks: hunter2-hunter2",
    'psk: "hunter2-hunter2{{ os.id }}"',
    "psk: \"{{ 'hunter2-hunter2' }}\"",
]


@pytest.mark.parametrize("written", WRITTEN_OUT)
def test_secret_written_in_a_manifest_is_not_shown(
    machine: Machine, hunt: Hunt, converge: Converge, written: str
) -> None:
    machine.declare(
        f"desk: {{type: network-connection, apply: always, with: {{name: D, type: wifi, ssid: D, {written}}}}}"
    )
    hunt.secrets = ("hunter2-hunter2", "1234567")
    for form in FORMATS:
        assert converge("validate", str(machine.manifest), "--format", form) == ExitCode.INVALID
    for verb in ("plan", "apply", "status"):
        assert converge(verb, str(machine.manifest)) == ExitCode.INVALID
    assert hunt.found() == []


def test_site_that_others_can_read_gets_a_warning(machine: Machine, hunt: Hunt, converge: Converge) -> None:
    declare(machine, WIFI)
    put_site(machine)
    site = machine.path("/etc/converge/site.yaml")
    warning = f"warning[exposed-secret]: {site} contains secrets, and users other than root can read it"
    assert converge("plan", str(machine.manifest)) == ExitCode.OK
    assert "warning" not in hunt.outputs[-1][1]
    site.chmod(0o640)
    for verb in ("plan", "apply"):
        assert converge(verb, str(machine.manifest)) == ExitCode.OK
        assert warning in hunt.outputs[-1][1]
        assert f"chmod 0600 {site}" in hunt.outputs[-1][1]
    write_site(machine, "parameters: {phrase: x}\n")
    site.chmod(0o640)
    assert converge("plan", str(machine.manifest), "--set", f"psk={PSK}") == ExitCode.OK
    assert warning in hunt.outputs[-1][1]
    write_site(machine, "")
    site.chmod(0o644)
    assert converge("plan", str(machine.manifest), "--set", f"psk={PSK}", "--set", "phrase=x") == ExitCode.OK
    assert "warning" not in hunt.outputs[-1][1]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("strace"), reason="needs root and strace")
def test_killed_run_leaves_no_secret(machine: Machine, hunt: Hunt, tmp_path: Path) -> None:
    """At any of its system calls; files next to a profile are as private as the profile (`ALLOWED` has the folder)."""
    declare(machine, WIFI + TALKATIVE["whisper"])
    put_site(machine)
    words = ("apply", str(machine.manifest), "--event", "upgrade", "--root")
    scratch = tmp_path / "killed" / "root"

    def renewed() -> Path:
        shutil.rmtree(scratch.parent, ignore_errors=True)
        shutil.copytree(machine.root, scratch, symlinks=True)
        return scratch

    calls = killing.trace([*words, str(renewed())], scratch)
    assert len(calls) > 20
    for call in killing.evenly(calls, 24):
        killing.kill([*words, str(renewed())], scratch, call)
        for left in (scratch / PROFILE.lstrip("/")).parent.glob(".*"):
            assert left.stat().st_mode & 0o777 == 0o600
        hunt.places = [scratch, scratch.with_name("output")]
        assert hunt.found() == [], call
