"""Lines: to the letter where nothing changes, and back to the letter where what was changed is taken back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.formats.lines import Lines, numbers_at, places_of

ODD = b"one\r\n\xff two\n\r\n\ta\rb \nlast"


@pytest.mark.parametrize("data", [b"", b"\n", b"a", b"a\n", b"\n\n", ODD, ODD + b"\n"])
def test_what_is_parsed_is_dumped_to_the_letter(data: bytes) -> None:
    assert Lines.parse(data).dump() == data


def test_texts_are_without_ends() -> None:
    assert Lines.parse(ODD).texts == ("one", "\udcff two", "", "\ta\rb ", "last")


@pytest.mark.parametrize(
    ("before", "number", "after"),
    [
        (b"", 0, b"new\n"),
        (b"a\nb\n", 1, b"a\nnew\nb\n"),
        (b"a\nb\n", 2, b"a\nb\nnew\n"),
        (b"a\nb", 2, b"a\nb\nnew"),
        (b"a\nb", 0, b"new\na\nb"),
        (b"a", 1, b"a\nnew"),
        (b"a\r\nb", 2, b"a\r\nb\r\nnew"),
    ],
)
def test_a_line_is_inserted_in_the_style_of_the_file(before: bytes, number: int, after: bytes) -> None:
    lines = Lines.parse(before)
    lines.insert(number, "new")
    assert lines.dump() == after
    lines.remove([number])
    assert lines.dump() == before


@pytest.mark.parametrize(
    ("before", "numbers", "after"),
    [
        (b"a\nb\nc\n", [0, 2], b"b\n"),
        (b"a\nb\nc", [1, 2], b"a"),
        (b"a\r\nb", [1], b"a"),
        (b"a\nb", [0, 1], b""),
    ],
)
def test_what_is_removed_comes_back_from_its_record(before: bytes, numbers: list[int], after: bytes) -> None:
    lines = Lines.parse(before)
    record = lines.record(numbers)
    lines.remove(numbers)
    assert lines.dump() == after
    lines.put_back(record, numbers)
    assert lines.dump() == before


def test_what_became_shorter_gets_its_lines_back_at_the_end() -> None:
    record = Lines.parse(b"a\nb\nc\nd\n").record([1, 3])
    lines = Lines.parse(b"x")
    lines.put_back(record, [1, 3])
    assert lines.dump() == b"x\nb\nd"


@given(st.lists(st.sampled_from([b"a", b"\xff", b"\r", b"\n", b"\r\n"]), max_size=9), st.sets(st.integers(0, 4)))
def test_any_lines_come_back(pieces: list[bytes], numbers: set[int]) -> None:
    before = b"".join(pieces)
    lines = Lines.parse(before)
    chosen = sorted(number for number in numbers if number < len(lines.texts))
    record = lines.record(chosen)
    lines.remove(chosen)
    lines.put_back(record, numbers_at(places_of(chosen)) if chosen else [])
    assert lines.dump() == before


def test_lines_without_a_place_follow_the_last_one() -> None:
    lines = Lines.parse(b"x\ny\n")
    lines.put_back(b"\na\nb\nc\n", [1])
    assert lines.dump() == b"x\na\nb\nc\ny\n"


@pytest.mark.parametrize(
    ("numbers", "places"),
    [([0], "1"), ([2, 4, 5, 6], "3,5-7"), ([0, 1], "1-2"), (list(range(1000)), "1-1000")],
)
def test_places_are_written_as_people_write_them(numbers: list[int], places: str) -> None:
    assert places_of(numbers) == places
    assert list(numbers_at(places)) == numbers


def test_many_places_are_written_in_part() -> None:
    numbers = list(range(0, 1000, 2))
    places = places_of(numbers)
    assert (len(places) <= 102, places.endswith(",…")) == (True, True)
    assert (found := list(numbers_at(places))) == numbers[: len(found)]
    assert len(found) > 20
