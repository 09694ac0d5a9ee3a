"""The durable memory on a real disk: what is written comes back."""

import json
from pathlib import Path

import pytest
from attrs import evolve

from converge.engine.ledger import Intent, Ledgers, Memory, Opened
from converge.engine.ledger.base import to_json
from converge.model import Domain, Event, Status
from converge.system import ReadOnlySystem, System
from tests.engine.ledger.sample import (
    BEGAN,
    CHANGES,
    DONE,
    OWED,
    REBOOT,
    RESOURCE,
    RESTART,
    UPGRADE,
    V1,
    V2,
    file,
    files,
    finished,
    journal,
    load,
    opened,
)


def test_missing_ledgers_are_empty(system: System) -> None:
    ledger = load(system)
    assert (ledger.exists, ledger.memory) == (False, Memory())
    assert files(system) == {}


@pytest.mark.parametrize("domain", Domain)
def test_saved_ledger_is_read_back_completely(system: System, domain: Domain) -> None:
    ledger = load(system, domain)
    ledger.memory = Memory(
        product="school",
        began=(Event.INSTALL, "3.7.4"),
        opened=UPGRADE,
        history=(V1, V2),
        entries={"fix": DONE, "old[a]": evolve(OWED, id="old[a]", alias="fix")},
        intents={"fix": Intent("fix", CHANGES, OWED, {"mode": "0644", "refs": None})},
        effects=(RESTART, REBOOT),
    )
    ledger.fold(system)
    again = load(system, domain)
    assert again.memory == ledger.memory
    assert again.exists
    assert [path.name for path in Path(system.root).rglob("*") if path.is_file()] == ["ledger.json"]


def test_ledgers_are_stored_in_their_domains(system: System) -> None:
    for ledger in Ledgers.load(system):
        ledger.close(V1, "school")
        ledger.fold(system)
    assert {Path(path).relative_to(system.root) for path in files(system)} == {
        Path("etc/converge/ledger.json"),
        Path("var/lib/converge/ledger.json"),
    }


def test_ledger_is_readable_by_its_owner_only(system: System) -> None:
    opened(system)
    assert journal(system).stat().st_mode & 0o777 == 0o600
    finished(system)
    assert file(system).stat().st_mode & 0o777 == 0o600


def test_every_record_counts_without_being_folded(system: System) -> None:
    ledger = opened(system)
    assert load(system).memory == Memory(product="school", began=BEGAN, opened=UPGRADE)

    intent = Intent("fix", CHANGES, OWED)
    ledger.intend(system, intent)
    assert load(system).memory.intents == {"fix": intent}
    assert load(system).memory.entries == {}

    ledger.commit(system, DONE, RESOURCE, (RESTART, REBOOT))
    again = load(system)
    assert again.memory.intents == {}
    assert again.memory.entries == {"fix": DONE}
    assert again.memory.effects == (RESTART, REBOOT)
    assert again.memory == ledger.memory
    assert again.exists
    assert not file(system).exists()


def test_planning_with_an_unfinished_journal_writes_nothing(system: System) -> None:
    opened(system)
    before = files(system)
    load(ReadOnlySystem(system.root))
    assert files(system) == before


def test_effects_are_remembered_once_until_they_are_done(system: System) -> None:
    ledger = opened(system)
    ledger.commit(system, DONE, RESOURCE, (RESTART,))
    ledger.commit(system, evolve(DONE, id="other"), evolve(RESOURCE, id="other"), (RESTART, REBOOT))
    assert load(system).memory.effects == (RESTART, REBOOT)
    ledger.fold(system)
    assert load(system).memory.effects == (RESTART, REBOOT)
    ledger.effect_done(system, RESTART)
    assert load(system).memory.effects == (REBOOT,)


def test_folding_drops_the_journal_and_loses_nothing(system: System) -> None:
    ledger = opened(system)
    ledger.commit(system, DONE, RESOURCE, (REBOOT,))
    before = load(system).memory
    ledger.fold(system)
    assert not journal(system).exists()
    assert load(system).memory == before == ledger.memory


def test_a_run_that_changes_nothing_writes_nothing(system: System) -> None:
    finished(system)
    before = files(system)
    ledger = load(system)
    ledger.put(DONE, RESOURCE)
    ledger.close(V1, "school")
    ledger.fold(system)
    assert files(system) == before


def test_an_event_that_is_open_already_is_not_opened_again(system: System) -> None:
    opened(system)
    before = files(system)
    opened(system)
    assert files(system) == before


def test_event_on_other_deployment_replaces_the_open_one(system: System) -> None:
    opened(system)
    ledger = load(system)
    later = Opened(Event.UPGRADE, adopting=True, deployment=V2)
    ledger.open(system, later, (Event.INSTALL, "3.8.0"), "school")
    memory = load(system).memory
    assert (memory.opened, memory.began, memory.history) == (later, BEGAN, ())


