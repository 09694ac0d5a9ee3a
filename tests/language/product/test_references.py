"""The ids in `needs` must exist, and the resources must have an order."""

import pytest

from tests.manifests import Shelf


def manifest(**needs: str) -> str:
    lines = (
        f"  {id_}: {{type: file, apply: once, needs: [{needed}], with: {{path: /{id_}, content: x}}}}"
        for id_, needed in needs.items()
    )
    return "resources:\n" + "\n".join(lines)


EACH = "\n  each: {type: file, apply: once, for_each: [x, y], with: {path: '/{{ item }}', content: x}}"


@pytest.mark.parametrize("needed", ["b", "each", "'each[x]'"])
def test_ids_and_elements_can_be_needed(shelf: Shelf, needed: str) -> None:
    shelf.put("base", manifest(a=needed, b="") + EACH)
    shelf.product("base")


@pytest.mark.parametrize("needed", ["c", "'b[x]'", "'each[z]'"])
def test_need_of_missing_id_refused(shelf: Shelf, needed: str) -> None:
    shelf.put("base", manifest(a=needed, b="") + EACH)
    shelf.load("base")
    assert shelf.findings() == [("unknown-id", "base.yaml:5")]
    assert shelf.report.errors[0].hint


@pytest.mark.parametrize(("needed", "dropped"), [("b", "b"), ("'each[x]'", "each"), ("'each[x]'", "'each[x]'")])
def test_need_of_dropped_id_refused(shelf: Shelf, needed: str, dropped: str) -> None:
    shelf.put("base", manifest(a=needed, b="") + EACH)
    shelf.put("school", f"extends: [base]\nwithout: [{dropped}]")
    shelf.load("school")
    assert shelf.findings() == [("unknown-id", "base.yaml:5")]
    assert shelf.related() == ["school.yaml:5"]


def test_every_cycle_reported_with_places(shelf: Shelf) -> None:
    shelf.put("base", manifest(a="b", b="c", c="a", d="d", e="a"))
    shelf.load("base")
    assert {code for code, _ in shelf.findings()} == {"needs-cycle"}
    messages = {error.message for error in shelf.report.errors}
    assert "these resources wait for each other: d needs d" in messages
    assert any("a needs b" in message and "c needs a" in message for message in messages)
    assert len(messages) == 2


def test_long_chain_is_not_a_cycle(shelf: Shelf) -> None:
    chain = {f"r{number}": f"r{number + 1}" for number in range(1500)} | {"r1500": ""}
    shelf.put("base", manifest(**chain))
    shelf.product("base")
