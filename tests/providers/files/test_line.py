from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.files import line
from converge.providers.protocol import fields_of
from converge.system import System
from converge.system.store import address_of
from tests.real.converging import acting, changes_of, converge, state_of, take_back

PORT = r"^#?Port\s"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "root/etc/app.conf"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def system(path: Path) -> System:
    return System(str(path.parents[1]))


def params(**more: Any) -> dict[str, Any]:
    return {"path": "/etc/app.conf", **more}


@pytest.mark.parametrize(
    ("before", "more", "after"),
    [
        (b"a\nb\n", {"line": "c"}, b"a\nb\nc\n"),
        (b"a\nb\n", {"line": "a"}, b"a\nb\n"),
        (b"a\nb", {"line": "c"}, b"a\nb\nc"),
        (b"", {"line": "c"}, b"c\n"),
        (b"a\r\nb\r\n", {"line": "c"}, b"a\r\nb\r\nc\r\n"),
        (b"a\r\nb\r\n", {"line": "a"}, b"a\r\nb\r\n"),
        (b"\xff\na \n", {"line": "a"}, b"\xff\na \na\n"),
        (b"a\nb\na\n", {"line": "x", "after": "a"}, b"a\nb\na\nx\n"),
        (b"a\nb\na\nb", {"line": "x", "before": "a"}, b"a\nb\nx\na\nb"),
        (b"a\nb\n", {"line": "x", "before": "BOF"}, b"x\na\nb\n"),
        (b"a\nb\n", {"line": "x", "after": "EOF"}, b"a\nb\nx\n"),
        (b"a\nb\n", {"line": "x", "before": "c"}, b"a\nb\nx\n"),
        (b"a\nb\n", {"line": "x", "after": "c"}, b"a\nb\nx\n"),
        (b"#Port 1\nx\nPort 2\nPorts\n", {"line": "Port 3", "pattern": PORT}, b"#Port 1\nx\nPort 3\nPorts\n"),
        (b"Port 3\n#Port 1\n", {"line": "Port 3", "pattern": PORT}, b"Port 3\nPort 3\n"),
        (b"#Port 1\nPort 3\n", {"line": "Port 3", "pattern": PORT}, b"#Port 1\nPort 3\n"),
        (b"x\n", {"line": "Port 3", "pattern": PORT, "after": "x"}, b"x\nPort 3\n"),
        (b"port 1\r\nx", {"line": "no match", "pattern": "^port"}, b"no match\r\nx"),
        (b"a\n\xffb\n", {"line": "c", "pattern": "b$"}, b"a\nc\n"),
        (b"a\nb\na", {"line": "a", "ensure": "absent"}, b"b"),
        (b"a\nb\n#a\n", {"line": "b", "pattern": "^#", "ensure": "absent"}, b"a\n"),
        (b"a\n\xff\n", {"pattern": "[^a]", "ensure": "absent"}, b"a\n"),
        (b"a\n", {"line": "b", "ensure": "absent"}, b"a\n"),
    ],
)
def test_file_changed_as_expected_and_restored_by_undo(
    path: Path, system: System, before: bytes, more: dict[str, Any], after: bytes
) -> None:
    path.write_bytes(before)
    state = state_of(line, system, **params(**more))
    converge(line, system, **params(**more))
    assert path.read_bytes() == after
    take_back(line, system, state, **params(**more))
    assert path.read_bytes() == before


def test_changes_show_line_before_and_after(path: Path, system: System) -> None:
    path.write_text("Port 1\nx\n#Port 2\n")
    assert changes_of(line, system, **params(line="Port 3", pattern=PORT)) == (Change("line", "#Port 2", "Port 3"),)
    ensure, text = changes_of(line, system, **params(line="y"))
    assert (ensure, text) == (Change("ensure", "absent", "present"), Change("line", None, "y"))
    ensure, text, record = changes_of(line, system, **params(pattern=PORT, ensure="absent"))
    assert (ensure, text) == (Change("ensure", "present", "absent"), Change("line", "#Port 2", None))
    assert (str(record.before).partition(":")[0], record.after) == ("lines 1,3", None)


def test_present_line_writes_nothing(path: Path, system: System) -> None:
    path.write_text("a\n")
    before = path.stat()
    assert converge(line, system, **params(line="a")) == ()
    assert path.stat() == before


def test_mode_and_owner_kept(path: Path, system: System) -> None:
    path.write_text("a\n")
    path.chmod(0o4640)
    converge(line, system, **params(line="b"))
    assert path.stat().st_mode & 0o7777 == 0o4640