def test_keys_of_a_newer_converge_are_kept(system: System) -> None:
    finished(system)
    document = json.loads(file(system).read_bytes())
    document |= {"format": 9, "seals": {"a": [1]}}
    document["entries"]["fix"]["sealed"] = ["x"]
    document["history"][0]["signed"] = True
    file(system).write_bytes(json.dumps(document).encode())

    ledger = load(system)
    assert ledger.memory.entries["fix"].status is Status.DONE
    ledger.open(system, evolve(UPGRADE, deployment=V2), BEGAN, "school")
    ledger.commit(system, evolve(DONE, revision=3), RESOURCE, ())
    ledger = load(system)
    ledger.close(V2, "school")
    ledger.fold(system)

    written = json.loads(file(system).read_bytes())
    assert (written["format"], written["seals"]) == (9, {"a": [1]})
    assert written["entries"]["fix"]["sealed"] == ["x"]
    assert written["entries"]["fix"]["revision"] == 3
    assert load(system).memory == ledger.memory


def test_record_of_an_unknown_kind_adds_nothing(system: System) -> None:
    ledger = opened(system)
    before = ledger.memory
    ledger._record(system, {"op": "seal", "id": "fix"}, sync=True)
    assert load(system).memory == before


def test_finished_run_closes_event_and_extends_history(system: System) -> None:
    ledger = finished(system)
    assert (ledger.memory.opened, ledger.memory.history, ledger.memory.product) == (None, (V1,), "school")
    for deployment in (V2, V1, V1):
        ledger.close(deployment, "school")
    assert ledger.memory.history == (V2, V1)
    assert ledger.memory.identity == V1.identity


def test_intent_that_no_run_resumes_is_a_failure(system: System) -> None:
    ledger = opened(system)
    ledger.intend(system, Intent("fix", CHANGES, OWED))
    again = load(system)
    again.close(V1, "school")
    again.fold(system)
    memory = load(system).memory
    assert memory.intents == {}
    assert memory.entries["fix"].status is Status.FAILED
    assert memory.entries["fix"].reason == "interrupted, and no longer declared"
    assert (memory.entries["fix"].event, memory.entries["fix"].adopting) == (Event.UPGRADE, True)


def test_drop_forgets_entry_and_intent(system: System) -> None:
    ledger = finished(system)
    ledger.intend(system, Intent("fix", CHANGES, OWED))
    ledger.drop("fix")
    ledger.drop("never-there")
    ledger.fold(system)
    assert (load(system).memory.entries, load(system).memory.intents) == ({}, {})


def test_runs_are_numbered_and_only_the_last_ones_kept(system: System) -> None:
    ledger = load(system)
    for _ in range(60):
        ledger.intend(system, Intent("fix", CHANGES, OWED, {"mode": "0644", "refs": None}))
        ledger.commit(system, DONE, RESOURCE, ())
        ledger.end_run("3.7.4")
    ledger.fold(system)
    runs = load(system).memory.runs
    assert [run["run"] for run in runs] == list(range(11, 61))
    changes = [{"field": change.field, "before": change.before, "after": change.after} for change in CHANGES]
    assert to_json(runs[-1]["changes"]) == to_json(
        [{"id": "fix", "type": "file", "before": {"mode": "0644", "refs": None}, "changes": changes}]
    )


def test_run_without_changes_is_not_recorded(system: System) -> None:
    ledger = load(system)
    ledger.intend(system, Intent("fix", CHANGES, OWED))
    ledger.commit(system, OWED, RESOURCE, ())
    ledger.end_run("3.7.4")
    assert ledger.memory.runs == ()


def test_changes_of_a_killed_run_belong_to_the_next_run(system: System) -> None:
    first = opened(system)
    first.intend(system, Intent("fix", CHANGES, OWED))
    first.commit(system, DONE, RESOURCE, ())
    again = load(system)
    again.fold(system)
    again.intend(system, Intent("other", CHANGES, evolve(OWED, id="other")))
    again.commit(system, evolve(DONE, id="other"), evolve(RESOURCE, id="other"), ())
    again.end_run("3.7.4")
    (run,) = again.memory.runs
    assert [change["id"] for change in run["changes"]] == ["fix", "other"]


def test_an_entry_counts_only_for_its_type(system: System) -> None:
    memory = finished(system).memory
    assert memory.find(RESOURCE, "fix") == DONE
    assert memory.find(evolve(RESOURCE, type="permissions"), "fix") is None
    assert memory.find(evolve(RESOURCE, id="other"), "other") is None


@pytest.mark.parametrize(("domain", "undeployed"), [(Domain.DEPLOYMENT, True), (Domain.MACHINE, False)])
def test_undeployed_tree_is_refused_for_changes_in_etc(system: System, domain: Domain, undeployed: bool) -> None:
    Path(system.root, "usr/etc").mkdir(parents=True)
    assert load(system, domain).refused is undeployed


def test_a_deployment_of_a_sysroot_is_not_refused(tmp_path: Path) -> None:
    root = tmp_path / "ostree/deploy/os/deploy" / ("ab" * 32 + ".0")
    (root / "usr/etc").mkdir(parents=True)
    assert not load(System(str(root)), Domain.DEPLOYMENT).refused
