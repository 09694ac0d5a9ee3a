"""The plan as data: the order of its steps, and what is counted."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.diagnostics import Mark
from converge.engine.plan import Plan, in_order
from converge.engine.step import Step, counted_as, summary
from converge.errors import ConvergeError
from converge.model import Action, Decision, Domain, Event, Policy, Product, Resource

MARK = Mark("p.yaml", 1, 1, 1, 2)
NOTHING = {
    "add": 0,
    "change": 0,
    "remove": 0,
    "kept": 0,
    "owed": 0,
    "in_place": 0,
    "settled": 0,
    "not_applicable": 0,
    "blocked": 0,
    "failed": 0,
}


def step(decision: Decision, action: Action = Action.NONE, *, certain: bool = True) -> Step:
    return Step("a", Resource("a", "t", Policy.ONCE, MARK), decision=decision, action=action, certain=certain)


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ({}, ""),
        ({"a": "", "b": "", "c": ""}, "a b c"),
        ({"b": "", "a": ""}, "b a"),
        ({"a": "b", "b": ""}, "b a"),
        ({"a": "c", "b": "", "c": "b"}, "b c a"),
        ({"a": "d", "b": "", "c": "", "d": ""}, "d a b c"),
        ({"a": "b c", "b": "d", "c": "d", "d": ""}, "d b c a"),
        ({"a": "c b", "b": "", "c": ""}, "c b a"),
    ],
)
def test_order_needed_ids_first_others_as_declared(needs: dict[str, str], expected: str) -> None:
    assert " ".join(in_order({id_: tuple(needed.split()) for id_, needed in needs.items()})) == expected


@pytest.mark.parametrize(
    ("needs", "circle"),
    [
        ({"a": ("a",)}, "'a' needs 'a'"),
        ({"a": ("b",), "b": ("a",)}, "'a' needs 'b' needs 'a'"),
        ({"a": ("b",), "b": ("c",), "c": ("d",), "d": ("b",)}, "'b' needs 'c' needs 'd' needs 'b'"),
    ],
)
def test_order_circle_is_refused_and_shown(needs: dict[str, tuple[str, ...]], circle: str) -> None:
    with pytest.raises(ConvergeError) as caught:
        in_order(needs)
    assert caught.value.message.endswith(f"circle: {circle}")
    assert caught.value.hint


def test_order_chain_may_be_as_long_as_a_product() -> None:
    ids = [f"r{number}" for number in range(3000)]
    needs = {id_: (following,) for id_, following in pairwise(ids)} | {ids[-1]: ()}
    assert in_order(needs) == ids[::-1]


@given(st.integers(1, 12).flatmap(lambda n: st.lists(st.sets(st.integers(0, n - 1)), min_size=n, max_size=n)))
def test_order_contains_each_id_once_after_its_needs(graph: list[set[int]]) -> None:
    """An id needs only ids of a lower number, so a circle is impossible."""
    needs = {str(i): tuple(str(j) for j in sorted(js) if j < i) for i, js in enumerate(graph)}
    for declared in (needs, dict(reversed(needs.items()))):
        ordered = in_order(declared)
        assert sorted(ordered) == sorted(needs)
        assert all(ordered.index(needed) < ordered.index(id_) for id_ in needs for needed in needs[id_])


@pytest.mark.parametrize(
    ("each", "name"),
    [
        (step(Decision.APPLY, Action.ADD), "add"),
        (step(Decision.APPLY, Action.CHANGE), "change"),
        (step(Decision.APPLY, Action.REMOVE), "remove"),
        (step(Decision.APPLY, Action.NONE), "in_place"),
        (step(Decision.APPLY, Action.CHANGE, certain=False), "change"),
        (step(Decision.KEEP), "kept"),
        (step(Decision.OWED), "owed"),
        (step(Decision.IN_PLACE), "in_place"),
        (step(Decision.SETTLED), "settled"),
        (step(Decision.BASELINE), "settled"),
        (step(Decision.NOT_APPLICABLE), "not_applicable"),
        (step(Decision.BLOCKED), "blocked"),
        (step(Decision.FAILED), "failed"),
    ],
)
def test_each_step_is_counted_once(each: Step, name: str) -> None:
    assert counted_as(each) == name
    assert summary([each, each]) == {**NOTHING, name: 2}


def test_the_summary_names_every_kind_in_the_public_order() -> None:
    assert list(summary([])) == list(NOTHING)
    assert summary([]) == NOTHING


def test_plan_has_changes_only_if_a_step_applies() -> None:
    product = Product("p", "P", MARK, {}, {})
    events = {Domain.MACHINE: Event.ROLLBACK, Domain.DEPLOYMENT: Event.REFRESH}
    idle = [step(decision) for decision in Decision if decision is not Decision.APPLY]
    assert not Plan(product, events, adopting=False, steps=tuple(idle)).has_changes
    busy = Plan(product, events, adopting=False, steps=(*idle, step(Decision.APPLY, Action.ADD)))
    assert busy.has_changes
    assert busy.event is Event.ROLLBACK
