"""A ledger that cannot be read is refused, and never taken for an empty one."""

import os
from collections.abc import Callable

import pytest
from attrs import evolve

from converge.engine.ledger import Intent
from converge.errors import LedgerError
from converge.system import System
from tests.engine.ledger.sample import CHANGES, DONE, OWED, RESOURCE, file, finished, journal, load, opened


@pytest.mark.parametrize("number", [0, 1, 2])
def test_damage_before_the_last_line_of_a_journal_is_refused(system: System, number: int) -> None:
    ledger = opened(system)
    ledger.intend(system, Intent("fix", CHANGES, OWED))
    ledger.commit(system, DONE, RESOURCE, ())
    lines = journal(system).read_bytes().splitlines(keepends=True)
    lines[number] = lines[number].replace(b'"op"', b'"oq"')
    journal(system).write_bytes(b"".join(lines))
    with pytest.raises(LedgerError, match=rf"line {number + 1} of the journal .*/ledger\.journal"):
        load(system)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda data: data[: len(data) // 2], id="cut-off"),
        pytest.param(lambda data: bytes(len(data)), id="zeros"),
        pytest.param(lambda _: b"\xff\xfe", id="no-text"),
        pytest.param(lambda _: b"[]", id="a-list"),
        pytest.param(lambda _: b"{}", id="no-keys"),
        pytest.param(lambda _: b"null", id="null"),
        pytest.param(lambda _: b"[" * 100_000, id="too-deep"),
        pytest.param(lambda data: data.replace(b'"entries"', b'"entires"'), id="misspelt-key"),
        pytest.param(lambda data: data.replace(b'"done"', b'"dome"'), id="misspelt-status"),
        pytest.param(lambda data: data.replace(b'"upgrade"', b"7"), id="no-event"),
        pytest.param(lambda data: data.replace(b'"revision": 2', b'"revision": "two"'), id="no-revision"),
        pytest.param(lambda data: data.replace(b'"generation": 1', b'"generation": null'), id="no-generation"),
        pytest.param(lambda data: data.replace(b'"identity"', b'"id"'), id="no-identity"),
    ],
)
def test_a_damaged_file_is_refused(system: System, damage: Callable[[bytes], bytes]) -> None:
    finished(system)
    before = file(system).read_bytes()
    file(system).write_bytes(damage(before))
    assert file(system).read_bytes() != before
    with pytest.raises(LedgerError, match=r"/var/lib/converge/ledger\.json") as caught:
        load(system)
    assert caught.value.hint
    assert caught.value.exit_code == 1


def test_ledger_that_is_not_a_file_is_refused(system: System) -> None:
    file(system).parent.mkdir(parents=True)
    os.mkfifo(file(system))
    with pytest.raises(LedgerError, match="cannot be read"):
        load(system)
    file(system).unlink()
    journal(system).mkdir()
    with pytest.raises(LedgerError, match="cannot be read"):
        load(system)


def test_a_ledger_older_than_its_journal_is_refused(system: System) -> None:
    """It was put back from a backup: the journal's changes were made on top of memory that it lacks."""
    finished(system)
    backup = file(system).read_bytes()
    ledger = load(system)
    ledger.put(evolve(DONE, id="other"), evolve(RESOURCE, id="other"))
    ledger.fold(system)
    ledger.intend(system, Intent("fix", CHANGES, OWED))
    file(system).write_bytes(backup)
    with pytest.raises(LedgerError, match="newer ledger"):
        load(system)


def test_a_link_does_not_lead_to_a_ledger_of_the_host(system: System, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = System(str(tmp_path_factory.mktemp("host")))
    finished(other)
    file(system).parent.mkdir(parents=True)
    file(system).symlink_to(file(other))
    assert not load(system).exists
