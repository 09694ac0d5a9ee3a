"""What is remembered of a resource that was renamed: found under either id, before and after a rollback."""

from attrs import evolve

from converge.engine.ledger import Intent, Ledger, Memory
from converge.model import Entry, Resource
from converge.system import System
from tests.engine.ledger.sample import CHANGES, DONE, OWED, RESOURCE, V1, finished, load

OLD, NEW, NEWER = RESOURCE, evolve(RESOURCE, id="new", renamed_from="fix"), evolve(RESOURCE, id="z", renamed_from="new")


def renamed(ledger: Ledger, resource: Resource = NEW) -> Entry:
    """What the first run after a renaming does: it finds the memory and puts it under the new id."""
    found = ledger.memory.find(resource, resource.id)
    assert found is not None
    ledger.put(evolve(found, id=resource.id), resource)
    return found


def test_a_renamed_resource_keeps_its_memory(system: System) -> None:
    ledger = finished(system)
    assert renamed(ledger) == DONE
    ledger.fold(system)
    memory = load(system).memory
    assert memory.find(NEW, "new") == evolve(DONE, id="new")
    assert memory.entries["fix"].alias == "new"


def test_rollback_finds_memory_of_a_resource_renamed_later(system: System) -> None:
    ledger = finished(system)
    renamed(ledger)
    renamed(ledger, NEWER)
    ledger.put(evolve(DONE, id="z", revision=5), NEWER)
    found = ledger.memory.find(OLD, "fix")
    assert found is not None
    assert (found.id, found.revision) == ("z", 5)


def test_work_after_a_rollback_is_known_under_the_new_id_too(system: System) -> None:
    ledger = finished(system)
    renamed(ledger)
    ledger.put(evolve(DONE, revision=7), OLD)
    for resource in (OLD, NEW):
        found = ledger.memory.find(resource, resource.id)
        assert found is not None
        assert found.revision == 7


def test_a_renaming_may_be_taken_back(system: System) -> None:
    ledger = finished(system)
    renamed(ledger)
    back = evolve(RESOURCE, renamed_from="new")
    renamed(ledger, back)
    ledger.put(evolve(DONE, revision=3), back)
    for resource in (back, NEW):
        found = ledger.memory.find(resource, resource.id)
        assert found is not None
        assert (found.id, found.revision) == ("fix", 3)


def test_renamed_id_may_be_used_for_another_thing(system: System) -> None:
    ledger = finished(system)
    renamed(ledger)
    unlike = evolve(DONE, things=("file:/etc/y",), revision=1)
    for _ in range(2):
        ledger.put(unlike, OLD)
        ledger.put(evolve(DONE, id="new"), NEW)
    assert ledger.memory.find(OLD, "fix") == unlike
    assert ledger.memory.find(NEW, "new") == evolve(DONE, id="new")


def test_elements_are_renamed_with_their_resource(system: System) -> None:
    ledger = load(system)
    ledger.put(evolve(DONE, id="fix[a]"), OLD)
    found = ledger.memory.find(NEW, "new[a]")
    assert found is not None
    ledger.put(evolve(found, id="new[a]"), NEW)
    assert ledger.memory.entries["fix[a]"].alias == "new[a]"
    assert ledger.memory.find(NEW, "new[b]") is None


def test_circle_of_aliases_ends(system: System) -> None:
    ledger = load(system)
    ledger.memory = Memory(entries={"fix": evolve(DONE, alias="new"), "new": evolve(DONE, id="new", alias="fix")})
    assert ledger.memory.find(OLD, "fix") is not None


def test_interrupted_intent_under_an_old_id_is_harmless(system: System) -> None:
    ledger = finished(system)
    renamed(ledger)
    ledger.intend(system, Intent("fix", CHANGES, OWED))
    ledger.close(V1, "school")
    found = ledger.memory.find(NEW, "new")
    assert found == evolve(DONE, id="new")
    assert ledger.memory.intents == {}