def test_missing_file_made_only_with_create(path: Path, system: System) -> None:
    with pytest.raises(ProviderError, match=r"/etc/app\.conf does not exist") as raised:
        changes_of(line, system, **params(line="a"))
    assert "create: true" in str(raised.value.hint)
    before = state_of(line, system, **params(line="a", create=True))
    converge(line, system, **params(line="a", create=True))
    assert (path.read_text(), path.stat().st_mode & 0o7777) == ("a\n", 0o644)
    take_back(line, system, before, **params(line="a", create=True))
    assert not path.exists()


def test_made_file_with_other_lines_kept_by_undo(path: Path, system: System) -> None:
    spec = line.parse(params(line="a", create=True))
    before = fields_of(line.inspect(system, spec))
    converge(line, system, **params(line="a", create=True))
    path.write_text("a\nmine\n")
    line.apply(system, spec, tuple(Change(name, None, value) for name, value in before.items()))
    assert path.read_text() == "mine\n"


def test_missing_file_counts_as_absent_line(path: Path, system: System) -> None:
    assert changes_of(line, system, **params(line="a", ensure="absent")) == ()
    converge(line, system, **params(line="a", ensure="absent"))
    assert not path.exists()


def test_file_removed_during_run_not_made_again(path: Path, system: System) -> None:
    path.write_text("a\n")
    changes = changes_of(line, system, **params(line="b"))
    path.unlink()
    with pytest.raises(ProviderError, match=r"/etc/app\.conf was removed during the run"):
        line.apply(system, line.parse(params(line="b")), changes)
    assert not path.exists()


def test_removed_lines_restored_once_between_added_ones(path: Path, system: System) -> None:
    given = params(pattern="^[ab]", ensure="absent")
    path.write_text("a\nx\nb\ny\n")
    before = state_of(line, system, **given)
    converge(line, system, **given)
    path.write_text("x\ny\nz\n")
    back = tuple(Change(name, None, value) for name, value in before.items())
    for _ in range(2):
        line.apply(system, line.parse(given), back)
        assert path.read_text() == "a\nx\nb\ny\nz\n"


def test_long_text_kept_as_address_and_restored(path: Path, system: System) -> None:
    old, new = "key=" + "o" * 300, "key=" + "n" * 300
    path.write_text(f"{old}\n")
    (change,) = converge(line, system, **params(line=new, pattern="^key="))
    assert (change.before, change.after) == (address_of(old.encode()), address_of(new.encode()))
    line.apply(system, line.parse(params(line=new, pattern="^key=")), (change.inverse(),))
    assert path.read_text() == f"{old}\n"


def test_text_like_an_address_is_text(path: Path, system: System) -> None:
    text = address_of(b"something else")
    path.write_text(f"{text}\n")
    (change,) = converge(line, system, **params(line="a", pattern="^sha256"))
    line.apply(system, line.parse(params(line="a")), (change.inverse(),))
    assert path.read_text() == f"{text}\n"


def test_link_followed_and_kept(path: Path, system: System) -> None:
    (path.parent / "real").write_text("a\n")
    path.symlink_to("/etc/real")
    converge(line, system, **params(line="b"))
    assert path.is_symlink()
    assert (path.parent / "real").read_text() == "a\nb\n"


def test_path_that_is_not_a_file_refused(path: Path, system: System) -> None:
    path.mkdir()
    with pytest.raises(ProviderError, match="is not a regular file"):
        changes_of(line, system, **params(line="a", create=True))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "`line` is required unless"),
        ({"pattern": "a"}, "`line` is required unless"),
        ({"ensure": "absent"}, "`line` is required unless"),
        ({"line": "a\n"}, "`line` contains a line break"),
        ({"line": "a\rb"}, "`line` contains a line break"),
        ({"line": "a", "before": "b", "after": "c"}, "before and after exclude each other"),
        ({"line": "a", "pattern": "("}, r"'\(' is not a regular expression: missing \), unterminated subpattern"),
        ({"line": "a", "after": "*"}, "is not a regular expression: nothing to repeat"),
        ({"line": "a", "path": "etc/a"}, "is not an absolute path"),
    ],
)
def test_invalid_parameters_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        line.parse(params(**more))


def test_each_line_is_own_thing_named_by_its_pattern() -> None:
    def things(**more: Any) -> set[str]:
        return {claim.thing.recorded for claim in acting(line).claims(line.parse(params(**more)))}

    assert things(line="a") != things(line="b")
    assert things(line="a", pattern="x") == things(line="b", pattern="x") == things(pattern="x", ensure="absent")


def test_domain_is_that_of_file(system: System) -> None:
    assert set(acting(line).domains(system, line.parse(params(line="a"))).values()) == {Domain.DEPLOYMENT}
    elsewhere = line.parse({"path": "/var/lib/app", "line": "a"})
    assert set(acting(line).domains(system, elsewhere).values()) == {Domain.MACHINE}
