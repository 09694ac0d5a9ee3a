import stat
import subprocess
import sys
from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.model import Secret
from converge.system import CommandTimeout, ReadOnlySystem, System
from converge.system.secrets import KEY, is_digest

DIGEST = """
import sys
from converge.model import Secret
from converge.system import ReadOnlySystem
print(ReadOnlySystem(sys.argv[1]).secret_digest(Secret(sys.argv[2])))
"""


def key_of(root: Path) -> Path:
    return root / KEY.lstrip("/")


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {{'a': {secret}}}"
    assert (secret.reveal(), secret == Secret("hunter2"), secret == Secret("other")) == ("hunter2", True, False)


def test_the_key_is_made_once_and_only_root_can_read_it(root: Path, system: System) -> None:
    digest = system.secret_digest(Secret("hunter2"))
    assert is_digest(digest)
    assert not key_of(root).exists()  # nothing has been remembered yet
    system.keep_secret_key()
    key = key_of(root).read_bytes()
    assert stat.S_IMODE(key_of(root).stat().st_mode) == 0o600
    assert len(key) == 32
    System(str(root)).keep_secret_key()
    again = System(str(root))
    assert again.secret_digest(Secret("hunter2")) == digest
    again.keep_secret_key()
    assert key_of(root).read_bytes() == key


def test_without_a_secret_there_is_no_key(root: Path, system: System) -> None:
    system.keep_secret_key()
    assert not key_of(root).exists()


def test_looking_leaves_no_key_behind(root: Path, system: System) -> None:
    assert is_digest(system.read_only().secret_digest(Secret("hunter2")))
    assert not key_of(root).parent.exists()


def test_one_run_has_one_key_before_it_is_saved_and_after(system: System) -> None:
    planned = system.read_only().secret_digest(Secret("hunter2"))
    assert system.secret_digest(Secret("hunter2")) == planned
    system.keep_secret_key()
    assert ReadOnlySystem(system.root).secret_digest(Secret("hunter2")) == planned


def test_digests_are_equal_on_one_machine_only(root: Path, tmp_path: Path) -> None:
    system, other = System(str(root)), tmp_path / "other"
    other.mkdir()
    digest = system.secret_digest(Secret("hunter2"))
    system.keep_secret_key()

    def digest_of(root: Path, secret: str) -> str:
        argv = [sys.executable, "-c", DIGEST, str(root), secret]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    assert (digest_of(root, "hunter2"), digest_of(root, "hunter3") == digest) == (digest, False)
    assert digest_of(other, "hunter2") not in (digest, digest_of(other, "hunter2"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("secret:" + "0a" * 32, True), ("secret:" + "0a" * 31, False), ("(secret)", False), (None, False), (["x"], False)],
)
def test_what_is_a_digest(value: object, expected: bool) -> None:
    assert is_digest(value) is expected


CLEARED = [
    (["hunter2"], "hunter2", "(secret)"),
    (["hunter2"], "a hunter2 b hunter2hunter2 c", "a (secret) b (secret) c"),
    (["hunter"], "hunter2", "(secret)2"),
    (["hunter", "hunter2"], "hunter2", "(secret)"),
    (["abcdef", "defghi"], "abcdefghi", "(secret)"),
    (["abcdef", "defghi"], "xdefghiabcdefx", "x(secret)x"),
    (["aa"], "baaaab", "b(secret)b"),
    (["secret"], "the secret", "the (secret)"),
    (["a", "b"], "cabba", "c(secret)"),
    (["hunter2"], "", ""),
    ([], "hunter2", "hunter2"),
    (["first line\nsecond line\n}"], "> second line\n> }", "> (secret)\n> }"),
    (['tab\tq"uote\\'], '{"a": "tab\\tq\\"uote\\\\"}', '{"a": "(secret)"}'),
    (["Grüße an alle"], '"Gr\\u00fc\\u00dfe an alle"', '"(secret)"'),
    (["correct horse"], "Y29ycmVjdCBob3JzZQ== 636f727265637420686f727365", "(secret)== (secret)"),
    (["correct horse"], "636F727265637420686F727365", "(secret)"),
    (["ab"], "6162 YWI", "6162 YWI"),  # what is this short stands there by chance
]


@pytest.mark.parametrize(("secrets", "text", "expected"), CLEARED)
def test_what_a_program_says_is_cleared_of_secrets(root: Path, secrets: list[str], text: str, expected: str) -> None:
    system = ReadOnlySystem(str(root))
    for secret in secrets:
        system.meet(Secret(secret))
    assert system._left_out(text) == expected


def test_a_program_is_given_secrets_and_tells_none(system: System) -> None:
    printed: list[str] = []
    script = 'cat; echo; echo "$PASSWORD is it" >&2; echo "$PASSWORD"'
    done = system.run(
        ["sh", "-c", script],
        environment={"PASSWORD": Secret("hunter2")},
        stdin=Secret("from stdin"),
        on_output=printed.append,
    )
    assert (done.stdout, done.stderr) == ("(secret)\n(secret)\n", "(secret) is it\n")
    assert sorted(printed) == ["(secret)", "(secret)", "(secret) is it"]
    digested = system.run(["echo", "hunter3"])
    assert digested.stdout == "hunter3\n"
    system.secret_digest(Secret("hunter3"))
    assert system.query(["echo", "hunter3"]).stdout == "(secret)\n"


def test_neither_does_a_command_line_nor_an_error(system: System) -> None:
    system.secret_digest(Secret("hunter2"))
    failed = system.run(["sh", "-c", "echo hunter2; exit 3"])
    assert failed.argv == ("sh", "-c", "echo (secret); exit 3")
    with pytest.raises(ProviderError, match=r"failed with code 3: \(secret\)$"):
        failed.require()
    with pytest.raises(CommandTimeout) as late:
        system.run(["sh", "-c", "sleep 9 # hunter2"], timeout=0.1)
    with pytest.raises(ProviderError) as missing:
        system.run(["hunter2"])
    assert "hunter2" not in f"{late.value.message} {missing.value.message}"
