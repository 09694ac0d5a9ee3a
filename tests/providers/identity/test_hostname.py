from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.identity import hostname
from converge.system import System
from tests.real.converging import converge, state_of, take_back


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    etc = tmp_path / "root/etc"
    etc.mkdir(parents=True)
    return etc


@pytest.fixture
def system(etc: Path) -> System:
    return System(str(etc.parent))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"debian\n", b"desk\n"),
        (b"debian", b"desk"),
        (b"# ours\n\n debian \n# more\n", b"# ours\n\ndesk\n# more\n"),
        (b"# only a comment\n", b"# only a comment\ndesk\n"),
        (b"", b"desk\n"),
        (b"localhost\r\n", b"desk\r\n"),
    ],
)
def test_name_changed_keeps_comments(etc: Path, system: System, before: bytes, after: bytes) -> None:
    (etc / "hostname").write_bytes(before)
    converge(hostname, system, name="desk")
    assert (etc / "hostname").read_bytes() == after


def test_missing_files_made_and_removed_by_undo(etc: Path, system: System) -> None:
    params = {"name": "desk", "pretty": 'Ann\'s "desk"'}
    before = state_of(hostname, system, **params)
    assert converge(hostname, system, **params) == (
        Change("name", None, "desk"),
        Change("pretty", None, 'Ann\'s "desk"'),
    )
    assert (etc / "hostname").read_text() == "desk\n"
    assert (etc / "machine-info").read_text() == 'PRETTY_HOSTNAME="Ann\'s \\"desk\\""\n'
    take_back(hostname, system, before, **params)
    assert not {"hostname", "machine-info"} & {path.name for path in etc.iterdir()}


def test_undeclared_variables_untouched(etc: Path, system: System) -> None:
    (etc / "machine-info").write_text("PRETTY_HOSTNAME=Mine\nCHASSIS=laptop\n")
    converge(hostname, system, name="desk")
    assert (etc / "machine-info").read_text() == "PRETTY_HOSTNAME=Mine\nCHASSIS=laptop\n"
    (change,) = converge(hostname, system, name="desk", pretty="")
    assert change == Change("pretty", "Mine", None)
    assert (etc / "machine-info").read_text() == "CHASSIS=laptop\n"


@pytest.mark.parametrize("name", ["a", "A-1", "3com", "x" * 63, "a.b-c.example.org", f"{'x' * 60}.abc"])
def test_valid_name_accepted(name: str) -> None:
    assert hostname.parse({"name": name}).name == name


@pytest.mark.parametrize(
    "name",
    ["", "-a", "a-", "a..b", ".a", "a.", "a_b", "reading room", "x" * 64, f"{'x' * 61}.abc", "ünï", "a\n", "a-.b"],
)
def test_invalid_name_refused(name: str) -> None:
    with pytest.raises(ProviderError, match="host name") as raised:
        hostname.parse({"name": name})
    assert raised.value.hint


def test_both_fields_in_deployment_domain(system: System) -> None:
    assert hostname.domains(system, hostname.parse({"name": "a"})) == {
        "name": Domain.DEPLOYMENT,
        "pretty": Domain.DEPLOYMENT,
    }


def test_thing_named_by_declared_name() -> None:
    thing = hostname.thing(hostname.parse({"name": "desk"}))
    assert (thing.words, thing.recorded) == ("host name desk", "hostname:static")
