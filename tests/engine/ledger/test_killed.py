"""A ledger that a kill or a power cut left, at any point of a run, and the run after it."""

from attrs import evolve

from converge.engine.ledger import Intent, Ledger, Memory
from converge.system import System
from tests.engine.ledger.sample import (
    BEGAN,
    CHANGES,
    DONE,
    OWED,
    RESOURCE,
    RESTART,
    UPGRADE,
    file,
    finished,
    journal,
    load,
    opened,
)


def test_cut_off_journal_is_read_up_to_its_last_whole_line(system: System) -> None:
    ledger = opened(system)
    memories = [Memory(), Memory(), ledger.memory]
    ledger.intend(system, Intent("fix", CHANGES, OWED))
    memories.append(ledger.memory)
    ledger.commit(system, DONE, RESOURCE, (RESTART,))
    memories.append(ledger.memory)
    whole = journal(system).read_bytes()
    for length in range(len(whole) + 1):
        journal(system).write_bytes(whole[:length])
        assert load(system).memory == memories[whole[:length].count(b"\n")], length


def test_run_after_a_cut_off_one_is_remembered(system: System) -> None:
    """What a kill left at the end of a journal never swallows what the next run appends."""
    ledger = finished(system)
    ledger.open(system, UPGRADE, BEGAN, "school")
    ledger.intend(system, Intent("fix", CHANGES, OWED))
    whole = journal(system).read_bytes()
    for length in range(len(whole) + 1):
        journal(system).write_bytes(whole[:length])
        again = load(system)
        if again.journal_open:
            again.fold(system)
        again.intend(system, Intent("other", CHANGES, evolve(OWED, id="other")))
        assert "other" in load(system).memory.intents, length
        _restore(system, ledger)


def _restore(system: System, ledger: Ledger) -> None:
    """Put the ledger's file back as it was when the ledger wrote it."""
    file(system).write_bytes(ledger.saved)


def test_kill_between_fold_and_drop_repeats_nothing(system: System) -> None:
    ledger = opened(system)
    ledger.commit(system, DONE, RESOURCE, (RESTART,))
    left_behind = journal(system).read_bytes()
    ledger.effect_done(system, RESTART)
    ledger.fold(system)
    journal(system).write_bytes(left_behind)
    again = load(system)
    assert again.memory == ledger.memory
    assert again.memory.effects == ()


def test_run_after_such_a_kill_drops_the_journal(system: System) -> None:
    ledger = opened(system)
    left_behind = journal(system).read_bytes()
    ledger.fold(system)
    journal(system).write_bytes(left_behind)
    load(system).recover(system)
    assert not journal(system).exists()


def test_the_run_after_such_a_kill_is_remembered(system: System) -> None:
    ledger = opened(system)
    left_behind = journal(system).read_bytes()
    ledger.fold(system)
    journal(system).write_bytes(left_behind)
    again = load(system)
    again.intend(system, Intent("fix", CHANGES, OWED))
    assert "fix" in load(system).memory.intents


def test_an_unwritten_last_line_was_never_acted_on(system: System) -> None:
    ledger = opened(system)
    before = ledger.memory
    start = journal(system).stat().st_size
    ledger.intend(system, Intent("fix", CHANGES, OWED))
    data = journal(system).read_bytes()
    for damaged in (data[:start] + bytes(len(data) - start), data[:start] + bytes(len(data) - start - 1) + b"\n"):
        journal(system).write_bytes(damaged)
        assert load(system).memory == before
