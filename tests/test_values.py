import itertools

import pytest

from converge.model import Version
from converge.values import parse_size, size_words, version_key


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("1KiB", 1024),
        ("8GiB", 8 << 30),
        ("8 GiB", 8 << 30),
        (" 1MiB ", 1 << 20),
        ("2TiB", 2 << 40),
    ],
)
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (1, "1 B"), (1025, "1025 B"), (1 << 10, "1 KiB"), (1173 << 20, "1173 MiB"), (4 << 30, "4 GiB")],
)
def test_size_words_are_exact(size: int, words: str) -> None:
    assert size_words(size) == words
    assert parse_size(words) == size


@pytest.mark.parametrize(
    "text", ["", "GiB", "8GB", "8G", "8gib", "-1", "1.5GiB", "8 GiB 2", "9223372036854775808", "9" * 50]
)
def test_text_that_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a size is"):
        parse_size(text)


def sign(left: str | None, right: str | None) -> str:
    one, other = version_key(Version(left)), version_key(Version(right))
    return "<" if one < other else ">" if one > other else "=="


@pytest.mark.parametrize(
    "example",
    [
        "11 == 11",
        "systemd-123 == systemd-123",
        "bar-123 < foo-123",
        "123a > 123",
        "123.a > 123",
        "123.a < 123.b",
        "123a > 123.a",
        "11\N{GREEK SMALL LETTER ALPHA} == 11\N{GREEK SMALL LETTER BETA}",
        "B < a",
        "'' < 0",
        "0. > 0",
        "0.0 > 0",
        "0 > ~",
        "'' > ~",
        "1_ == 1",
        "_1 == 1",
        "1_ < 1.2",
        "1_2_3 > 1.3.3",
        "1+ == 1",
        "+1 == 1",
        "1+ < 1.2",
        "1+2+3 > 1.3.3",
    ],
)
def test_the_examples_of_the_specification(example: str) -> None:
    """UAPI.10, "Examples"."""
    left, expected, right = example.replace("''", "").split(" ")
    assert sign(left, right) == expected


def test_the_chain_of_the_specification() -> None:
    chain = ["122.1", "123~rc1-1", "123", "123-a", "123-a.1", "123-1", "123-1.1"]
    chain += ["123^post1", "123.a-1", "123.1-1", "123a-1", "124-1"]
    for (index, left), (other, right) in itertools.product(enumerate(chain), repeat=2):
        assert sign(left, right) == ("<" if index < other else ">" if index > other else "==")


@pytest.mark.parametrize(
    ("left", "expected", "right"),
    [
        ("3.10", ">", "3.8"),
        ("3.8", "==", "3.08"),
        ("3.8", "<", "3.8.0"),
        ("4.0~beta", "<", "4.0"),
        ("a", "<", "0"),
        ("~_1", "<", "~1"),
        ("-^", "<", "-"),
        ("9" * 5000, "<", "1" + "0" * 5000),
        (None, "<", ""),
        (None, "<", "~"),
        (None, "==", None),
    ],
)
def test_version_order_beyond_the_examples(left: str | None, expected: str, right: str | None) -> None:
    assert sign(left, right) == expected
